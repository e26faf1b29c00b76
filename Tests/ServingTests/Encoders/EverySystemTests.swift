import Autodiff
import CheckpointStore
import Foundation
import Kernels
import Recommenders
import Serving
import TestSupport
import Testing
import Training
import VectorIndex

/// Each system of the registry serves the items that it scores highest.
@Suite("every system serves") struct EverySystemTests {
    static let names = ModelRegistry.systems.map { $0.system }
    private static let items = 60
    private static let sequences = (0..<40).map { user in
        (0..<12).map { Int32((user * 7 + $0 * ($0 + user % 5)) % items) }
    }

    /// A model with the system's defaults, fresh or fitted to made-up sequences.
    private func model(_ name: String) throws -> (any Recommender, Recipe) {
        let recipe = Recipe(try ModelRegistry.system(named: name))
        func fresh<Model: TrainedRecommender>(_ system: Model.Type) -> any Recommender {
            Model(Model.own(recipe.configuration), items: Self.items, seed: 3)
        }
        func fitted<Model: FittedRecommender>(_ system: Model.Type) throws -> any Recommender {
            try Model(Model.own(recipe.configuration), fitting: RaggedRows(Self.sequences), items: Self.items)
        }
        let system = try ModelRegistry.system(named: name)
        if let system = system as? any FittedRecommender.Type { return (try fitted(system), recipe) }
        let trained = try #require(system as? any TrainedRecommender.Type)
        return (fresh(trained), recipe)
    }

    private func checkpoint(_ model: any Recommender, _ recipe: Recipe, _ counts: CountScores? = nil) throws
        -> Checkpoint
    {
        let space = SearchSpace(model.itemSpace)
        let index: any VectorIndex =
            model.itemSpace.vectors == nil
            ? ScoreIndex(count: space.dimension) : try IndexFormat.build(vectors: space.items)
        return Checkpoint(
            manifest: CheckpointManifest(
                model: "m",
                system: recipe.system,
                recipe: recipe.json,
                seed: 1,
                build: "test",
                dimension: space.dimension,
                items: Self.items,
                trainRows: 1,
                seconds: 1,
                metrics: [:],
                data: DataFingerprint(split: "users", splitSeed: 1, digests: [:])
            ),
            parameters: CountedRecommender(model, counts: counts).matrices,
            catalogue: Catalogue(ids: (0..<Self.items).map { "i\($0)" }),
            popularity: (0..<Int32(Self.items)).map(\.self),
            index: index.serialised()
        )
    }

