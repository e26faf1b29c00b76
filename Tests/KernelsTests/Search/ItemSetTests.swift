import Kernels
import Testing

@Suite("ItemSet") struct ItemSetTests {
    private let generator = CounterBasedGenerator(seed: 11, purpose: .simulation)

    private func random(_ stream: UInt64, bound: Int, share: Double) -> Set<Int32> {
        let draws = generator.uniforms(stream: stream, count: bound)
        return Set((0..<Int32(bound)).filter { draws[Int($0)] < share })
    }

    @Test("agrees with Set", arguments: [1, 63, 64, 65, 127, 1000])
    func setAlgebra(bound: Int) {
        let (left, right) = (random(0, bound: bound, share: 0.3), random(1, bound: bound, share: 0.6))
        var union = ItemSet(left, bound: bound)
        var (difference, intersection) = (union, union)
        let other = ItemSet(right, bound: bound)
        union.formUnion(other)
        difference.subtract(other)
        intersection.formIntersection(other)
        for (ours, theirs) in [
            (union, left.union(right)), (difference, left.subtracting(right)),
            (intersection, left.intersection(right)),
        ] {
            #expect(Array(ours) == theirs.sorted())
            #expect(ours.count == theirs.count)
            #expect((0..<Int32(bound)).allSatisfy { ours.contains($0) == theirs.contains($0) })
        }
    }

    @Test("inserting and removing twice counts once; elements outside the bound are ignored")
    func counts() {
        var set = ItemSet(bound: 70)
        for element: Int32 in [69, 69, 0, 70, -1, .max, .min] { set.insert(element) }
        #expect(set.count == 2)
        #expect(!set.contains(70) && !set.contains(-1) && !set.contains(.min))
        for element: Int32 in [69, 69, 70, -1] { set.remove(element) }
        #expect(set.count == 1)
        #expect(Array(set) == [0])
    }

    @Test("a full set holds every element", arguments: [0, 1, 64, 100])
    func full(bound: Int) {
        let set = ItemSet(bound: bound, full: true)
        #expect(Array(set) == (0..<Int32(bound)).map { $0 })
        #expect(set.count == bound)
        #expect(set == ItemSet(0..<Int32(bound), bound: bound))
    }

    @Test(
        "a grown set has the same elements and room for more",
        arguments: [0, 1, 63, 64, 65, 200],
        [0, 1, 63, 64, 500]
    )
    func grows(bound: Int, growth: Int) {
        var set = ItemSet(bound: bound, full: true)
        set.grow(to: bound + growth)
        #expect(set == ItemSet(0..<Int32(bound), bound: bound + growth))
        for element in bound..<bound + growth { set.insert(Int32(element)) }
        #expect(set == ItemSet(bound: bound + growth, full: true))
    }
}
