import Kernels
import Testing
import VectorIndex

@Suite("ItemCategories") struct ItemCategoriesTests {
    private let generator = CounterBasedGenerator(seed: 3, purpose: .simulation)

    /// Category `c` has about one item in `c + 1`, so that the first are frequent and the last rare; some lists repeat.
    private func lists(items: Int, categories: Int) -> [[Int32]] {
        (0..<items).map { item in
            let draws = generator.uniforms(stream: UInt64(item), count: categories)
            let list = (0..<categories).filter { draws[$0] * Double($0 + 1) < 1 }.map { Int32($0) }
            return item % 5 == 0 ? [] : item % 3 == 0 ? list.reversed() + list : list
        }
    }

    @Test("filters agree with Set", arguments: [1, 64, 65, 1000], [1, 5, 80])
    func filters(items: Int, categories: Int) {
        let lists = lists(items: items, categories: categories)
        let index = ItemCategories(lists, itemCount: items, categoryCount: categories)
        #expect(index.itemCount == items && index.categoryCount == categories)
        let last = Int32(categories - 1)
        for anyOf in [nil, [], [0], [last], [0, last], [last, last], Array(0...last)] as [[Int32]?] {
            for noneOf in [[], [0], [last], [last / 2, last]] as [[Int32]] {
                let expected = (0..<items).filter { item in
                    (anyOf.map { !Set($0).isDisjoint(with: lists[item]) } ?? true)
                        && Set(noneOf).isDisjoint(with: lists[item])
                }
                let found = index.items(anyOf: anyOf, noneOf: noneOf)
                #expect(found.map { Int($0) } == expected)
                #expect(found.count == expected.count && found.bound == items)
            }
        }
    }

    @Test("an item's categories come ascending and once")
    func categories() {
        let lists = lists(items: 60, categories: 12)
        let index = ItemCategories(lists, itemCount: 60, categoryCount: 12)
        for (item, list) in lists.enumerated() {
            #expect(index.categories(of: Int32(item)).elementsEqual(Set(list).sorted()))
        }
    }

    @Test("a catalogue without categories")
    func none() {
        let index = ItemCategories([], itemCount: 3, categoryCount: 0)
        #expect(index.items(anyOf: nil, noneOf: []).count == 3)
        #expect(index.items(anyOf: [], noneOf: []).count == 0)
        #expect(index.categories(of: 1).isEmpty)
    }
}
