import Foundation
import Kernels

/// The most popular items of a training part.
struct PopularItems: Sendable, Equatable {
    /// The items, most popular first, with the logarithm of how much more often each occurs than the first item that is
    /// left out.
    ///
    /// So the items that are left out, which have no term, continue the list without a step.
    private(set) var entries: [Scored]

    /// No items, as in versions that have no such term.
    init() { entries = [] }

    /// The most frequent items of sequences; ties go to the lower number.
    ///
    /// - Complexity: O(events + items log items).
    init(in sequences: RaggedRows, items: Int, keeping most: Int) {
        var counts = [Int](repeating: 0, count: items)
        for item in sequences.ids { counts[Int(item)] += 1 }
        let order = counts.indices.sorted { (counts[$1], $0) < (counts[$0], $1) }
        let least = order.count > most ? max(1, counts[order[most]]) : 1
        entries = order.prefix(most).map { item in
            Scored(id: Int32(item), score: log(Float(max(1, counts[item])) / Float(least)))
        }
    }

    private static let parts = (items: ".items", strengths: ".strengths")

    /// The matrices that a checkpoint stores, by names that start with `name`.
    func matrices(named name: String, items: Int) -> [String: Matrix] {
        [
            name + Self.parts.items: StoredIntegers(entries.map(\.id), columns: 1, below: items).matrix,
            name + Self.parts.strengths: Matrix(rows: entries.count, columns: 1, elements: entries.map(\.score)),
        ]
    }

    /// Takes stored items out of a checkpoint's matrices.
    ///
    /// - Throws: `ParameterError` for a missing matrix, a wrong shape, an item that is listed twice, or an element out of
    ///   range.
    init(takingFrom matrices: inout [String: Matrix], named name: String, items: Int) throws(ParameterError) {
        let (ids, strengths) = (name + Self.parts.items, name + Self.parts.strengths)
        guard let storedItems = matrices.removeValue(forKey: ids) else { throw .missing(ids) }
        guard let stored = matrices.removeValue(forKey: strengths) else { throw .missing(strengths) }
        let integers = try StoredIntegers(stored: storedItems, name: ids, columns: 1, in: 0..<items)
        guard stored.shape == [integers.count, 1] else {
            throw .shape(strengths, expected: [integers.count, 1], found: stored.shape)
        }
        entries = []
        var seen: Set<Int> = []
        for row in 0..<integers.count {
            guard seen.insert(integers[row]).inserted else {
                throw .value(ids, row: row, column: 0, found: "\(integers[row]) again", allowed: "each item once")
            }
            let strength = stored.elements[row]
            guard 0...CountScores.largest ~= strength else {
                let allowed = "from 0 to \(CountScores.largest)"
                throw .value(strengths, row: row, column: 0, found: "\(strength)", allowed: allowed)
            }
            entries.append(Scored(id: Int32(integers[row]), score: strength))
        }
    }
}
