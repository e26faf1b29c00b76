import Kernels
import Serving
import Testing

@Suite("CategoryIndex") struct CategoryIndexTests {
    static let lists: [[Int32]] = [[0], [0, 1], [], [2], [1, 2]]

    private func makeIndex() throws -> CategoryIndex {
        try CategoryIndex(names: ["Comedy", "Horror", "Film-Noir"], lists: Self.lists, items: 5)
    }

    @Test(
        "names choose items; unknown ones match and exclude nothing",
        arguments: [
            (["Comedy"], [], [0, 1]), (["Comedy", "Film-Noir"], [], [0, 1, 3, 4]), ([], ["Horror"], [0, 2, 3]),
            (["Comedy"], ["Horror"], [0]), (["Comedy"], ["Comedy"], []), (["nope"], [], []),
            (["nope", "Horror", "Horror"], [], [1, 4]), (["comedy"], [], []), (["Comedy"], ["nope"], [0, 1]),
            ([""], ["Comedy"], []),
        ] as [([String], [String], [Int32])]
    )
    func filters(anyOf: [String], noneOf: [String], expected: [Int32]) throws {
        let index = try makeIndex()
        let filter = CategoryFilter(anyOf: anyOf, noneOf: noneOf)
        for _ in 0..<2 { #expect(index.items(passing: filter).map { Array($0) } == expected) }
    }

    @Test("an empty filter restricts nothing", arguments: [[], ["nope"]])
    func passesAll(noneOf: [String]) throws {
        #expect(try makeIndex().items(passing: CategoryFilter(noneOf: noneOf)) == nil)
    }

    @Test("more filters than the cache holds do not get mixed up")
    func forgets() throws {
        let categories = 12
        let lists = (0..<500).map { item in (0..<Int32(categories)).filter { (item >> ($0 % 9)) & 1 == 1 } }
        let index = try CategoryIndex(names: (0..<categories).map { "c\($0)" }, lists: lists, items: 500)
        #expect(index.setLimit == 64)
        for round in 0..<3 {
            for number in 0..<(categories * categories) {
                let (any, none) = (number / categories, (number * 5 + round) % categories)
                let filter = CategoryFilter(anyOf: ["c\(any)"], noneOf: ["c\(none)"])
                let expected = lists.indices.filter {
                    lists[$0].contains(Int32(any)) && !lists[$0].contains(Int32(none))
                }
                #expect(index.items(passing: filter)?.map { Int($0) } == expected)
            }
        }
    }

    @Test("a large catalogue caches fewer sets")
    func isBounded() throws {
        func limit(items: Int) throws -> Int { try CategoryIndex(names: [], lists: [], items: items).setLimit }
        #expect(try limit(items: 1_000_000) == 64)
        #expect(try limit(items: 10_000_000) == 13)
        #expect(try limit(items: 1_000_000_000) == 4)
    }

    @Test("threads share an index")
    func isShared() async throws {
        let index = try makeIndex()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<200 {
                        #expect(index.items(passing: CategoryFilter(anyOf: ["Horror"]))?.count == 2)
                        #expect(index.items(passing: CategoryFilter(noneOf: ["Horror"]))?.count == 3)
                    }
                }
            }
        }
    }
}
