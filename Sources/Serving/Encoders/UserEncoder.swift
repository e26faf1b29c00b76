public import Kernels

/// Turns histories into user vectors: guidance, then the reverse diffusion chain.
///
/// A call collects users in a workspace with ``add(history:seed:steps:samples:to:)`` and then computes all their vectors
/// with ``generate(in:)``; a single request is a batch of one. An encoder is immutable and shared by all threads; what a
/// call writes lies in a workspace that belongs to one thread, so that the steady state allocates nothing.
public protocol UserEncoder: Sendable {
    /// Length of a user vector, the same as of an item vector.
    var dimension: Int { get }

    /// `T`, the most reverse steps there are.
    var maxSteps: Int { get }

    /// `N`, how many of the newest items of a history matter.
    var historyLength: Int { get }

    /// How many vectors a sample of a user has; an item's score is the largest over them.
    var vectorsPerSample: Int { get }

    /// Whether one user takes so long that an event loop should leave the request to a worker thread.
    var isSlow: Bool { get }

    /// Room for one batch at a time; a workspace serves only the encoder that made it.
    func makeWorkspace() -> any InferenceWorkspace

    /// Adds a user to the workspace's batch and extracts the user's guidance.
    ///
    /// - Parameters:
    ///   - history: Item numbers, oldest first, 1 to `historyLength` of them, each below the number of items.
    ///   - seed: Names the noise of the reverse chains.
    ///   - steps: How many reverse steps, 1 to `maxSteps`.
    ///   - samples: How many vectors to generate, at least 1, each from noise of its own. The first is what one sample
    ///     would be.
    ///   - workspace: One that `makeWorkspace` of this encoder made.
    func add(
        history: ArraySlice<Int32>,
        seed: UInt64,
        steps: Int,
        samples: Int,
        to workspace: any InferenceWorkspace
    )

    /// Computes the vectors of all users of the workspace's batch into `workspace.userVectors`.
    ///
    /// A vector is a pure function of its user's history, seed, steps and the sample's number: not of the batch, the
    /// thread or of what else runs.
    func generate(in workspace: any InferenceWorkspace)

    /// Computes one user again and keeps what happens on the way, for people to look at; slower than serving.
    ///
    /// - Parameters:
    ///   - history: As for ``add(history:seed:steps:samples:to:)``.
    ///   - seed: Names the noise.
    ///   - steps: How many reverse steps, 1 to `maxSteps`.
    /// - Returns: The interests and the path, whose end has the bits of the first sample that serving generates.
    func trace(history: ArraySlice<Int32>, seed: UInt64, steps: Int) -> UserTrace
}

extension UserEncoder {
    /// One interest at a time.
    public var vectorsPerSample: Int { 1 }

    /// Some ten microseconds a user.
    public var isSlow: Bool { false }
}

/// What one user's vector came from.
public struct UserTrace: Sendable {
    /// The interests that guide the reverse chain, `[K, d]`.
    public let interests: Matrix
    /// Where the reverse chain went, `[steps + 1, d]`: the start on the sphere, the vector after each step, and the user
    /// vector in the last row.
    public let path: Matrix

    /// Groups the two.
    public init(interests: Matrix, path: Matrix) {
        precondition(interests.columns == path.columns, "interests of \(interests.shape), a path of \(path.shape)")
        self.interests = interests
        self.path = path
    }
}

/// The reusable buffers of one encoder on one thread.
public protocol InferenceWorkspace: AnyObject {
    /// The vectors of the last ``UserEncoder/generate(in:)``, row after row: sample after sample, user after user.
    var userVectors: [Float] { get }

    /// Starts a new batch.
    func removeAll()
}

/// How long the stages of one request took, in nanoseconds.
public struct StageTimes: Sendable, Equatable {
    /// Reading the request's JSON.
    public var parse: UInt64 = 0
    /// From the history to the guidance, looking up the ids included.
    public var guidance: UInt64 = 0
    /// All reverse steps; in a batch the request's share.
    public var diffusion: UInt64 = 0
    /// Finding the nearest items.
    public var search: UInt64 = 0
    /// Writing the answer's JSON.
    public var encode: UInt64 = 0

    /// All zero.
    public init() {}

    /// The model's own part: guidance, diffusion and search.
    public var work: UInt64 { guidance + diffusion + search }
}
