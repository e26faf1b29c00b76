import Dispatch
public import Kernels

/// The vectors of one user, with the snapshot that computed them.
public struct UserEmbedding: Sendable {
    /// The snapshot.
    public let snapshot: ServingSnapshot
    /// The user vectors that searches use, `[samples * vectors of a sample, d]`; no rows if no item of the history is
    /// known.
    public let vectors: Matrix
    /// The interests that guide the reverse chain, `[K, d]`, or the user vectors of a system without a chain.
    public let interests: Matrix
    /// How many ids of the history are not in the catalogue.
    public let unknownIDs: Int
    /// The seed that was used.
    public let seed: UInt64
    /// The number of reverse steps that were used.
    public let steps: Int
    /// How long the stages took.
    public let times: StageTimes
}

extension RetrievalService {
    /// Computes the vectors of a request's user instead of an answer.
    ///
    /// The vectors are those with which ``retrieve(_:workspace:)`` searches: the same history, version, seed and steps
    /// give the same vectors, bit for bit. Item vectors of the version have the same length.
    ///
    /// - Parameters:
    ///   - request: Its history, model, user, seed, steps and samples count; a blend's leading model answers.
    ///   - workspace: The calling thread's workspace.
    /// - Returns: The vectors and the interests.
    /// - Throws: ``RetrievalError``; a model without item vectors has no user vectors either.
    public func embed(
        _ request: borrowing RetrievalRequest,
        workspace: RetrievalWorkspace
    ) throws(RetrievalError) -> UserEmbedding {
        let arm = arm(on: try holder.current.route(to: request.model), for: request).arm
        let snapshot = arm.snapshot
        guard snapshot.hasItemVectors else {
            let message = "is '\(snapshot.model)', which scores all items and has no vectors; name another model."
            throw .invalidArgument(field: "model", message: message)
        }
        try check(request, for: snapshot)
        workspace.begin(snapshot)
        var user = prepare(request, for: snapshot, workspace)
        user.times.diffusion = workspace.generate(with: snapshot.encoder)
        let vectors = workspace.vectors(of: user, dimension: snapshot.encoder.dimension)
        guard vectors.elements.allSatisfy(\.isFinite) else {
            arm.statistics.countFailure()
            throw .nonFiniteUserVector(model: snapshot.model, version: snapshot.version)
        }
        return UserEmbedding(
            snapshot: snapshot,
            vectors: vectors,
            interests: vectors.rows > 0 ? workspace.interests(from: snapshot.encoder) : vectors,
            unknownIDs: user.unknownIDs,
            seed: user.seed,
            steps: user.steps,
            times: user.times
        )
    }
}
