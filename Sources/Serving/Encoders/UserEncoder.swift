public import Kernels
public import Recommenders

/// Turns histories into user vectors: guidance, then the reverse diffusion chain.
///
/// Callers collect users in a workspace with ``add(history:seed:steps:samples:to:)``, then compute all their vectors
/// with ``generate(in:)``. A single request is a batch of one. An encoder is immutable and all threads share it.
/// Calls write only to a workspace, which belongs to one thread, so the steady state allocates nothing.
public protocol UserEncoder: Sendable {
    /// Length of a user vector, the same as of an item vector.
    var dimension: Int { get }

    /// `T`, the largest number of reverse steps.
    var maxSteps: Int { get }

    /// The number of reverse steps when a request gives none, 1 to `maxSteps`.
    var defaultSteps: Int { get }

    /// `N`, how many of the newest items of a history count.
    var historyLength: Int { get }

    /// How many vectors a sample of a user has; an item's score is the largest over them.
    var vectorsPerSample: Int { get }

    /// How many slots of the guidance a request can fill by rules; 0 for a system without rule-based guidance.
    var guidanceSlots: Int { get }

    /// The rules that fill the slots unless a request gives others.
    var defaultSlots: GuidanceSlots { get }

    /// Whether one user takes so long that a worker thread should answer the request.
    var isSlow: Bool { get }

    /// Buffers for one batch at a time; a workspace serves only the encoder that made it.
    func makeWorkspace() -> any InferenceWorkspace

    /// Adds a user to the workspace's batch and extracts the user's guidance.
    ///
    /// - Parameters:
    ///   - history: Item numbers, oldest first, 1 to `historyLength` of them, each below the number of items.
    ///   - seed: Seed of the noise of the reverse chains.
    ///   - steps: How many reverse steps, 1 to `maxSteps`.
    ///   - samples: How many vectors to generate, at least 1, each from its own noise. The first does not depend on
    ///     this number.
    ///   - workspace: A workspace of this encoder.
    func add(
        history: ArraySlice<Int32>,
        seed: UInt64,
        steps: Int,
        samples: Int,
        to workspace: any InferenceWorkspace
    )

    /// Adds a user whose guidance are given items instead of the newest ones of the history.
    ///
    /// - Parameters:
    ///   - history: As for ``add(history:seed:steps:samples:to:)``.
    ///   - slots: The items of the ``guidanceSlots``, first to last, -1 for an empty slot; or none, for the newest items.
    ///   - seed: Seed of the noise of the reverse chains.
    ///   - steps: How many reverse steps.
    ///   - samples: How many vectors to generate.
    ///   - workspace: A workspace of this encoder.
    func add(
        history: ArraySlice<Int32>,
        slots: [Int32],
        seed: UInt64,
        steps: Int,
        samples: Int,
        to workspace: any InferenceWorkspace
    )

    /// Computes the vectors of all users of the workspace's batch into `workspace.userVectors`.
    ///
    /// A vector is a pure function of its user's history, seed, steps and sample number. The batch, the thread and
    /// other work do not affect it.
    func generate(in workspace: any InferenceWorkspace)

    /// The interests of the batch's first user, `[K, d]`, after ``generate(in:)``.
    ///
    /// - Precondition: The batch has a user.
    func interests(in workspace: any InferenceWorkspace) -> Matrix

    /// Computes one user's vector and keeps the intermediate results for inspection; slower than serving.
    ///
    /// - Parameters:
    ///   - history: As for ``add(history:seed:steps:samples:to:)``.
    ///   - seed: Seed of the noise.
    ///   - steps: How many reverse steps, 1 to `maxSteps`.
    /// - Returns: The interests and the path. The path ends in the first served sample, bit for bit.
    func trace(history: ArraySlice<Int32>, seed: UInt64, steps: Int) -> UserTrace

    /// The same for a user whose guidance are given items.
    func trace(history: ArraySlice<Int32>, slots: [Int32], seed: UInt64, steps: Int) -> UserTrace
}

extension UserEncoder {
    /// All steps.
    public var defaultSteps: Int { maxSteps }

    /// None.
    public var guidanceSlots: Int { 0 }

    /// The newest items.
    public var defaultSlots: GuidanceSlots { GuidanceSlots() }

    /// Without rule-based guidance there are no slots.
    public func add(
        history: ArraySlice<Int32>,
        slots: [Int32],
        seed: UInt64,
        steps: Int,
        samples: Int,
        to workspace: any InferenceWorkspace
    ) {
        precondition(slots.isEmpty, "\(slots.count) slots for an encoder without any")
        add(history: history, seed: seed, steps: steps, samples: samples, to: workspace)
    }

    /// Without rule-based guidance there are no slots.
    public func trace(history: ArraySlice<Int32>, slots: [Int32], seed: UInt64, steps: Int) -> UserTrace {
        precondition(slots.isEmpty, "\(slots.count) slots for an encoder without any")
        return trace(history: history, seed: seed, steps: steps)
    }

    /// One vector a sample.
    public var vectorsPerSample: Int { 1 }

    /// Without a chain, the vectors of the first user's first sample.
    public func interests(in workspace: any InferenceWorkspace) -> Matrix {
        let elements = Array(workspace.userVectors.prefix(vectorsPerSample * dimension))
        return Matrix(rows: vectorsPerSample, columns: dimension, elements: elements)
    }

    /// Some ten microseconds a user.
    public var isSlow: Bool { false }
}

/// How the encoder reached one user's vector.
public struct UserTrace: Sendable {
    /// The interests that guide the reverse chain, `[K, d]`.
    public let interests: Matrix
    /// The vectors of the reverse chain, `[steps + 1, d]`.
    ///
    /// The start on the sphere is first, then the vector after each step; the last row is the user vector.
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
