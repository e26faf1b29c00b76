package import Kernels

/// The two-way map between a catalogue's own ids and its dense item numbers.
///
/// An open-addressing hash table over the UTF-8 bytes of all ids in one array, at most half full, probed linearly. A
/// look-up usually touches three cache lines and allocates nothing. An integer of a request is looked up by its
/// decimal digits, so `42` and `"42"` name the same item.
///
/// It is a value. Ids that ``append(_:)`` adds to a copy go into a second, small table, and copies share the first
/// one.
public struct IdentifierTable: Sendable {
    private static let vacant: Int32 = -1
    private static let isIntegerFlag: UInt8 = 1
    private static let needsEscapingFlag: UInt8 = 2

    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    private var slots = [Int32](repeating: vacant, count: 4)
    /// The SHA-256 of the ids without the appended ones, in their order, and a hash of where they end.
    private var digest: [UInt8] = []
    private var lengths: UInt64 = 0
    /// The appended ids, in one table or none.
    ///
    /// The array allows a table inside a table, and copies share it until one of them changes.
    private var appended: [IdentifierTable] = []

    /// Indexes ids by their position.
    ///
    /// - Throws: ``SnapshotError/duplicateIdentifier(_:)``.
    public init(_ ids: [String]) throws(SnapshotError) {
        precondition(ids.count < Int32.max / 2, "\(ids.count) ids do not fit 32-bit item numbers")
        var capacity = slots.count
        while capacity < 2 * ids.count { capacity *= 2 }
        slots = [Int32](repeating: Self.vacant, count: capacity)
        bytes.reserveCapacity(ids.reduce(0) { $0 + $1.utf8.count + 3 })
        ends.reserveCapacity(ids.count)
        for id in ids {
            guard insert(id) else { throw .duplicateIdentifier(id) }
        }
        digest = SHA256.hash(bytes.span)
        lengths = ends.reduce(0) { mix($0 ^ UInt64($1)) }
    }

    private init() {}

    /// Adds a new id after all others and returns its number, the count so far.
    ///
    /// - Complexity: amortised O(length of the id); O(appended ids) more when a copy shares them.
    @discardableResult
    mutating func append(_ id: String) -> Int32 {
        precondition(count < Int32.max / 2, "\(count + 1) ids do not fit 32-bit item numbers")
        precondition(number(of: id) == nil, "id '\(id)' is item \(String(describing: number(of: id))) already")
        if appended.isEmpty { appended.append(IdentifierTable()) }
        _ = appended[0].insert(id)
        return Int32(count - 1)
    }

    /// How many ids were appended.
    var appendedCount: Int { appended.isEmpty ? 0 : appended[0].ends.count }

    /// Removes all appended ids, whose numbers are then given again.
    mutating func removeAppended() { appended = [] }

