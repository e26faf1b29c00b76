import ArgumentParser
import CheckpointStore
import Foundation
import Kernels
import Training

/// `bench retraining`: retraining period after period on a log with real times.
struct RetrainingBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retraining",
        abstract: "Simulate weekly retraining: continued training against full training and against none.",
        discussion: """
            Each period, the models learn from the events before it and are judged on its own events. Nothing is published. \
            With several --shares or --rates, every combination is a chain of continued trainings of its own.
            """
    )

    @Option(help: "Recipe, JSON; see models/.", completion: .file()) var recipe: String
    @Option(
        help: "Interactions with the times of a clock: what --events of train takes. Repeat it for several.",
        completion: .file()
    )
    var events: [String]
    @OptionGroup var columns: ColumnOptions
    @Option(help: "Days of a period.") var days = 7.0
    @Option(help: "The share of the events before the first period.") var firstShare = 0.5
    @Option(help: "Values of continuation.share, separated by commas; the recipe's by default.") var shares: String?
    @Option(help: "Values of continuation.learningRate, separated by commas; the recipe's by default.")
    var rates: String?
    @Option(help: "Seed of every draw.") var seed: UInt64 = 42
    @Option(help: "Write the table, CSV and a plot to this folder.", completion: .directory) var out: String?
    @Flag(help: "Print one JSON object a period instead of the table.") var json = false

    func validate() throws {
        guard !events.isEmpty else { throw ValidationError("Give a log with --events.") }
        try ValidationError.require("--days", days, in: 0.01...10_000)
        try ValidationError.require("--first-share", firstShare, in: 0.01...0.99)
    }

    func run() throws {
        Allocator.keepFreedMemory()
        let recipe = try Recipe(contentsOf: recipe)
        let simulation = try RetrainingSimulation(
            recipe: recipe,
            events: EventSource(events),
            columns: columns.names,
            continuations: try continuations(recipe.continuation),
            days: days,
            firstShare: firstShare,
            seed: seed
        )
        let folder = FileManager.default.temporaryDirectory.appending(path: "dimerec-retraining-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try CheckpointStore(path: folder.appending(path: "store.sqlite").path)
        let periods = try simulation.run(store: store) { period in
            if json {
                Terminal.print(JSONObject(simulation.fields(of: period)).line)
            } else {
                Terminal.write("\(simulation.line(of: period))\n")
            }
        }
        let report = RetrainingReport(ways: simulation.ways, periods: periods)
        if !json { Terminal.print(report.markdown) }
        if let out { Terminal.write(notes: try report.write(to: out)) }
    }

    private func continuations(_ base: ContinuationConfiguration) throws -> [ContinuationConfiguration] {
        try numbers(shares, "--shares", or: base.share).flatMap { share in
            try numbers(rates, "--rates", or: base.learningRate).map { rate in
                var settings = base
                (settings.share, settings.learningRate) = (share, rate)
                try settings.validate(prefix: "continuation.")
                return settings
            }
        }
    }

    private func numbers(_ text: String?, _ option: String, or own: Double) throws -> [Double] {
        try text?.split(separator: ",", omittingEmptySubsequences: false).map { word in
            guard let value = Double(word.trimmingCharacters(in: .whitespaces)), value.isFinite else {
                throw ValidationError("\(option): '\(word)' is not a number; give for example 0.1,0.2.")
            }
            return value
        } ?? [own]
    }
}

extension RetrainingSimulation {
    /// A period as JSON.
    fileprivate func fields(of period: Period) -> [String: Any] {
        [
            "start": period.start, "events": period.events, "new_items": period.newItems, "rows": period.rows,
            "ways": Dictionary(
                uniqueKeysWithValues: zip(ways, period.scores).map { way, score in
                    (
                        way.name,
                        [
                            "hr@20": score.hitRate, "mrr@20": score.reciprocalRank, "steps": score.steps,
                            "seconds": score.seconds,
                        ] as [String: Any]
                    )
                }
            ),
        ]
    }

    /// A period as one line.
    fileprivate func line(of period: Period) -> String {
        let scores = zip(ways, period.scores).map { "\($0.name) \(String(format: "%.4f", $1.hitRate))" }
        return "\(period.start)  \(period.rows) rows  \(scores.joined(separator: "  "))"
    }
}
