/// Item ids of a request as UTF-8 bytes, one behind the other, so that an id costs no allocation of its own.
///
/// Clearing keeps the storage: an event loop fills the same list again for every request.
public struct IdentifierList: Sendable, Equatable {
    /// The bytes of all ids.
    ///
    /// Append an id's bytes here, then call ``endIdentifier()``.
    package var bytes: [UInt8] = []
    private var ends: [Int] = []

    /// An empty list.
    public init() {}

    /// The ids of a sequence of strings.
    public init(_ ids: some Sequence<String>) {
        for id in ids { append(id) }
    }

    /// How many ids there are.
    public var count: Int { ends.count }

    /// Whether there are none.
    public var isEmpty: Bool { ends.isEmpty }

    /// Adds one id at the end.
    public mutating func append(_ id: String) {
        bytes.append(contentsOf: id.utf8)
        endIdentifier()
    }

    /// Adds one id at the end from a range of other UTF-8 bytes.
    ///
    /// It copies byte by byte: ids are short, so that is faster than a slice and a memory copy.
    package mutating func append(_ range: Range<Int>, of source: [UInt8]) {
        let source = source.span
        bytes.append(addingCapacity: range.count) { text in
            for index in range { text.append(source[index]) }
        }
        endIdentifier()
    }

    /// Makes the bytes since the last id the next id.
    package mutating func endIdentifier() {
        ends.append(bytes.count)
    }

    /// Removes all ids and keeps the storage.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
    }

    /// All ids.
    package var strings: [String] {
        (0..<count).map { String(decoding: bytes[range($0)], as: UTF8.self) }
    }

    /// Where an id's bytes lie in ``bytes``.
    package func range(_ position: Int) -> Range<Int> {
        (position == 0 ? 0 : ends[position - 1])..<ends[position]
    }

    /// A 64-bit hash of the newest `limit` ids and their order, the same on every machine and in every release.
    ///
    /// FNV-1a over the bytes with a separator after each id, then a mixing step.
    public func contentHash(newest limit: Int) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for position in max(0, count - limit)..<count {
            for index in range(position) {
                hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01b3
            }
            // 0xff occurs in no UTF-8 text, so ["ab"] and ["a", "b"] differ.
            hash = (hash ^ 0xff) &* 0x100_0000_01b3
        }
        return mix(hash)
    }
}

/// The finaliser of MurmurHash3: every input bit reaches every output bit.
package func mix(_ value: UInt64) -> UInt64 {
    var hash = value
    hash = (hash ^ (hash >> 33)) &* 0xff51_afd7_ed55_8ccd
    hash = (hash ^ (hash >> 33)) &* 0xc4ce_b9fe_1a85_ec53
    return hash ^ (hash >> 33)
}
