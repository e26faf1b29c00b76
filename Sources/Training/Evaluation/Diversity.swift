/// How varied rankings are: categories among the first 100 items of a ranking, and the share of the catalogue that
/// appears in any ranking (method, section 9.5).
///
/// Categories are counted in two ways: all categories of each item, and only each item's first.
public struct Diversity: Sendable {
    /// How many items of each ranking count for categories.
    public static let depth = 100
    /// How many items of each ranking count as shown, for coverage.
    public static let shownDepth = 20

    /// How many rankings were added.
    public private(set) var rows = 0
    private var distinct = 0
    private var distinctFirst = 0
    private let categories: [[Int32]]
    private let items: Int
    /// Items among the first ``shownDepth`` of any ranking; a set, so memory does not grow with the catalogue.
    private var shown: Set<Int32> = []
    /// The last ranking in which each category was seen; first categories are tracked separately.
    private var seen: [Int]
    private var seenFirst: [Int]

    /// A count over a catalogue.
    ///
    /// - Parameters:
    ///   - items: Size of the catalogue.
    ///   - categories: For each item the numbers of its categories, the main one first; empty without categories.
    public init(items: Int, categories: [[Int32]] = []) {
        precondition(categories.isEmpty || categories.count == items, "\(categories.count) categories, \(items) items")
        let names = categories.reduce(0) { max($0, Int($1.max() ?? -1) + 1) }
        // An items file without categories gives each item an empty list.
        self.categories = names > 0 ? categories : []
        self.items = items
        seen = [Int](repeating: 0, count: names)
        seenFirst = seen
    }

    /// Adds one ranking, best item first; only its first 100 items count.
    public mutating func add(ranking: some Sequence<Int32>) {
        rows += 1
        for (rank, item) in ranking.prefix(Self.depth).enumerated() {
            if rank < Self.shownDepth { shown.insert(item) }
            guard !categories.isEmpty else { continue }
            for (place, category) in categories[Int(item)].enumerated() {
                if seen[Int(category)] != rows {
                    seen[Int(category)] = rows
                    distinct += 1
                }
                if place == 0, seenFirst[Int(category)] != rows {
                    seenFirst[Int(category)] = rows
                    distinctFirst += 1
                }
            }
        }
    }

    /// Adds the rankings of another part over the same catalogue.
    public mutating func merge(_ other: Diversity) {
        precondition(
            categories.count == other.categories.count && items == other.items,
            "diversity over different catalogues"
        )
        seen = seen.map { _ in 0 }
        seenFirst = seen
        rows += other.rows
        distinct += other.distinct
        distinctFirst += other.distinctFirst
        shown.formUnion(other.shown)
    }

    /// Mean number of different categories, counting all categories of each item; nil when items have none.
    public var meanCategories: Double? { categories.isEmpty ? nil : Double(distinct) / Double(max(1, rows)) }

    /// Mean number of different categories, counting only each item's first; nil when items have none.
    public var meanFirstCategories: Double? { categories.isEmpty ? nil : Double(distinctFirst) / Double(max(1, rows)) }

    /// The share of the catalogue that is among the first 20 of any ranking.
    public var coverage: Double { Double(shown.count) / Double(max(1, items)) }

    /// All values by their names in reports: `coverage@20` and, for items with categories, `categories@100` and
    /// `first_categories@100`.
    public var values: [String: Double] {
        var values = ["coverage@\(Self.shownDepth)": coverage]
        values["categories@\(Self.depth)"] = meanCategories
        values["first_categories@\(Self.depth)"] = meanFirstCategories
        return values
    }
}
