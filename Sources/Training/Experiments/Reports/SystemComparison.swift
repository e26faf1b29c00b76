import Foundation

/// Compares systems with the first one: the gain of each in HR@20, and how certain it is.
public struct SystemComparison: Sendable, Equatable {
    /// The row that the others are compared with.
    public var reference: String
    /// The other rows by name, in the table's order.
    public var differences: [(name: String, difference: PairedBootstrap.Difference)]

    private static let cutoff: UInt8 = 20

    /// Compares the ranks of cells; nil unless at least two rows have ranks.
    ///
    /// The value of an evaluated row is its share of hits over the trained seeds.
    ///
    /// - Parameters:
    ///   - cells: The grid.
    ///   - results: One result for each cell.
    ///   - bootstrap: A bootstrap over the evaluated rows.
    init?(_ cells: [ExperimentCell], _ results: [CellResult], _ bootstrap: PairedBootstrap) {
        var (names, hits): ([String], [String: [[Double]]]) = ([], [:])
        for (cell, result) in zip(cells, results) {
            guard let ranks = result.points.first?.ranks else { continue }
            if hits[cell.variant.name] == nil { names.append(cell.variant.name) }
            hits[cell.variant.name, default: []].append(ranks.map { $0 < Self.cutoff ? 1.0 : 0 })
        }
        guard names.count > 1 else { return nil }
        let means = names.map { name in
            let seeds = hits[name] ?? []
            return seeds[0].indices.map { row in seeds.reduce(0) { $0 + $1[row] } / Double(seeds.count) }
        }
        reference = names[0]
        let found = bootstrap.differences(from: means[0], of: Array(means.dropFirst()))
        differences = Array(zip(names.dropFirst(), found))
    }

    /// The comparison in Markdown.
    public var markdown: String {
        func percent(_ value: Double) -> String { String(format: "%+.2f", 100 * value) }
        let lines = differences.map { name, difference in
            "| \(name.replacing("|", with: "\\|")) | \(percent(difference.mean)) | "
                + "\(percent(difference.low)) to \(percent(difference.high)) | \(String(format: "%.3f", difference.p)) |"
        }
        return """
            HR@20 minus that of \(reference), in percentage points; 95 percent intervals and two-sided p from a paired \
            bootstrap over the evaluated users, with hits averaged over seeds:

            | | difference | 95 % interval | p |
            | --- | ---: | ---: | ---: |
            \(lines.joined(separator: "\n"))

            """
    }

    /// Comparisons are equal when all their values are.
    public static func == (a: SystemComparison, b: SystemComparison) -> Bool {
        a.reference == b.reference
            && a.differences.elementsEqual(b.differences) { $0.name == $1.name && $0.difference == $1.difference }
    }
}
