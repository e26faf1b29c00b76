public import CheckpointStore
public import Recommenders

/// How fast a model serves, measured by whoever can serve it; this module cannot.
public struct ServingClock: Sendable {
    /// The mean time of the service's forward pass for a user, in microseconds; nil where the model cannot serve.
    ///
    /// Takes a model, histories in turn, reverse steps and samples.
    public typealias ForwardPass = @Sendable (DimeRec, [[Int32]], _ steps: Int, _ samples: Int) -> Double?

    /// What serving a checkpoint costs.
    ///
    /// Takes a version as it would be published, and histories in turn.
    public typealias Service = @Sendable (Checkpoint, [[Int32]]) throws -> Cost

    /// What serving costs.
    public struct Cost: Sendable, Equatable {
        /// From a history to user vectors, one user at a time on one thread: the mean, in microseconds.
        public var microseconds: Double
        /// Whole answers of 20 items a second, on all cores, without HTTP.
        public var requestsPerSecond: Double

        /// Groups the two.
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
