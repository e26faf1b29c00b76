import Kernels

/// The known items of a data set or model: maps item ids to dense numbers `0..<count` and back.
public struct ItemVocabulary: Sendable, Equatable {
    /// The ids by number.
    public private(set) var ids: [String] = []
    private var table = InternTable()

    /// No items yet.
    public init() {}

    /// Items in a given order, such as a checkpoint's catalogue.
    ///
    /// - Precondition: The ids are unique.
    public init(ids: [String]) {
        for id in ids {
            precondition(table.insert(Array(id.utf8)[...]).isNew, "item id '\(id)' occurs twice")
        }
        self.ids = ids
    }

    /// How many items there are.
    public var count: Int { ids.count }

    /// An item's number; nil when it is unknown.
    public func number(of id: String) -> Int32? { table.number(of: Array(id.utf8)[...]) }

    /// The number of an id given as valid UTF-8; nil when it is unknown.
    func number(of id: ArraySlice<UInt8>) -> Int32? { table.number(of: id) }

    /// The number of an id given as valid UTF-8, which is added when it is unknown.
    mutating func intern(_ id: ArraySlice<UInt8>) -> Int32 {
        let (number, isNew) = table.insert(id)
        if isNew { ids.append(String(decoding: id, as: UTF8.self)) }
        return number
    }

    /// The most slots that the look-up of a known id reads: a few, whatever the ids are.
    package var longestProbe: Int { table.longestProbe }

    /// Whether the same ids have the same numbers.
    public static func == (left: ItemVocabulary, right: ItemVocabulary) -> Bool { left.ids == right.ids }
}

/// Byte strings numbered by first appearance: open addressing over one arena.
struct InternTable: Sendable {
    /// Upper half: the upper half of the keyed hash; lower half: the number plus 1, or 0 where the slot is free.
    private var slots = [UInt64](repeating: 0, count: 64)
    private var arena: [UInt8] = []
    /// Where each string starts in the arena, and the end of the last.
    private var offsets = [0]

    /// How many strings there are.
    var count: Int { offsets.count - 1 }

    /// The string of a number.
    subscript(number: Int32) -> ArraySlice<UInt8> { arena[offsets[Int(number)]..<offsets[Int(number) + 1]] }

    /// The number of a string; nil when it was never inserted.
    func number(of bytes: ArraySlice<UInt8>) -> Int32? {
        let slot = slots[find(bytes, hash: keyedHash(bytes.span))]
        return slot == 0 ? nil : Int32(slot & 0xFFFF_FFFF) - 1
    }

    /// The number of a string, which is added when it is new.
    mutating func insert(_ bytes: ArraySlice<UInt8>) -> (number: Int32, isNew: Bool) {
        let hash = keyedHash(bytes.span)
        let position = find(bytes, hash: hash)
        if slots[position] != 0 { return (Int32(slots[position] & 0xFFFF_FFFF) - 1, false) }
        let number = Int32(count)
        slots[position] = hash & 0xFFFF_FFFF_0000_0000 | UInt64(number + 1)
        arena.append(contentsOf: bytes)
        offsets.append(arena.count)
        if count * 2 > slots.count { grow() }
        return (number, true)
    }

    /// The most slots that the look-up of a known string reads.
    var longestProbe: Int {
        slots.indices.filter { slots[$0] != 0 }.map { position in
            let number = Int32(slots[position] & 0xFFFF_FFFF) - 1
            return ((position - home(of: keyedHash(self[number].span))) & (slots.count - 1)) + 1
        }.max() ?? 0
    }

    /// The slot that holds the string, or the free one where it belongs.
    private func find(_ bytes: ArraySlice<UInt8>, hash: UInt64) -> Int {
        var position = home(of: hash)
        while true {
            let slot = slots[position]
            if slot == 0 { return position }
            if slot >> 32 == hash >> 32, holds(bytes, number: Int(slot & 0xFFFF_FFFF) - 1) { return position }
            position = (position + 1) & (slots.count - 1)
        }
    }

    /// Whether a number's string is this one; compares without slices of the arena, which would count references.
    private func holds(_ bytes: ArraySlice<UInt8>, number: Int) -> Bool {
        let start = offsets[number]
        guard offsets[number + 1] - start == bytes.count else { return false }
        let (own, other) = (arena.span, bytes.span)
        for place in 0..<other.count where own[start + place] != other[place] { return false }
        return true
    }

    private func home(of hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (slots.count - 1) }

    private mutating func grow() {
        slots = [UInt64](repeating: 0, count: slots.count * 2)
        for number in 0..<count {
            let hash = keyedHash(self[Int32(number)].span)
            var position = home(of: hash)
            while slots[position] != 0 { position = (position + 1) & (slots.count - 1) }
            slots[position] = hash & 0xFFFF_FFFF_0000_0000 | UInt64(number + 1)
        }
    }
}
