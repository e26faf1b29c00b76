public import CheckpointStore
public import Recommenders

/// Measures how fast a model serves; supplied by the executable, because this module cannot serve.
public struct ServingClock: Sendable {
    /// The mean time of the service's forward pass for a user, in microseconds; nil when the model cannot serve.
    ///
    /// Arguments: a model, histories to use in turn, reverse steps, samples.
    public typealias ForwardPass = @Sendable (DimeRec, [[Int32]], _ steps: Int, _ samples: Int) -> Double?

    /// Measures the cost of serving a checkpoint.
    ///
    /// Arguments: the version to publish, histories to use in turn.
    public typealias Service = @Sendable (Checkpoint, [[Int32]]) throws -> Cost

    /// The cost of serving.
    public struct Cost: Sendable, Equatable {
        /// Mean time from a history to user vectors, one user at a time on one thread, in microseconds.
        public var microseconds: Double
        /// Complete answers with 20 items per second, on all cores, without HTTP.
        public var requestsPerSecond: Double

        /// A cost from its two values.
        public init(microseconds: Double, requestsPerSecond: Double) {
            self.microseconds = microseconds
            self.requestsPerSecond = requestsPerSecond
        }
    }

    /// Times the forward pass.
    public var forwardPass: ForwardPass
    /// Times the service.
    public var service: Service

    /// A clock from its parts.
    public init(forwardPass: @escaping ForwardPass, service: @escaping Service) {
        self.forwardPass = forwardPass
        self.service = service
    }
}
