import Kernels

/// How many more items each group of a list's items takes.
///
/// The groups of the items are numbered once, in the order of the list. So a check reads two short arrays instead of the
/// whole catalogue's, and asks no dictionary.
struct GroupRooms {
    /// The places of the groups of item `i` are `places[ends[i] ..< ends[i + 1]]`.
    private let places: [Int32]
    private var ends: [Int32] = [0]
    /// By place, the group.
    private let groups: [Int32]
    /// By place, how many more items the group takes; negative if pins took more than the limit.
    private var room: [Int]

    /// The groups of a list, each with room for `limit` items.
    init(of items: some Collection<Int32>, by column: TextColumn, limit: Int) {
        ends.reserveCapacity(items.count + 1)
        var all: [Int32] = []
        all.reserveCapacity(items.count)
        for item in items {
            all += column.groups(of: item)
            ends.append(Int32(all.count))
        }
        var distinct = DistinctIDs()
        places = distinct.numbers(of: all)
        groups = distinct.ids
        room = [Int](repeating: limit, count: groups.count)
    }

    /// Whether all groups of an item have room, by its position in the list.
    func isOpen(to position: Int) -> Bool {
        for place in places(position) where room[Int(places[place])] <= 0 { return false }
        return true
    }

    /// Takes room in all groups of an item.
    mutating func occupy(_ position: Int) {
        for place in places(position) { room[Int(places[place])] -= 1 }
    }

    /// The groups without room.
    var full: [Int32] { groups.indices.filter { room[$0] <= 0 }.map { groups[$0] } }

    private func places(_ position: Int) -> Range<Int> { Int(ends[position])..<Int(ends[position + 1]) }
}
