/// Consecutive numbers for some items, in the order of the items' own numbers.
struct ItemNumbering: Sendable {
    /// The items, each once, ascending.
    let items: [Int32]

    /// Numbers the distinct ones of some items.
    ///
    /// - Complexity: O(n log n).
    init(_ items: [Int32]) {
        var distinct: [Int32] = []
        for item in items.sorted() where item != distinct.last { distinct.append(item) }
        self.items = distinct
    }

    /// The number of an item.
    ///
    /// - Precondition: The item is numbered.
    /// - Complexity: O(log n).
    func number(of item: Int32) -> Int32 {
        var (low, high) = (0, items.count)
        while low < high {
            let middle = (low + high) / 2
            if items[middle] < item { low = middle + 1 } else { high = middle }
        }
        precondition(low < items.count && items[low] == item, "item \(item) has no number")
        return Int32(low)
    }
}
