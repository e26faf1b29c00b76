/// Ids that may mean the same: they differ only in the case of letters, in the form of Unicode, in zeros before a number
/// or in `.0` after it.
public struct AlikeIDStatistics: Sendable, Equatable, Encodable {
    /// How many ids are like an earlier one.
    public let count: Int
    /// The first two such ids, as the log writes them; empty if there are none.
    public let example: [String]

    /// Compares all ids.
    ///
    /// - Complexity: O(n) in ids. Memory: an entry for each.
    init(_ ids: [String]) {
        var (count, example): (Int, [String]) = (0, [])
        var first = [String: Int](minimumCapacity: ids.count)
        for (place, id) in ids.enumerated() {
            guard let earlier = first.updateValue(place, forKey: Self.folded(id)) else { continue }
            count += 1
            if example.isEmpty { example = [ids[earlier], id] }
        }
        (self.count, self.example) = (count, example)
    }

    /// The form that ids with the same meaning share; equal strings have one form of Unicode.
    private static func folded(_ id: String) -> String {
        let digits = id.hasSuffix(".0") ? id.dropLast(2) : id[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else {
            return id.lowercased()
        }
        return String(digits.drop { $0 == "0" })
    }
}
