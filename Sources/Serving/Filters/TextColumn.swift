import CheckpointStore
import Kernels
import VectorIndex

/// An attribute whose values are texts.
struct TextColumn: Sendable {
    /// The fewest unused texts that are worth dropping.
    private static let fewestUnused = 64

    /// The texts by number.
    private(set) var names: IdentifierTable
    /// The numbers of each item's texts.
    private(set) var lists: ItemCategories

    /// Indexes lists of positions in `names`.
    init(names: [String], lists: [[Int32]], items: Int) throws(SnapshotError) {
        self.names = try IdentifierTable(names)
        self.lists = ItemCategories(lists, itemCount: items, categoryCount: names.count)
    }

    /// The texts of a snapshot's categories.
    init(_ categories: CategoryIndex) {
        names = categories.names
        lists = categories.categories
    }

    /// The texts of an item.
    func texts(of item: Int32) -> [String] { lists.categories(of: item).map(names.id) }

    /// Gives an item other texts; nil restores those of the build.
    ///
    /// The texts that it had stay in the memory until ``dropUnused()``.
    mutating func set(_ texts: [String]?, of item: Int32) {
        lists.set(texts?.map { names.number(of: $0) ?? names.append($0) }, of: item)
    }

    /// Forgets the texts that no item has any more, if they are most of those that came after the build.
    ///
    /// Afterwards there are at most twice as many of these as changed items use, and `fewestUnused` more. Numbers of
    /// texts of the build stay.
    ///
    /// - Complexity: O(changed items).
    mutating func dropUnused() {
        guard names.appendedCount > Self.fewestUnused else { return }
        let changed = lists.changedItems.sorted().map { (item: $0, texts: texts(of: $0)) }
        let used = changed.reduce(0) { $0 + $1.texts.count }
        guard names.appendedCount > Self.fewestUnused + 2 * used else { return }
        names.removeAppended()
        for (item, texts) in changed { set(texts, of: item) }
    }

    /// The numbers of an item's texts.
    func groups(of item: Int32) -> ArraySlice<Int32> { lists.categories(of: item) }

    /// The items with a text, by its number.
    func items(of group: Int32, bound: Int) -> ItemSet {
        var set = lists.items(anyOf: [group], noneOf: [])
        set.grow(to: bound)
        return set
    }

    /// A text by its number.
    func text(of group: Int32) -> String { names.id(group) }

    /// Whether an item has no text.
    func isEmpty(_ item: Int32) -> Bool { lists.categories(of: item).isEmpty }

    /// The items with at least one of some texts; unknown texts have none.
    func items(withAnyOf texts: [String], bound: Int) -> ItemSet {
        var set = lists.items(anyOf: texts.compactMap(names.number), noneOf: [])
        set.grow(to: bound)
        return set
    }

    /// The items with a text.
    func itemsWithTexts(bound: Int) -> ItemSet {
        var set = lists.classified
        set.grow(to: bound)
        return set
    }

    /// How many items of a set have each text, by number; the most frequent texts first, at most `limit`.
    func counts(in items: ItemSet, limit: Int) -> [(text: String, count: Int)] {
        var counts = [Int](repeating: 0, count: names.count)
        for item in items {
            for number in lists.categories(of: item) { counts[Int(number)] += 1 }
        }
        var best = TopK(k: min(limit, counts.count))
        for (number, count) in counts.enumerated() where count > 0 {
            best.offer(Scored(id: Int32(number), score: Float(count)))
        }
        return best.sorted().map { (names.id($0.id), counts[Int($0.id)]) }
    }
}
