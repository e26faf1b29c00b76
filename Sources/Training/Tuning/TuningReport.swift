import CheckpointStore
import Foundation
import Kernels

/// The results of a search: the table of its trials and the recipe to use.
public struct TuningReport: Sendable {
    /// The recipe's name.
    public let name: String
    /// The search.
    public let tuning: Tuning
    /// Every training, best first.
    public let outcomes: [Tuning.Outcome]

    /// A report of a search.
    public init(name: String, tuning: Tuning, outcomes: [Tuning.Outcome]) {
        self.name = name
        self.tuning = tuning
        self.outcomes = outcomes
    }

    private var fields: [String] { Set(tuning.trials.flatMap(\.values.keys)).sorted() }

    private var lines: [[String]] {
        [["trial", "steps", "hr@20", "mrr@20", "seconds", "status"] + fields]
            + outcomes.map { outcome in
                let (progress, trial) = (outcome.result.progress, outcome.trial)
                let figures = ["hr@20", "mrr@20"].map { String(format: "%.4f", progress.best[$0, default: 0]) }
                let own = fields.map { trial.values[$0].map { "\($0)" } ?? "as given" }
                return ["\(trial.number)", "\(outcome.steps)"] + figures
                    + [String(format: "%.1f", progress.seconds), outcome.result.divergence ?? "ok"] + own
            }
    }

    /// One line for each training (RFC 4180).
    public var csv: String {
        lines.map { $0.map { $0.contains(",") ? "\"\($0)\"" : $0 }.joined(separator: ",") }.joined(separator: "\n")
            + "\n"
    }

    /// The trials as a table.
    public var markdown: String {
        let lines = lines
        let rule = lines[0].map { _ in "---" }
        return "# Trials of \(name)\n\nHR@20 and MRR@20 on the validation part; the first row is the recipe to use.\n\n"
            + ([lines[0], rule] + lines.dropFirst()).map { "| " + $0.joined(separator: " | ") + " |" }
            .joined(separator: "\n") + "\n"
    }

    /// Writes `NAME.json`, the recipe to use, `NAME-trials.csv` and `NAME-trials.md` into a folder.
    ///
    /// - Returns: The recipe's path.
    public func write(to folder: String) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let path = "\(folder)/\(name).json"
        try DurableFile.write(Data(csv.utf8), to: "\(folder)/\(name)-trials.csv")
        try DurableFile.write(Data(markdown.utf8), to: "\(folder)/\(name)-trials.md")
        try DurableFile.write(encoder.encode(tuning.best(of: outcomes)) + Data("\n".utf8), to: path)
        return path
    }
}
