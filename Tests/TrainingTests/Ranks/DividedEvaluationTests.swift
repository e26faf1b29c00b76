import Autodiff
import Kernels
import Recommenders
import Testing
import Training

@Suite("Validation with a divided item table") struct DividedEvaluationTests {
    private static let items = 40_000

    /// A model whose user vectors are the means of their items, so that an item of the history ranks high.
    private static func model(_ share: RowShare) -> DNN {
        var configuration = DNN.Configuration()
        (configuration.dimension, configuration.historyLength) = (32, 3)
        var model = DNN(configuration, items: items, seed: 5, share: share)
        var identity = Matrix(rows: 32, columns: 32)
        for i in 0..<32 { identity[i, i] = 1 }
        model.parameters["output"] = identity
        return model
    }

    /// Three items and one of them again; some items are unknown.
    private static func evaluator() -> Evaluator {
        let numbers = CounterBasedGenerator(seed: 3, purpose: .simulation)
        let sequences = (0..<600).map { user -> [Int32] in
            let items = numbers.integers(below: items, stream: UInt64(user), count: 3)
            return switch user % 10 {
            case 0: [-1, items[0]]
            case 1: items + [-1]
            case 2: [-1, items[0], items[0]]
            default: items + [items[user % 3]]
            }
        }
        let part = DataPart(userIDs: (0..<600).map { "u\($0)" }, sequences: RaggedRows(sequences), targets: .last)
        return Evaluator(
            rows: EvaluationRows(part, protocol: .lastItem),
            historyLength: 3,
            popularity: PopularityPredictor(sequences: RaggedRows(sequences.filter { !$0.contains(-1) }), items: items)
        )
    }

    @Test("the metrics are those of the whole table", arguments: [1, 2, 3])
    func equal(count: Int) throws {
        #expect(ItemSpace.blocks(of: Self.items).count > 1)
        let evaluator = Self.evaluator()
        let expected = evaluator.evaluate(Self.model(.all), readOut: .served, noiseSeed: 1).metrics
        #expect(0.1...0.9 ~= expected.hitRate(at: 10) && expected.hitRate(at: 50) > expected.hitRate(at: 10) + 0.05)
        let found = try onRanks(count) { ranks, communicator in
            let tables = try TablePlacement(
                dividedOver: ranks,
                of: Self.model(.all),
                Recipe(),
                items: Self.items
            )
            let own = Self.model(RowShare(first: communicator.rank, of: count))
            let metrics = try evaluator.metrics(of: own, noiseSeed: 1, on: tables)
            return (metrics, try ranks.traffic())
        }
        for (metrics, traffic) in found {
            #expect(metrics == expected)
            // Every rank gets all rows of the others, and a few more for the histories.
            let table = 4 * Self.items * 32 * (count - 1)
            #expect(traffic.bytes == 0 && table...table * 11 / 10 ~= traffic.validationBytes)
        }
    }

    @Test("ranks with all rows get the same metrics without exchanging any", arguments: [1, 2])
    func whole(count: Int) throws {
        let evaluator = Self.evaluator()
        let expected = evaluator.evaluate(Self.model(.all), readOut: .served, noiseSeed: 1).metrics
        let found = try onRanks(count) { ranks, _ in
            (
                try evaluator.metrics(of: Self.model(.all), noiseSeed: 1, on: TablePlacement(on: ranks)),
                try ranks.traffic().validationBytes
            )
        }
        #expect(found.allSatisfy { $0.0 == expected && $0.1 == 0 })
    }
}
