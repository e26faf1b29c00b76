import Kernels

/// How many more items each group of a list's items takes.
///
/// An item's groups are looked up and numbered at its first check: each look-up waits for memory, and most lists are
/// longer than the part that is needed. A later check of the item reads two short arrays.
struct GroupRooms {
    private let column: TextColumn
    private let limit: Int
    /// By position in the list, where the item's groups begin and end in `places`; nil before it was asked for.
    private var known: [Range<Int32>?]
    private var places: [Int32] = []
    private var groups = DistinctIDs()
    /// By place, how many more items the group takes; negative if pins took more than the limit.
    private var room: [Int] = []

    /// The groups of a list of `count` items, each with room for `limit` items.
    init(_ count: Int, by column: TextColumn, limit: Int) {
        self.column = column
        self.limit = limit
        known = [Range<Int32>?](repeating: nil, count: count)
    }

    /// Whether all groups of an item have room.
    ///
    /// - Parameters:
    ///   - item: The item.
    ///   - position: Its position in the list, always the same.
    /// - Returns: True also for an item without groups.
    mutating func isOpen(to item: Int32, at position: Int) -> Bool {
        for place in places(of: item, at: position) where room[Int(places[Int(place)])] <= 0 { return false }
        return true
    }

    /// Takes room in all groups of an item.
    mutating func occupy(_ item: Int32, at position: Int) {
        for place in places(of: item, at: position) { room[Int(places[Int(place)])] -= 1 }
    }

    /// The groups without room.
    var full: [Int32] { groups.ids.indices.filter { room[$0] <= 0 }.map { groups.ids[$0] } }

    private mutating func places(of item: Int32, at position: Int) -> Range<Int32> {
        if let range = known[position] { return range }
        let start = Int32(places.count)
        for group in column.groups(of: item) {
            let place = groups.number(of: group)
            if Int(place) == room.count { room.append(limit) }
            places.append(place)
        }
        let range = start..<Int32(places.count)
        known[position] = range
        return range
    }
}
