public import CheckpointStore
import Foundation
import Kernels

/// The files of a finished experiment: `NAME.csv`, `NAME.md` and `NAME.svg`.
public struct ExperimentReport: Sendable {
    /// The results.
    public var results: ExperimentResults
    /// How the results were obtained; one line each, printed below the table.
    public var facts: [String]

    /// A report.
    ///
    /// - Parameters:
    ///   - results: The results.
    ///   - command: The user's command line.
    ///   - data: The data of training and evaluation.
    ///   - evaluation: The rows of the evaluation.
    ///   - seeds: The seeds of each row.
    ///   - builds: The program builds that trained the cells.
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
            "Evaluated on: \(evaluation.part.rawValue) part, \(evaluation.protocol.rawValue), \(evaluation.count) rows, "
                + (evaluation.filterHistory ? "history removed from rankings" : "history not filtered"),
            "Seeds: \(seeds.map { "\($0)" }.joined(separator: ", ")); "
                + (seeds.count > 1 ? "mean ± standard deviation over seeds; " : "")
                + "accuracies in percent, the best of each in bold",
            "Build: " + Set(builds).sorted().joined(separator: "; "),
        ]
        if results.experiment == .overall {
            facts.append(
                "us a user: from history to user vectors, one user at a time, one thread; requests/s: answers with 20 items, on "
                    + "all cores, in process, without HTTP; trials: settings compared on validation, 0 if set by hand"
            )
        }
        facts += results.divergences.map { "Diverged: " + $0 }
    }

    /// The table and the facts below it.
    public var markdown: String {
        "# \(results.experiment.title)\n\n" + results.table.markdown + "\n"
            + (results.comparison.map { $0.markdown + "\n" } ?? "") + facts.map { "* \($0)\n" }.joined()
    }

    /// The paths of the files.
    public struct Paths: Sendable, Equatable {
        /// All figures.
        public var csv: String
        /// The table.
        public var markdown: String
        /// The chart.
        public var svg: String
    }

    /// Writes the files into a folder, each atomically.
    public func write(to folder: String) throws -> Paths {
        let name = folder + "/" + results.experiment.rawValue
        let paths = Paths(csv: name + ".csv", markdown: name + ".md", svg: name + ".svg")
        try DurableFile.write(Data(results.csv.utf8), to: paths.csv)
        try DurableFile.write(Data(markdown.utf8), to: paths.markdown)
        try DurableFile.write(Data(results.figure.svg.utf8), to: paths.svg)
        return paths
    }
}
