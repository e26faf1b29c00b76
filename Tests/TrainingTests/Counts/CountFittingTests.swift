import CheckpointStore
import Foundation
import Kernels
import Recommenders
import TestSupport
import Testing
import Training

@Suite("Fitting of counts") struct CountFittingTests {
    private static let generator = CounterBasedGenerator(seed: 5, purpose: .simulation)

    /// Weights of the lanes that have terms.
    private static func weights(_ values: Double...) -> LinearSoftmax.Weights {
        var weights = LinearSoftmax.Weights.zero
        for (lane, value) in values.enumerated() { weights[lane] = value }
        return weights
    }

    /// Rows of candidates with normal terms, and targets drawn with given weights.
    private func samples(_ weights: LinearSoftmax.Terms, rows: Int, candidates: Int) -> [LinearSoftmax.Sample] {
        (0..<rows).map { row in
            var sample = LinearSoftmax.Sample()
            let normals = Self.generator.normals(stream: UInt64(row), count: LinearSoftmax.lanes * candidates)
            for place in 0..<candidates {
                var terms = LinearSoftmax.Terms.zero
                for lane in 0..<LinearSoftmax.lanes { terms[lane] = normals[LinearSoftmax.lanes * place + lane] }
                sample.terms.append(terms)
                sample.offsets.append(0)
            }
            let shares = sample.terms.map { exp(Double(($0 * weights).sum())) }
            var left = Self.generator.uniforms(stream: UInt64(1_000_000 + row), count: 1)[0] * shares.reduce(0, +)
            sample.target =
                shares.firstIndex { share in
                    left -= share
                    return left <= 0
                } ?? 0
            return sample
        }
    }

    @Test("the derivatives of the loss are those of differences") func derivatives() {
        var few = samples(.zero, rows: 5, candidates: 7)
        few[1].offsets[3] = 2
        let softmax = LinearSoftmax(few)
        let weights = Self.weights(0.3, -0.2, 0.1, 0.5, -0.4, 0.2, 0, 1, -0.3, 0.2, -0.1, 0.4, 0.1, -0.2, 0.3, 0.2)
        let (loss, step) = (softmax.loss(weights), 1e-2)
        for lane in 0..<LinearSoftmax.lanes {
            var (up, down) = (weights, weights)
            up[lane] += step
            down[lane] -= step
            let (above, below) = (softmax.loss(up), softmax.loss(down))
            #expect(abs((above.value - below.value) / (2 * step) - loss.gradient[lane]) < 5e-3)
            for other in 0..<LinearSoftmax.lanes {
                let change = (above.gradient[other] - below.gradient[other]) / (2 * step)
                #expect(abs(change - loss.curvature[lane][other]) < 5e-3)
            }
        }
    }

