/// How many different categories rankings show among their first 100 items (method, section 9.5).
///
/// Two readings are kept: all categories of each item, and only each item's first.
public struct Diversity: Sendable {
    /// How many items of each ranking are looked at.
    public static let depth = 100

    /// How many rankings were judged.
    public private(set) var rows = 0
    private var distinct = 0
    private var distinctFirst = 0
    private let categories: [[Int32]]
    /// The last ranking in which each category was seen; the first places of items apart.
    private var seen: [Int]
    private var seenFirst: [Int]

    /// A count over a catalogue.
    ///
    /// - Parameter categories: Per item the numbers of its categories, the main one first.
    public init(categories: [[Int32]]) {
        self.categories = categories
        let names = categories.reduce(0) { max($0, Int($1.max() ?? -1) + 1) }
        seen = [Int](repeating: 0, count: names)
        seenFirst = seen
    }

    /// Judges one ranking, best item first; what stands beyond the first 100 is not looked at.
    public mutating func add(ranking: some Sequence<Int32>) {
        rows += 1
        for item in ranking.prefix(Self.depth) {
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
        precondition(categories.count == other.categories.count, "diversity over different catalogues")
        seen = seen.map { _ in 0 }
        seenFirst = seen
        rows += other.rows
        distinct += other.distinct
        distinctFirst += other.distinctFirst
    }

    /// Mean number of different categories, counting all categories of each item.
    public var meanCategories: Double { rows == 0 ? 0 : Double(distinct) / Double(rows) }

    /// Mean number of different categories, counting only each item's first.
    public var meanFirstCategories: Double { rows == 0 ? 0 : Double(distinctFirst) / Double(rows) }
}
