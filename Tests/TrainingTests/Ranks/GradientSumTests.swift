import Autodiff
import Kernels
import Synchronization
import Testing
import Training

@Suite("Sums of gradients over ranks") struct GradientSumTests {
    private static let parameters = ParameterSet([
        "bias": Matrix(rows: 1, columns: 3), "weights": Matrix(rows: 5, columns: 7),
        "items": Matrix(rows: 23, columns: 4), "rare": Matrix(rows: 2, columns: 2),
    ])

    /// Random gradients of a shard, of sizes so different that every order of additions rounds in another way.
    private static func shard(_ number: Int) -> ShardGradients {
        var numbers = SequentialGenerator(CounterBasedGenerator(seed: UInt64(number) + 40, purpose: .simulation))
        func matrix(_ rows: Int, _ columns: Int) -> Matrix {
            Matrix(
                rows: rows,
                columns: columns,
                elements: (0..<rows * columns).map { _ in
                    let size = Float.random(in: -1...1, using: &numbers)
                    let factors: [Float] = [1e-6, 1, 1e6, 0]
                    return size * (factors.randomElement(using: &numbers) ?? 1)
                }
            )
        }
        var gradients = Gradients()
        gradients.dense["weights"] = matrix(5, 7)
        gradients.dense["bias"] = matrix(1, 3)
        // Not every shard uses every parameter.
        if number % 3 == 1 { gradients.dense["rare"] = matrix(2, 2) }
        gradients.rows["items"] = [0, 3, 40].map { count in
            let rows = (0..<count).map { _ in Int32.random(in: 0..<23, using: &numbers) }
            return RowGradient(rows: rows, gradient: matrix(count, 4))
        }
        return ShardGradients(
            gradients: gradients,
            terms: [("softmax", Float.random(in: 0...1e4, using: &numbers)), ("guidance", 1e-5 * Float(number))]
        )
    }

    /// The bits of the sums, with the distinct rows of each table in the order of their numbers.
    private struct Bits: Equatable {
        var dense: [String: [UInt32]]
        var rows: [String: [Int32: [UInt32]]]
        var terms: [String]

        init(_ sum: ShardGradients) {
            dense = sum.gradients.dense.mapValues { $0.elements.map(\.bitPattern) }
            rows = [:]
            for name in sum.gradients.rows.keys {
                let merged = sum.gradients.merged(name)
                for (place, row) in merged.rows.enumerated() {
                    rows[name, default: [:]][row] = merged.gradient.row(place).map(\.bitPattern)
                }
            }
            terms = sum.terms.map { "\($0.name) \($0.value.bitPattern)" }
        }
    }

    @Test(
        "every rank gets the sum of a single process to the last bit",
        arguments: [1, 2, 3, 4, 7],
        [0, 1, 2, 3, 5, 8]
    )
    func sums(ranks: Int, shards: Int) throws {
        let all = (0..<shards).map(Self.shard)
        let expected = Bits(.sum(all))
        let sums = try onRanks(ranks) { ranks, communicator in
            let own = shards * communicator.rank / ranks.count..<shards * (communicator.rank + 1) / ranks.count
            return try ranks.sum(Array(all[own]), of: Self.parameters)
        }
        #expect(sums.count == ranks)
        for sum in sums {
            #expect(Bits(sum) == expected)
            #expect(sum.gradients.dense.allSatisfy { $0.value.shape == Self.parameters[$0.key].shape })
        }
    }

    @Test("another order of shards gives other bits, so the test above can fail") func orderMatters() {
        let all = (0..<5).map(Self.shard)
        #expect(Bits(.sum(all)) != Bits(.sum(all.reversed())))
    }

    @Test("the traffic is what ranks received from each other") func traffic() throws {
        let all = (0..<6).map(Self.shard)
        let received = try onRanks(3) { ranks, communicator in
            for _ in 0..<2 {
                let own = 2 * communicator.rank..<2 * communicator.rank + 2
                _ = try ranks.sum(Array(all[own]), of: Self.parameters)
            }
            let bytes = communicator.receivedBytes.load(ordering: .relaxed)
            return (bytes, try ranks.traffic())
        }
        let bytes = received.map(\.0).reduce(0, +)
        #expect(received.allSatisfy { $0.1.bytes == bytes && $0.1.steps == 2 })
        // Two thirds of 12 shards of 40 numbers and 43 rows of four, at least.
        #expect(bytes > 2 * 6 * 2 / 3 * (38 + 43 * 4) * 4)
    }

    @Test("a process alone exchanges nothing") func alone() throws {
        let (ranks, all) = (Ranks(), (0..<3).map(Self.shard))
        #expect(Bits(try ranks.sum(all, of: Self.parameters)) == Bits(.sum(all)))
        let traffic = try ranks.traffic()
        #expect(traffic.bytes == 0 && traffic.steps == 0)
    }
}
