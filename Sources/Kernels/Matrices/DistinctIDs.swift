/// Numbers distinct ids from 0 in the order of their first occurrence.
///
/// Takes time and memory for the ids that it has met, not for the range that they come from: a batch of a catalogue of
/// ten million items has some thousand distinct ones.
public struct DistinctIDs: Sendable {
    /// The distinct ids: the one with number `i` at place `i`.
    public private(set) var ids: [Int32] = []
    /// An open-addressed table of numbers, -1 where it is free.
    ///
    /// Its size is a power of two, and at least twice `ids.count`.
    private var table = [Int32](repeating: -1, count: 16)

    /// No ids yet.
    public init() {}

    /// The numbers of `ids`; ids that are new get the next numbers.
    ///
    /// - Complexity: O(`ids.count`) on average.
    public mutating func numbers(of ids: [Int32]) -> [Int32] {
        reserve(self.ids.count + ids.count)
        return ids.map { numbered($0) }
    }

    /// The number of an id; a new one gets the next number.
    ///
    /// - Complexity: O(1) on average.
    public mutating func number(of id: Int32) -> Int32 {
        reserve(ids.count + 1)
        return numbered(id)
    }

    /// The number of an id that there is room for.
    private mutating func numbered(_ id: Int32) -> Int32 {
        let place = place(of: id)
        if table[place] < 0 {
            table[place] = Int32(ids.count)
            ids.append(id)
        }
        return table[place]
    }

    /// Where the number of `id` is or would be.
    private func place(of id: Int32) -> Int {
        let mask = table.count - 1
        // Fibonacci hashing: the high bits of the product depend on all bits of the id.
        var place = Int((UInt64(UInt32(bitPattern: id)) &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
        while table[place] >= 0, ids[Int(table[place])] != id { place = (place + 1) & mask }
        return place
    }

    /// Makes room for `count` distinct ids.
    private mutating func reserve(_ count: Int) {
        guard 2 * count > table.count else { return }
        var size = table.count
        while size < 2 * count { size *= 2 }
        table = [Int32](repeating: -1, count: size)
        for (number, id) in ids.enumerated() { table[place(of: id)] = Int32(number) }
    }
}