    @Test("the weights that drew the targets are found, and a held weight stays") func recovery() {
        let truth = LinearSoftmax.Terms(Self.weights(1, -0.5, 0.3, 0, 2, -1, 0.2, 1, 0.6))
        let softmax = LinearSoftmax(samples(truth, rows: 4000, candidates: 12))
        var weights = LinearSoftmax.Weights.zero
        var free = SIMDMask<LinearSoftmax.Weights.MaskStorage>(repeating: true)
        softmax.maximise(&weights, free: free, prior: (.zero, 1e-6))
        for lane in 0..<LinearSoftmax.lanes { #expect(abs(weights[lane] - Double(truth[lane])) < 0.15, "lane \(lane)") }
        weights[4] = 0
        free[4] = false
        softmax.maximise(&weights, free: free, prior: (.zero, 1e-6))
        #expect(weights[4] == 0)
        let gradient = softmax.loss(weights).gradient
        for lane in 0..<LinearSoftmax.lanes where lane != 4 { #expect(abs(gradient[lane]) < 2) }
    }

    /// Users who go round a ring of items, and sometimes come back to their first one.
    private static func data(users: Int) throws -> TrainingData {
        var text = "user,item,timestamp\n"
        for user in 0..<users {
            let draws = generator.uniforms(stream: UInt64(5000 + user), count: 12)
            let start = Int(draws[0] * 40)
            for (place, draw) in draws.enumerated() {
                text += "u\(user),i\(draw < 0.2 ? start : (start + place) % 40),\(place)\n"
            }
        }
        return try withFile(text) { try TrainingData(events: $0, split: .users, seed: 1, items: nil) }
    }

    private static var recipe: Recipe {
        var recipe = Recipe(DimeRec.self)
        recipe.model.dimension = 8
        recipe.model.historyLength = 4
        recipe.model.steps = 2
        recipe.training.maxSteps = 20
        recipe.training.validateEvery = 10
        recipe.training.batchSize = 32
        recipe.counts.enabled = true
        return recipe
    }

    @Test("a training that learnt little is much better with counts, and its version stores them") func training()
        throws
    {
        let path = FileManager.default.temporaryDirectory.appending(path: "dimerec-\(UUID().uuidString).sqlite").path
        defer { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) } }
        let store = try CheckpointStore(path: path)
        let data = try Self.data(users: 400)
        var counted: [String: Double] = [:]
        var plain: [String: Double] = [:]
        let job = TrainingJob(recipe: Self.recipe, data: data, seed: 3, model: "m")
        let report = try job.run(
            store: store,
            resume: false,
            report: { event in
                switch event {
                case .validation(_, let metrics, let isBest): if isBest { plain = metrics }
                case .counts(let metrics, let areKept): if areKept { counted = metrics }
                case .step, .refit: break
                }
            }
        )
        #expect(counted["mrr@20", default: 0] > plain["mrr@20", default: 0] + 0.3)
        #expect(report?.progress.best == counted)
        let checkpoint = try store.load(model: "m")
        #expect(checkpoint.manifest.metrics == counted)
        let model = try Self.recipe.model(stored: checkpoint.parameters, items: data.catalogue.count)
        let counts = try #require(model.counts)
        #expect(counts.weights != .zero && Set(model.matrices.keys) == Set(checkpoint.parameters.keys))
        let evaluator = Evaluator(
            rows: EvaluationRows(data.split.validation, protocol: Self.recipe.data.evaluation),
            limit: Self.recipe.data.validationRows,
            historyLength: 4,
            popularity: PopularityPredictor(sequences: data.split.train.sequences, items: data.catalogue.count)
        )
        // The weights are those of the training part, and the counts those of both parts.
        func counting(_ sequences: RaggedRows) -> CountScores {
            var other = CountScores(counting: sequences, items: data.catalogue.count, Self.recipe.counts)
            if counts == counts.withoutPopularItems() { other = other.withoutPopularItems() }
            (other.weights, other.slopes) = (counts.weights, counts.slopes)
            return other
        }
        #expect(counts == counting(data.split.sequencesBeforeTest))
        let fitted = counting(data.split.train.sequences)
        let readOuts = evaluator.readOuts(
            of: CountedRecommender(model.system, counts: fitted),
            noiseSeed: Evaluator.validationNoiseSeed
        )
        #expect(readOuts[0].name == "served" && readOuts[0].result.metrics.values == counted)
        #expect(readOuts[1].name == "without-counts" && readOuts[1].result.metrics.values == plain)
    }

    @Test("a user of both files keeps both sequences, unless the later one continues the earlier one")
    func sharedUsers() {
        func part(_ sequences: [[Int32]]) -> DataPart {
            DataPart(userIDs: sequences.indices.map { "u\($0)" }, sequences: RaggedRows(sequences))
        }
        let split = DataSplit(
            train: part([[1, 2], [3, 4], [5]]),
            validation: part([[1, 2, 3], [4, 5]]),
            test: DataPart(nil)
        )
        #expect(split.sequencesBeforeTest == RaggedRows([[3, 4], [5], [1, 2, 3], [4, 5]]))
    }

    @Test("the events before the test part have one sequence a user", arguments: SplitKind.allCases)
    func eventsBeforeTest(split: SplitKind) throws {
        let text = (0..<40).map { user in
            (0...user % 5).map { "u\(user),i\(user + $0),\(10 * user + $0)\n" }.joined()
        }
        let data = try withFile("user,item,timestamp\n" + text.joined()) {
            try TrainingData(events: $0, split: split, seed: 1, items: nil)
        }
        var expected: [[Int32]] = []
        for (user, id) in data.split.train.userIDs.enumerated() {
            let later = data.split.validation.userIDs.firstIndex(of: id)
            if later == nil || split != .leaveOneOut { expected.append(Array(data.split.train.sequences[user])) }
        }
        let later = data.split.validation.sequences
        expected += (0..<later.count).map { Array(later[$0]) }
        #expect(data.split.sequencesBeforeTest == RaggedRows(expected))
        let tested = Set(data.split.test.userIDs)
        if split != .leaveOneOut { #expect(tested.isDisjoint(with: data.split.validation.userIDs)) }
    }

    @Test("with too few rows, counts stay away") func fewRows() throws {
        let data = try Self.data(users: 6)
        let rows = EvaluationRows(data.split.validation, protocol: .lastItem)
        let model = DimeRec(Self.recipe.model, items: data.catalogue.count, seed: 1)
        let counts = CountScores(
            counting: data.split.train.sequences,
            items: data.catalogue.count,
            CountConfiguration()
        )
        #expect(CountFitting(counts, rows: rows, model: model, noiseSeed: 1) == nil)
    }
}
