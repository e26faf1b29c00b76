import Kernels
import Testing

@Suite("DistinctIDs") struct DistinctIDsTests {
    @Test(
        "numbers follow the first occurrence, however many ids come and from whatever range",
        arguments: [
            1, 3, 100, 5_000, Int(Int32.max),
        ]
    )
    func numbers(range: Int) {
        let random = CounterBasedGenerator(seed: 7, purpose: .simulation)
        var distinct = DistinctIDs()
        var expected: [Int32: Int32] = [:]
        for stream in 0..<4 {
            let ids = random.integers(below: range, stream: UInt64(stream), count: 700)
            let numbers = ids.map { id in
                if expected[id] == nil { expected[id] = Int32(expected.count) }
                return expected[id]
            }
            #expect(distinct.numbers(of: ids) == numbers)
        }
        #expect(distinct.ids.count == expected.count)
        #expect(distinct.ids.enumerated().allSatisfy { expected[$0.element] == Int32($0.offset) })
    }

    @Test("ids that share their low or high bits stay apart")
    func regularIDs() {
        for step in [1, 2, 1 << 8, 1 << 16, 1 << 20] {
            let ids = (0..<1_000).map { Int32(truncatingIfNeeded: $0 * step) }
            var distinct = DistinctIDs()
            let numbers = distinct.numbers(of: ids)
            #expect(numbers.indices.allSatisfy { distinct.ids[Int(numbers[$0])] == ids[$0] })
            #expect(Set(distinct.ids).count == distinct.ids.count)
        }
        var distinct = DistinctIDs()
        #expect(distinct.numbers(of: [.min, .max, -1, 0, .min]) == [0, 1, 2, 3, 0])
    }
}
