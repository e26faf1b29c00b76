import Kernels
import Recommenders

/// The forward pass of a closed-form system, whose user vectors are the scores of all items.
///
/// It copies the initial scores and adds to some of them, without an allocation once its buffers are large enough.
struct ScoringEncoder: UserEncoder {
    /// The same bound as for a heavy request in ``RetrievalService``.
    private static let slow = Duration.microseconds(250)

    private let model: any ScoringRecommender
    private let initial: [Float]
    /// Whether one user with a full history would hold an event loop for too long.
    private(set) var isSlow = false

    /// An encoder of a model of a catalogue of `items` items, at least one.
    ///
    /// - Throws: ``SnapshotError`` when the model has another number of items: the probe below asks it about some.
    init(_ model: any ScoringRecommender, items: Int) throws(SnapshotError) {
        self.model = model
        initial = model.initialScores
        guard initial.count == items else {
            throw .countMismatch(part: "the number of item vectors", expected: items, found: initial.count)
        }
        let workspace = Workspace()
        let history = (0..<model.historyLength).map { Int32($0 % items) }
        // The first user also makes the buffers.
        let times = (0..<3).map { _ in
            workspace.removeAll()
            return ContinuousClock().measure {
                add(history: history[...], seed: 0, steps: 1, samples: 1, to: workspace)
            }
        }
        isSlow = times.dropFirst().allSatisfy { $0 > Self.slow }
    }

    /// The number of items: a user vector has a score for each.
    var dimension: Int { initial.count }

    /// Scores need no reverse step; requests may ask for one.
    var maxSteps: Int { model.reverseSteps }

    /// N.
    var historyLength: Int { model.historyLength }

    func makeWorkspace() -> any InferenceWorkspace { Workspace() }

    private final class Workspace: InferenceWorkspace {
        private(set) var userVectors: [Float] = []
        private var scratch = ScoringScratch()

        func removeAll() { userVectors.removeAll(keepingCapacity: true) }

        func add(_ initial: [Float], _ history: ArraySlice<Int32>, _ model: any ScoringRecommender) {
            let start = userVectors.count
            userVectors.append(contentsOf: initial)
            model.add(history, to: &userVectors, from: start, &scratch)
        }

        /// Adds the last `count` scores once more.
        func repeatLast(_ count: Int) {
            userVectors.append(contentsOf: userVectors[(userVectors.count - count)...])
        }
    }

    /// Adds a user, whose scores depend neither on the noise nor on the steps.
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
        guard let workspace = workspace as? Workspace else {
            preconditionFailure("a workspace of another encoder: \(type(of: workspace))")
        }
        workspace.add(initial, history, model)
        for _ in 1..<samples { workspace.repeatLast(dimension) }
    }

    /// Nothing is left to compute: ``add(history:seed:steps:samples:to:)`` wrote the scores.
    func generate(in workspace: any InferenceWorkspace) {}

    /// The scores as the only interest, and a path of one place.
    func trace(history: ArraySlice<Int32>, seed: UInt64, steps: Int) -> UserTrace {
        let workspace = Workspace()
        workspace.add(initial, history, model)
        let scores = Matrix(rows: 1, columns: dimension, elements: workspace.userVectors)
        return UserTrace(interests: scores, path: scores)
    }
}
