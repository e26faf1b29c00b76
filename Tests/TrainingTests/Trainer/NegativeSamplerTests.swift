import Foundation
import Kernels
import Testing
import Training

@Suite("Negative sampler") struct NegativeSamplerTests {
    private static let items = 40
    private let sequences = randomSequences(users: 25, items: items, longest: 30, seed: 8)
    private var sampler: NegativeSampler { NegativeSampler(sequences: sequences, items: Self.items, seed: 3) }

    @Test("knows each user's distinct items") func userItems() {
        for user in 0..<sequences.count {
            #expect(Array(sampler.items(of: user)) == Set(sequences[user]).sorted())
        }
    }

    @Test("private negatives are never the user's items") func disjoint() throws {
        let users = Array(0..<sequences.count)
        let negatives = try sampler.privateNegatives(streams: users.map { UInt64($0) }, users: users, count: 50)
        #expect(negatives.count == users.count * 50)
        for user in users {
            let own = Set(negatives[user * 50..<(user + 1) * 50])
            #expect(own.isDisjoint(with: sequences[user]))
            #expect(own.allSatisfy { 0..<Int32(Self.items) ~= $0 })
        }
    }

    @Test("private negatives are uniform over the other items", arguments: 0..<6)
    func uniform(user: Int) throws {
        let free = Self.items - Set(sequences[user]).count
        let draws = 500 * free
        let negatives = try sampler.privateNegatives(streams: [9], users: [user], count: draws)
        var counts = [Int](repeating: 0, count: Self.items)
        for item in negatives { counts[Int(item)] += 1 }
        for item in 0..<Int32(Self.items) {
            // Six standard deviations around 500.
            let expected = sequences[user].contains(item) ? 0...0 : 366...634
            #expect(expected.contains(counts[Int(item)]), "item \(item)")
        }
    }

    @Test("draws depend on seed and stream, not on the division of a batch") func sharding() throws {
        let streams: [UInt64] = [5, 900, 17, 44, 5_000_000]
        let users = [3, 1, 4, 1, 5]
        func draws(_ range: Range<Int>, _ sampler: NegativeSampler) throws -> [Int32] {
            try sampler.privateNegatives(streams: Array(streams[range]), users: Array(users[range]), count: 10)
        }
        let whole = try draws(0..<5, sampler)
        #expect(try whole == draws(0..<2, sampler) + draws(2..<5, sampler))
        let other = NegativeSampler(sequences: sequences, items: Self.items, seed: 4)
        #expect(try whole != draws(0..<5, other))
        #expect(whole[10..<20] != whole[30..<40], "two rows of one user draw apart")
    }

    @Test("a user with nearly all items gets negatives, a user with all items is an error") func exhausted() throws {
        let all = Array(0..<Int32(Self.items))
        let sampler = NegativeSampler(
            sequences: RaggedRows([all.filter { $0 != 23 }, all]),
            items: Self.items,
            seed: 1
        )
        #expect(
            try sampler.privateNegatives(streams: [0], users: [0], count: 5) == [23, 23, 23, 23, 23]
        )
        #expect(throws: NegativeSamplingError.noItemLeft(user: 1, items: Self.items)) {
            try sampler.privateNegatives(streams: [0, 1], users: [0, 1], count: 5)
        }
    }

    @Test("the pool is uniform and depends on seed and step") func pool() {
        let pool = sampler.uniformPool(step: 2, count: 500 * Self.items).items
        var counts = [Int](repeating: 0, count: Self.items)
        for item in pool { counts[Int(item)] += 1 }
        #expect(counts.allSatisfy { (366...634).contains($0) }, "\(counts)")
        #expect(sampler.uniformPool(step: 2, count: 64).items == Array(pool[..<64]))
        #expect(sampler.uniformPool(step: 3, count: 64).items != Array(pool[..<64]))
    }

    /// With the correction, the mean of a pool's sums is the sum over all items.
    @Test("corrections make a uniform pool estimate the sum over the catalogue", arguments: [1, 3, 16])
    func corrections(count: Int) {
        func weight(_ item: Int32) -> Double { 1 + Double(item % 7) }
        let all = (0..<Int32(Self.items)).reduce(0.0) { $0 + weight($1) }
        let draws = 40_000 / count
        let mean =
            (0..<draws).reduce(0.0) { sum, step in
                let pool = sampler.uniformPool(step: step, count: count, isCorrected: true)
                return sum + zip(pool.items, pool.corrections ?? []).reduce(0) { $0 + weight($1.0) * exp(Double($1.1)) }
            } / Double(draws)
        // The correction counts V - 1 other items where uniform draws have V: 2.5 percent here.
        #expect(abs(mean / all - 1) < 0.04, "\(mean) for \(all)")
    }

    @Test("masked columns equal a membership scan", arguments: [0, 1, 16, 300])
    func masks(count: Int) {
        let pool = sampler.uniformPool(step: 1, count: count).items
        let users = [0, 7, 3, 7, 24, 11]
        let targets: [Int32] = [0, 5, 11, 39, 20, 20]
        let masked = sampler.maskedColumns(SharedPool(items: pool), users, targets)
        #expect(masked.count == users.count)
        for row in users.indices {
            let hidden = pool.indices.filter { sequences[users[row]].contains(pool[$0]) || pool[$0] == targets[row] }
            #expect(masked[row].sorted() == hidden.map(Int32.init))
        }
        let full = sampler.maskedColumns(users, targets)
        for row in users.indices {
            #expect(full[row].sorted() == Set(sequences[users[row]]).union([targets[row]]).sorted())
        }
    }
}
