/// The two-way map between a catalogue's own ids and its dense item numbers.
///
/// An open-addressing hash table over the UTF-8 bytes of all ids in one array, at most half full, probed linearly: finding
/// an id touches two cache lines as a rule and allocates nothing. An integer of a request is found by its decimal digits,
/// so `42` and `"42"` name the same item.
public struct IdentifierTable: Sendable {
    private static let vacant: Int32 = -1
    private static let isIntegerFlag: UInt8 = 1
    private static let needsEscapingFlag: UInt8 = 2

    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    private var slots: [Int32]

    /// Indexes ids by their position.
    ///
    /// - Throws: ``SnapshotError/duplicateIdentifier(_:)``.
    public init(_ ids: [String]) throws(SnapshotError) {
        precondition(ids.count < Int32.max / 2, "\(ids.count) ids do not fit 32-bit item numbers")
        var capacity = 4
        while capacity < 2 * ids.count { capacity *= 2 }
        slots = [Int32](repeating: Self.vacant, count: capacity)
        bytes.reserveCapacity(ids.reduce(0) { $0 + $1.utf8.count + 3 })
        ends.reserveCapacity(ids.count)
        for (number, id) in ids.enumerated() {
            bytes.append(
                (Self.isCanonicalInteger(id) ? Self.isIntegerFlag : 0)
                    | (id.utf8.contains { $0 < 0x20 || $0 == 0x22 || $0 == 0x5c } ? Self.needsEscapingFlag : 0)
            )
            bytes.append(UInt8(ascii: "\""))
            bytes.append(contentsOf: id.utf8)
            bytes.append(UInt8(ascii: "\""))
            ends.append(bytes.count)
            let slot = self.slot(of: bytes, range(Int32(number)))
            guard slots[slot] == Self.vacant else { throw .duplicateIdentifier(id) }
            slots[slot] = Int32(number)
        }
    }

    /// How many ids there are.
    public var count: Int { ends.count }

    /// The item number of an id, or nil for one that is not in the catalogue.
    public func number(of id: String) -> Int32? {
        let utf8 = Array(id.utf8)
        let number = slots[slot(of: utf8, 0..<utf8.count)]
        return number == Self.vacant ? nil : number
    }

    /// The item number of an id in a list, or nil for one that is not in the catalogue.
    package func number(of position: Int, in list: IdentifierList) -> Int32? {
        let number = slots[slot(of: list.bytes, list.range(position))]
        return number == Self.vacant ? nil : number
    }

    /// The id of an item.
    public func id(_ number: Int32) -> String {
        String(decoding: utf8(number), as: UTF8.self)
    }

    /// The bytes of an item's id.
    package func utf8(_ number: Int32) -> ArraySlice<UInt8> {
        bytes[range(number)]
    }

    /// Whether an item's id is a 64-bit integer in its one decimal form, and so may be written as a JSON number.
    package func isInteger(_ number: Int32) -> Bool {
        bytes[record(number).lowerBound] & Self.isIntegerFlag != 0
    }

    /// Whether an item's id holds a character that JSON strings escape.
    package func needsEscaping(_ number: Int32) -> Bool {
        bytes[record(number).lowerBound] & Self.needsEscapingFlag != 0
    }

    /// How many bytes ``appendJSON(_:asInteger:to:)`` appends at most.
    package func jsonCount(_ number: Int32) -> Int {
        record(number).count - 1
    }

    /// Appends an item's id as JSON: a number when it is an integer and that is wanted, else a string.
    ///
    /// - Precondition: The id needs no escaping.
    package func appendJSON(_ number: Int32, asInteger: Bool, to text: inout OutputSpan<UInt8>) {
        let record = record(number)
        let flags = bytes[record.lowerBound]
        precondition(flags & Self.needsEscapingFlag == 0, "the id of item \(number) needs escaping")
        let isNumber = asInteger && flags & Self.isIntegerFlag != 0
        for index in isNumber ? range(of: record) : record.dropFirst() { text.append(bytes[index]) }
    }

    /// Where an item's flags, opening quote, id and closing quote are.
    private func record(_ number: Int32) -> Range<Int> {
        (number == 0 ? 0 : ends[Int(number) - 1])..<ends[Int(number)]
    }

    /// Where an item's id is.
    private func range(_ number: Int32) -> Range<Int> { range(of: record(number)) }

    private func range(of record: Range<Int>) -> Range<Int> { record.lowerBound + 2..<record.upperBound - 1 }

    /// The slot that holds an id, or the vacant one where it would go.
    private func slot(of text: [UInt8], _ range: Range<Int>) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for index in range {
            hash = (hash ^ UInt64(text[index])) &* 0x100_0000_01b3
        }
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: mix(hash)) & mask
        while slots[slot] != Self.vacant, !matches(slots[slot], text, range) {
            slot = (slot + 1) & mask
        }
        return slot
    }

    private func matches(_ number: Int32, _ text: [UInt8], _ candidate: Range<Int>) -> Bool {
        let own = range(number)
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
