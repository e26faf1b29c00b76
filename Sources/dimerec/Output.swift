import Foundation

/// Writes to standard error and standard output.
enum Terminal {
    /// Whether standard error is a terminal.
    static let isInteractive = isatty(STDERR_FILENO) == 1

    /// Writes to standard error; ignores errors, because a closed standard error must not end the program.
    static func write(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }

    /// Writes notes about input files to standard error.
    static func write(notes: [String]) {
        for note in notes { write("dimerec: \(note)\n") }
    }

    /// Writes a line to standard output; ends the program with 1 when that fails, because the result would be lost.
    ///
    /// - Parameters:
    ///   - line: The line.
    ///   - done: The change that is already done, for the error message.
    static func print(_ line: String, done: String? = nil) {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8))
        } catch {
            let stays = done.map { " This change is done nevertheless: \($0)." } ?? ""
            write("dimerec: Cannot write to standard output: \(error.localizedDescription).\(stays)\n")
            exit(1)
        }
    }
}

/// A JSON object for standard output, with sorted keys on one line.
struct JSONObject {
    private var fields: [String: Any]

    init(_ fields: [String: Any]) {
        self.fields = fields
    }

    subscript(key: String) -> Any? {
        get { fields[key] }
        set { fields[key] = newValue }
    }

    var line: String {
        let options: JSONSerialization.WritingOptions = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? JSONSerialization.data(withJSONObject: fields, options: options) else {
            preconditionFailure("not JSON: \(fields)")
        }
        return String(decoding: data, as: UTF8.self)
    }
}

/// Formats metrics as a text table.
struct MetricsTable {
    private static let columns = ["hr@10", "hr@20", "hr@50", "ndcg@10", "ndcg@20", "ndcg@50", "mrr@20"]
    private var lines: [String]

    init(title: String) {
        let names = Self.columns.map { Self.padded($0, 9) }.joined()
        lines = [title.padding(toLength: 24, withPad: " ", startingAt: 0) + names]
    }

    mutating func add(_ name: String, _ metrics: [String: Double]) {
        let cells = Self.columns.map { Self.padded(String(format: "%.4f", metrics[$0] ?? 0), 9) }.joined()
        lines.append(name.padding(toLength: 24, withPad: " ", startingAt: 0) + cells)
    }

    var text: String { lines.joined(separator: "\n") }

    private static func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

/// Percentiles of measured durations.
struct Percentiles {
    private let sorted: [Double]

    /// Percentiles of at least one duration, all in one unit.
    init(_ values: [Double]) {
        precondition(!values.isEmpty, "no measurement")
        sorted = values.sorted()
    }

    /// The smallest value `v` such that at least a fraction `p` of the values is at most `v`.
    subscript(p: Double) -> Double {
        sorted[min(sorted.count - 1, max(0, Int((p * Double(sorted.count)).rounded(.up)) - 1))]
    }

    var mean: Double { sorted.reduce(0, +) / Double(sorted.count) }
}
