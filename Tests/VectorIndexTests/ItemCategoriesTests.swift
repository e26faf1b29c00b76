import Kernels
import Testing
import VectorIndex

@Suite("ItemCategories") struct ItemCategoriesTests {
    private let generator = CounterBasedGenerator(seed: 3, purpose: .simulation)

    /// Category `c` has about one item in `c + 1`, so the first are frequent and the last rare; some lists repeat.
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

    /// The list without repeats, in order of first occurrence.
    private func distinct(_ list: [Int32]) -> [Int32] {
        list.indices.filter { list.firstIndex(of: list[$0]) == $0 }.map { list[$0] }
    }

    @Test("an item's categories come once, in the order of its list")
    func categories() {
        let lists = lists(items: 60, categories: 12)
        let index = ItemCategories(lists, itemCount: 60, categoryCount: 12)
        for (item, list) in lists.enumerated() {
            #expect(index.categories(of: Int32(item)).elementsEqual(distinct(list)))
        }
    }

    @Test("a long list of an item takes time in proportion to its length")
    func longLists() {
        let list = (0..<300_000).map { Int32($0 % 200_000) }
        var categories = ItemCategories([list], itemCount: 1, categoryCount: 200_000)
        #expect(categories.categories(of: 0).elementsEqual(0..<200_000))
        categories.set(list.reversed(), of: 0)
        #expect(Set(categories.categories(of: 0)).count == 200_000)
    }

    @Test("changed lists filter like built lists and do not affect older copies", arguments: [0, 1, 300])
    func changes(items: Int) {
        var lists = lists(items: items, categories: 6)
        let built = lists
        let original = ItemCategories(lists, itemCount: items, categoryCount: 6)
        var index = original
        let draws = generator.integers(below: items + 60, stream: 7, count: 200)
        for (step, item) in draws.enumerated() {
            let list = [[], [0], [5, 2, 5], [6, 1], [8]][step % 5] as [Int32]
            while lists.count <= Int(item) { lists.append([]) }
            if step % 7 == 0 {
                index.set(nil, of: item)
                lists[Int(item)] = Int(item) < items ? built[Int(item)] : []
            } else {
                index.set(list, of: item)
                lists[Int(item)] = list
            }
            guard step % 20 == 0 || step == 199 else { continue }
            let rebuilt = ItemCategories(lists, itemCount: lists.count, categoryCount: 9)
            #expect(index.itemCount == lists.count && index.categoryCount <= 9)
            for item in 0..<Int32(lists.count) { #expect(index.categories(of: item) == rebuilt.categories(of: item)) }
            for anyOf in [nil, [], [0], [2, 8], [6], Array(0..<9)] as [[Int32]?] {
                for noneOf in [[], [1], [5, 8]] as [[Int32]] {
                    #expect(index.items(anyOf: anyOf, noneOf: noneOf) == rebuilt.items(anyOf: anyOf, noneOf: noneOf))
                }
            }
        }
        #expect(index.categoryCount == 9 && original.itemCount == items && original.categoryCount == 6)
        for item in built.indices {
            #expect(original.categories(of: Int32(item)).elementsEqual(distinct(built[item])))
        }
    }

    @Test("a catalogue may have no categories")
    func none() {
        let index = ItemCategories([], itemCount: 3, categoryCount: 0)
        #expect(index.items(anyOf: nil, noneOf: []).count == 3)
        #expect(index.items(anyOf: [], noneOf: []).count == 0)
        #expect(index.categories(of: 1).isEmpty)
    }
}
