import Kernels
import Recommenders

/// Any system's own forward pass, user by user.
///
/// General rather than fast: it runs the operations that training records, and allocates as they do.
struct RecommenderEncoder: UserEncoder {
    private let model: any Recommender
    private let space: SearchSpace
    /// How many vectors a sample of a user has.
    let vectorsPerSample: Int
    /// Whether one user with a full history would hold an event loop for too long.
    let isSlow: Bool
    /// The same bound as for a heavy request in ``RetrievalService``.
    private static let slow = Duration.microseconds(250)

    /// An encoder of a model of a catalogue of `items` items, at least one.
    ///
    /// - Throws: ``SnapshotError`` when the model has another number of items: the probes below ask it about item 0.
    init(_ model: any Recommender, items: Int) throws(SnapshotError) {
        self.model = model
        space = SearchSpace(model.itemSpace)
        guard space.items.rows == items else {
            throw .countMismatch(part: "the number of item vectors", expected: items, found: space.items.rows)
        }
        let probe = NoiseSource(seed: 0, streams: [0])
        let history = RaggedRows([[Int32](repeating: 0, count: model.historyLength)])
        vectorsPerSample = model.userVectors(history, noise: probe, readOut: .served).perUser
        isSlow =
            ContinuousClock().measure { _ = model.userVectors(history, noise: probe, readOut: .served) } > Self.slow
    }

    /// Unit vectors of the items, `[V, dimension]`, or `[V, 0]` where user vectors are scores.
    var items: Matrix { space.items }

    /// A score of the search is a score of the model times this factor.
    var scale: Float { space.scale }

    /// Length of a query.
    var dimension: Int { space.dimension }

    /// T.
    var maxSteps: Int { model.reverseSteps }
    var defaultSteps: Int { model.servedSteps }

    /// N.
    var historyLength: Int { model.historyLength }

    func makeWorkspace() -> any InferenceWorkspace { Workspace() }

    private final class Workspace: InferenceWorkspace {
        var userVectors: [Float] = []
        var users: [(history: [Int32], seed: UInt64, steps: Int, samples: Int)] = []

        func removeAll() {
            userVectors.removeAll(keepingCapacity: true)
            users.removeAll(keepingCapacity: true)
        }
    }

    func add(
        history: ArraySlice<Int32>,
        seed: UInt64,
        steps: Int,
        samples: Int,
        to workspace: any InferenceWorkspace
    ) {
        precondition(
            1...historyLength ~= history.count && 1...maxSteps ~= steps && samples >= 1,
            "\(history.count) items of 1...\(historyLength), \(steps) steps of 1...\(maxSteps), \(samples) samples"
        )
        own(workspace).users.append((Array(history), seed, steps, samples))
    }

    func generate(in workspace: any InferenceWorkspace) {
        let workspace = own(workspace)
        workspace.userVectors.removeAll(keepingCapacity: true)
        for user in workspace.users {
            let vectors = queries(user.history, seed: user.seed, steps: user.steps, samples: user.samples)
            workspace.userVectors.append(contentsOf: vectors.elements)
        }
    }

    /// The user vectors as interests, and a path of one place: the first of them.
    func trace(history: ArraySlice<Int32>, seed: UInt64, steps: Int) -> UserTrace {
        let vectors = queries(Array(history), seed: seed, steps: steps, samples: 1)
        return UserTrace(interests: vectors, path: vectors.rows(0..<1))
    }

    private func queries(_ history: [Int32], seed: UInt64, steps: Int, samples: Int) -> Matrix {
        let noise = NoiseSource(seed: seed, streams: (0..<UInt64(samples)).map(\.self))
        let histories = RaggedRows([[Int32]](repeating: history, count: samples))
        let users = model.servedVectors(histories, noise: noise, steps: steps)
        return space.queries(users.rows)
    }

    private func own(_ workspace: any InferenceWorkspace) -> Workspace {
        guard let own = workspace as? Workspace else {
            preconditionFailure("a workspace of another encoder: \(type(of: workspace))")
        }
        return own
    }
}