    /// Adds an id to this table, which grows if needed; returns false, and leaves the table unusable, for a known
    /// id.
    private mutating func insert(_ id: String) -> Bool {
        bytes.append(
            (Self.isCanonicalInteger(id) ? Self.isIntegerFlag : 0)
                | (id.utf8.contains { $0 < 0x20 || $0 == 0x22 || $0 == 0x5c } ? Self.needsEscapingFlag : 0)
        )
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: id.utf8)
        bytes.append(UInt8(ascii: "\""))
        ends.append(bytes.count)
        if 2 * ends.count > slots.count {
            slots = [Int32](repeating: Self.vacant, count: 2 * slots.count)
            for number in 0..<Int32(ends.count - 1) { _ = fillSlot(number) }
        }
        return fillSlot(Int32(ends.count - 1))
    }

    /// Enters an item's id into the slots; false when another item has it.
    private mutating func fillSlot(_ number: Int32) -> Bool {
        let own = range(number)
        var slot = firstSlot(of: bytes, own)
        while slots[slot] != Self.vacant {
            if matches(record(slots[slot]), bytes, own) { return false }
            slot = (slot + 1) & (slots.count - 1)
        }
        slots[slot] = number
        return true
    }

    /// How many ids there are.
    public var count: Int { ends.count + appendedCount }

    /// The most slots that the look-up of a known id reads, without the appended ones: a few, whatever the ids are.
    package var longestProbe: Int {
        slots.indices.filter { slots[$0] != Self.vacant }.map { slot in
            ((slot - firstSlot(of: bytes, range(slots[slot]))) & (slots.count - 1)) + 1
        }.max() ?? 0
    }

    /// The item number of an id, or nil for one that is not in the catalogue.
    public func number(of id: String) -> Int32? {
        let utf8 = Array(id.utf8)
        return number(in: utf8, 0..<utf8.count, from: firstSlot(of: utf8, 0..<utf8.count))
            ?? appendedNumber(in: utf8, 0..<utf8.count)
    }

    /// The number of an id among the appended ones.
    private func appendedNumber(in text: [UInt8], _ range: Range<Int>) -> Int32? {
        guard !appended.isEmpty else { return nil }
        let number = appended[0].number(in: text, range, from: appended[0].firstSlot(of: text, range))
        return number.map { Int32(ends.count) + $0 }
    }

    /// Buffers of ``appendNumbers(of:from:to:_:)``, reused so that it allocates nothing.
    package struct Lookup {
        fileprivate var slots: [Int] = []
        fileprivate var candidates: [Int32] = []
        fileprivate var records: [Range<Int>] = []

        /// Empty buffers.
        package init() {}
    }

    /// Appends the item numbers of a list's ids from `start` on, without unknown ids.
    ///
    /// Each pass reads one memory place for every id. The places of one pass are independent, so the processor
    /// fetches them in parallel: a history of 50 ids waits for memory three times, not 150 times.
    package func appendNumbers(
        of list: IdentifierList,
        from start: Int,
        to numbers: inout [Int32],
        _ lookup: inout Lookup
    ) {
        lookup.slots.removeAll(keepingCapacity: true)
        lookup.candidates.removeAll(keepingCapacity: true)
        lookup.records.removeAll(keepingCapacity: true)
        for position in start..<list.count { lookup.slots.append(firstSlot(of: list.bytes, list.range(position))) }
        for slot in lookup.slots { lookup.candidates.append(slots[slot]) }
        for number in lookup.candidates { lookup.records.append(number == Self.vacant ? 0..<0 : record(number)) }
        for (index, number) in lookup.candidates.enumerated() {
            let range = list.range(start + index)
            if number != Self.vacant {
                if matches(lookup.records[index], list.bytes, range) {
                    numbers.append(number)
                    continue
                } else if let number = self.number(in: list.bytes, range, from: lookup.slots[index] + 1) {
                    numbers.append(number)
                    continue
                }
            }
            if let number = appendedNumber(in: list.bytes, range) { numbers.append(number) }
        }
    }

    /// Whether another table gives the same ids the same numbers, appended ids aside.
    func agrees(with other: IdentifierTable) -> Bool {
        digest == other.digest && lengths == other.lengths && ends.count == other.ends.count
    }

    /// Whether an item was not appended.
    func isOriginal(_ number: Int32) -> Bool { !isAppended(number) }

    /// The number of another table's item, or nil for one whose id this table lacks.
    func number(of item: Int32, in other: IdentifierTable) -> Int32? {
        let own = other.isAppended(item) ? other.appended[0] : other
        let range = own.range(other.isAppended(item) ? item - Int32(other.ends.count) : item)
        // Catalogues of the same data agree in most numbers.
        if Int(item) < ends.count, matches(record(item), own.bytes, range) { return item }
        return number(in: own.bytes, range, from: firstSlot(of: own.bytes, range))
            ?? appendedNumber(in: own.bytes, range)
    }

    /// The id of an item.
    public func id(_ number: Int32) -> String {
        String(decoding: utf8(number), as: UTF8.self)
    }

    /// The bytes of an item's id.
    package func utf8(_ number: Int32) -> ArraySlice<UInt8> {
        if isAppended(number) { return appended[0].utf8(number - Int32(ends.count)) }
        return bytes[range(number)]
    }

    /// Whether any of some items has an id that needs escaping.
    ///
    /// It reads the ids independently of each other, so the processor fetches them in parallel, and they are in the
    /// cache for writing.
    package func someNeedEscaping(_ items: [Scored]) -> Bool {
        var flags: UInt8 = 0
        for item in items { flags |= self.flags(item.id) }
        return flags & Self.needsEscapingFlag != 0
    }

    /// Whether JSON escapes a character of an item's id.
    package func needsEscaping(_ number: Int32) -> Bool {
        flags(number) & Self.needsEscapingFlag != 0
    }

    /// The most bytes that ``appendJSON(_:asInteger:to:)`` appends.
    package func jsonCount(_ number: Int32) -> Int {
        if isAppended(number) { return appended[0].jsonCount(number - Int32(ends.count)) }
        return record(number).count - 1
    }

    /// Appends an item's id as JSON: as a number if it is an integer and `asInteger` is set, else as a string.
    ///
    /// - Precondition: The id needs no escaping.
    package func appendJSON(_ number: Int32, asInteger: Bool, to text: inout OutputSpan<UInt8>) {
        if isAppended(number) {
            return appended[0].appendJSON(number - Int32(ends.count), asInteger: asInteger, to: &text)
        }
        let record = record(number)
        let flags = bytes[record.lowerBound]
        precondition(flags & Self.needsEscapingFlag == 0, "the id of item \(number) needs escaping")
        let isNumber = asInteger && flags & Self.isIntegerFlag != 0
        for index in isNumber ? range(of: record) : record.dropFirst() { text.append(bytes[index]) }
    }

    /// Whether an item's id is in the second table.
    private func isAppended(_ number: Int32) -> Bool { Int(number) >= ends.count }

    private func flags(_ number: Int32) -> UInt8 {
        isAppended(number) ? appended[0].flags(number - Int32(ends.count)) : bytes[record(number).lowerBound]
    }

    /// The range of an item's flags, opening quote, id and closing quote.
    private func record(_ number: Int32) -> Range<Int> {
        (number == 0 ? 0 : ends[Int(number) - 1])..<ends[Int(number)]
    }

    /// The range of an item's id.
    private func range(_ number: Int32) -> Range<Int> { range(of: record(number)) }

    private func range(of record: Range<Int>) -> Range<Int> { record.lowerBound + 2..<record.upperBound - 1 }

    /// The slot where the search for an id begins.
    private func firstSlot(of text: [UInt8], _ range: Range<Int>) -> Int {
        Int(truncatingIfNeeded: keyedHash(text.span.extracting(range))) & (slots.count - 1)
    }

    /// The number of an id, searched from a slot to the first vacant one.
    private func number(in text: [UInt8], _ range: Range<Int>, from start: Int) -> Int32? {
        let mask = slots.count - 1
        var slot = start & mask
        while slots[slot] != Self.vacant {
            if matches(record(slots[slot]), text, range) { return slots[slot] }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private func matches(_ record: Range<Int>, _ text: [UInt8], _ candidate: Range<Int>) -> Bool {
        let own = range(of: record)
        guard own.count == candidate.count else { return false }
        var offset = 0
        while offset < own.count {
            guard bytes[own.lowerBound + offset] == text[candidate.lowerBound + offset] else { return false }
            offset += 1
        }
        return true
    }

    private static func isCanonicalInteger(_ id: String) -> Bool {
        guard let value = Int64(id) else { return false }
        return String(value) == id
    }
}
