/// Turns a history into one user vector: guidance, then the reverse diffusion chain.
///
/// An encoder is immutable and shared by all event loops; what a call writes lies in a workspace that belongs to one loop,
/// so that the steady state allocates nothing.
public protocol UserEncoder: Sendable {
    /// Length of the user vector, the same as of an item vector.
    var dimension: Int { get }

    /// `T`, the most reverse steps there are.
    var maxSteps: Int { get }

    /// `N`, how many of the newest items of a history matter.
    var historyLength: Int { get }

    /// Room for one call at a time; a workspace serves only the encoder that made it.
    func makeWorkspace() -> any InferenceWorkspace

    /// Computes the user vector of a history into `workspace.userVector`.
    ///
    /// The vector is a pure function of the other arguments: not of the thread, of earlier calls or of what else runs.
    ///
    /// - Parameters:
    ///   - history: Item numbers, oldest first, 1 to `historyLength` of them, each below the number of items.
    ///   - seed: Names the noise of the reverse chain.
    ///   - steps: How many reverse steps, 1 to `maxSteps`.
    ///   - workspace: One that `makeWorkspace` of this encoder made.
    /// - Returns: How long the stages took.
    func encode(
        history: ArraySlice<Int32>,
        seed: UInt64,
        steps: Int,
        in workspace: any InferenceWorkspace
    ) -> EncodeTimes
}

/// The reusable buffers of one encoder on one event loop.
public protocol InferenceWorkspace: AnyObject {
    /// The last call's answer, as long as the encoder's `dimension`.
    var userVector: [Float] { get }
}

/// How long the stages of one encoding took, in nanoseconds.
public struct EncodeTimes: Sendable, Equatable {
    /// From the history to the guidance.
    public var guidance: UInt64
    /// All reverse steps.
    public var diffusion: UInt64

    /// Groups the times.
    public init(guidance: UInt64, diffusion: UInt64) {
        self.guidance = guidance
        self.diffusion = diffusion
    }
}

/// How long the stages of one request took, in nanoseconds.
public struct StageTimes: Sendable, Equatable {
    /// Reading the request's JSON.
    public var parse: UInt64 = 0
    /// From the history to the guidance, looking up the ids included.
    public var guidance: UInt64 = 0
    /// All reverse steps.
    public var diffusion: UInt64 = 0
    /// Finding the nearest items.
    public var search: UInt64 = 0
    /// Writing the answer's JSON.
    public var encode: UInt64 = 0

    /// All zero.
    public init() {}
}