    @Test("parameters for another number of items are rejected before the model runs", arguments: names, [0, 1, 59])
    func refusesOtherItems(name: String, count: Int) throws {
        let (model, recipe) = try model(name)
        var checkpoint = try checkpoint(model, recipe)
        // Every parameter with one row an item has this many rows.
        for (parameter, matrix) in checkpoint.parameters where matrix.rows == Self.items {
            checkpoint.parameters[parameter] = matrix.rows(0..<count)
        }
        if name == SessionKNN.system {
            checkpoint.parameters["sessions.items"] = Matrix(rows: 0, columns: 1)
            checkpoint.parameters["sessions.lengths"] = Matrix(rows: 0, columns: 1)
        }
        if let numbers = checkpoint.parameters["neighbours"] ?? checkpoint.parameters["followers"] {
            let none = Matrix(rows: numbers.rows, columns: numbers.columns, repeating: -1)
            checkpoint.parameters[checkpoint.parameters["neighbours"] == nil ? "followers" : "neighbours"] = none
        }
        let part = "the number of item vectors"
        #expect(throws: SnapshotError.countMismatch(part: part, expected: Self.items, found: count)) {
            try SnapshotBuilder.standard(warmUpRequests: 1).build(checkpoint, generation: 1)
        }
    }

    @Test("the best items by its own scores, also several at once, filtered and re-ranked", arguments: names)
    func servesItsBest(name: String) throws {
        let (model, recipe) = try model(name)
        let snapshot = try SnapshotBuilder.standard(warmUpRequests: 4)
            .build(try checkpoint(model, recipe), generation: 1)
        let service = service(snapshot)
        let histories: [[Int32]] = [[3], [5, 9, 14, 2], [7, 7, 30, 59, 0, 12, 44]]
        var request = RetrievalRequest(history: [], k: 10)
        request.excludeHistory = false
        request.seed = 11
        let requests = histories.map { history in
            var request = request
            request.history = IdentifierList(history.map { "i\($0)" })
            return request
        }
        #expect(service.isHeavy(requests[0]) == snapshot.encoder.isSlow)
        // The denoiser runs 500 steps for each user.
        if name == "dreamrec" { #expect(snapshot.encoder.isSlow) }
        let workspace = RetrievalWorkspace()
        let together = service.retrieve(requests, workspace: workspace)
        for (place, history) in histories.enumerated() {
            let response = try service.retrieve(requests[place], workspace: workspace)
            let users = model.servedVectors(
                RaggedRows([Array(history.suffix(model.historyLength))]),
                noise: NoiseSource(seed: 11, streams: [0]),
                steps: model.reverseSteps
            )
            let scores = model.itemSpace.scores(of: users).row(0)
            let answered = response.items.map { scores[Int($0.id)] }
            let best = scores.sorted(by: >).prefix(10)
            for (ours, theirs) in zip(answered, best) {
                #expect(abs(ours - theirs) <= 1e-4 * max(1, abs(theirs)), "\(name): \(answered) for \(best)")
            }
            #expect(try together[place].get().items == response.items)
        }
        var diverse = requests[1]
        diverse.diversity = 0.5
        diverse.excludeHistory = true
        let reranked = try service.retrieve(diverse, workspace: workspace).items
        #expect(reranked.count == 10)
        #expect(!reranked.contains { histories[1].contains($0.id) })
    }

    @Test("the best items by the sum of its own scores and counts", arguments: names)
    func servesCounts(name: String) throws {
        let (model, recipe) = try model(name)
        guard model.itemSpace.vectors != nil else { return }
        let histories: [[Int32]] = [[3], [5, 9, 14, 2], [7, 7, 30, 59, 0, 12, 44]]
        func scores(_ history: [Int32]) -> Matrix {
            let known = RaggedRows([Array(history.suffix(model.historyLength))])
            let users = model.userVectors(known, noise: NoiseSource(seed: 11, streams: [0]), readOut: .served)
            return model.itemSpace.scores(of: users)
        }
        // Weights in units of the system's own scores, so that both parts matter.
        let unit = scores(histories[1]).elements.reduce(0) { max($0, abs($1)) }
        var counts = CountScores(counting: RaggedRows(Self.sequences), items: Self.items, CountConfiguration())
        counts.weights = countTerms(0.2, -0.02, 0.3, 0.05, -0.6, 0.4, 0.1, -0.05, 0.02, -0.03, 0.04, 0.1) * unit
        counts.slopes = CountScores.Slopes(repeated: 0.7, followed: -0.05, near: -0.02)
        let snapshot = try SnapshotBuilder.standard(warmUpRequests: 4)
            .build(try checkpoint(model, recipe, counts), generation: 1)
        for history in histories {
            var request = RetrievalRequest(history: history.map { "i\($0)" }, k: 10)
            request.excludeHistory = false
            request.seed = 11
            let answer = try service(snapshot).retrieve(request, workspace: RetrievalWorkspace()).items
            var expected = scores(history)
            let own = expected.elements
            counts.add(to: &expected, histories: RaggedRows([history]))
            #expect(expected.elements != own)
            for (found, best) in zip(answer, expected.elements.sorted(by: >)) {
                #expect(abs(expected[0, Int(found.id)] - best) <= 2e-4 * max(unit, abs(best)), "\(name)")
            }
        }
    }
}
