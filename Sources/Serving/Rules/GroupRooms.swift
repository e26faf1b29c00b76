import Kernels

/// How many more items each group of a list's items takes.
///
/// The groups of the items are numbered once, in the order of the list. So a check reads two short arrays instead of the
/// whole catalogue's, and asks no dictionary.
struct GroupRooms {
    /// The places of the groups of item `i` are `places[ends[i] ..< ends[i + 1]]`.
    private var places: [Int32] = []
    private var ends: [Int32] = [0]
    /// By place, the group.
    private var groups: [Int32] = []
    /// By place, how many more items the group takes; negative if pins took more than the limit.
    private var room: [Int] = []

    /// The groups of a list, each with room for `limit` items.
    init(of items: some Collection<Int32>, by column: TextColumn, limit: Int) {
        ends.reserveCapacity(items.count + 1)
        places.reserveCapacity(items.count)
        var table = PlaceTable(capacity: items.count)
        for item in items {
            for group in column.groups(of: item) {
                let place = table.place(of: group, among: groups)
                if Int(place) == groups.count {
                    groups.append(group)
                    room.append(limit)
                }
                places.append(place)
            }
            ends.append(Int32(places.count))
        }
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

/// A hash table from groups to their places in a list that grows.
private struct PlaceTable {
    /// Place + 1, or 0 for a vacant slot; at most half of the slots are used.
    private var slots: [Int32]
    private var count = 0

    init(capacity: Int) {
        var size = 16
        while size < 2 * capacity { size *= 2 }
        slots = [Int32](repeating: 0, count: size)
    }

    /// The place of a group in `groups`; for a new group the next one, which the caller fills.
    mutating func place(of group: Int32, among groups: [Int32]) -> Int32 {
        if 2 * (count + 1) > slots.count { grow(groups) }
        let slot = slot(of: group, groups)
        if slots[slot] == 0 {
            count += 1
            slots[slot] = Int32(count)
        }
        return slots[slot] - 1
    }

    /// The slot of a group, or the vacant slot where it belongs.
    private func slot(of group: Int32, _ groups: [Int32]) -> Int {
        // Consecutive numbers, which most groups have, never collide.
        var slot = Int(group) & (slots.count - 1)
        while slots[slot] != 0, groups[Int(slots[slot]) - 1] != group { slot = (slot + 1) & (slots.count - 1) }
        return slot
    }

    private mutating func grow(_ groups: [Int32]) {
        slots = [Int32](repeating: 0, count: 2 * slots.count)
        for place in 0..<count { slots[slot(of: groups[place], groups)] = Int32(place + 1) }
    }
}
