public import CheckpointStore
import Foundation
import Kernels

/// The files of a finished experiment: `NAME.csv`, `NAME.md` and `NAME.svg`.
public struct ExperimentReport: Sendable {
    /// What was found.
    public var results: ExperimentResults
    /// How it was found, a line a fact, below the table.
    public var facts: [String]

    /// A report.
    ///
    /// - Parameters:
    ///   - results: What was found.
    ///   - command: What the user typed.
    ///   - data: What was trained and judged on.
    ///   - evaluation: Which rows judged.
    ///   - seeds: The seeds of each row.
    ///   - builds: The programs that trained the cells.
    public init(
        _ results: ExperimentResults,
        command: String,
        data: DataFingerprint,
        evaluation: ExperimentEvaluation,
        seeds: [UInt64],
        builds: [String]
    ) {
        self.results = results
        let digests = data.digests.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        let split = data.split == SplitKind.users.rawValue ? "users, split seed \(data.splitSeed)" : data.split
        facts = [
            "Command: `\(command)`",
            "Data, SHA-256: \(digests.joined(separator: ", ")); split: \(split)",
            "Judged by: \(evaluation.part.rawValue) part, \(evaluation.protocol.rawValue), \(evaluation.count) rows, "
                + (evaluation.filterHistory ? "history left out of rankings" : "history not filtered"),
            "Seeds: \(seeds.map { "\($0)" }.joined(separator: ", ")); "
                + (seeds.count > 1 ? "mean ± standard deviation over seeds; " : "")
                + "accuracies in percent, the best of each in bold",
            "Build: " + Set(builds).sorted().joined(separator: "; "),
        ]
        if results.experiment == .overall {
            facts.append(
                "us a user: from history to user vectors, one user at a time, one thread; requests/s: answers of 20 items on "
                    + "all cores, in process, without HTTP; trials: settings that validation chose the recipe from, 0 by hand"
            )
        }
        facts += results.divergences.map { "Diverged: " + $0 }
    }

    /// The table and how it was found.
    public var markdown: String {
        "# \(results.experiment.title)\n\n" + results.table.markdown + "\n"
            + (results.comparison.map { $0.markdown + "\n" } ?? "") + facts.map { "* \($0)\n" }.joined()
    }

    /// Where the files are.
    public struct Paths: Sendable, Equatable {
        /// All figures.
        public var csv: String
        /// The table.
        public var markdown: String
        /// The chart.
        public var svg: String
    }

    /// Writes the files into a folder, each whole or not at all.
    public func write(to folder: String) throws -> Paths {
        let name = folder + "/" + results.experiment.rawValue
        let paths = Paths(csv: name + ".csv", markdown: name + ".md", svg: name + ".svg")
        try DurableFile.write(Data(results.csv.utf8), to: paths.csv)
        try DurableFile.write(Data(markdown.utf8), to: paths.markdown)
        try DurableFile.write(Data(results.figure.svg.utf8), to: paths.svg)
        return paths
    }
}
