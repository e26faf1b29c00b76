import ArgumentParser
import CheckpointStore
import Foundation
import Kernels
import Training

/// `bench robustness`: training without a recipe on made-up logs, against simple systems.
struct RobustnessBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "robustness",
        abstract: "Train without a recipe on made-up logs of many kinds, and compare the answers with simple systems."
    )

    @Option(
        help:
            "Names of logs, separated by commas; all by default: \(MadeUpLog.all.map(\.name).joined(separator: ", "))."
    )
    var logs: String?
    @Option(help: "Seconds of each training.") var maxSeconds = 20.0
    @Option(help: "Seed of the logs and of the trainings.") var seed: UInt64 = 42
    @Flag(help: "Print one JSON object a log.") var json = false

    func validate() throws {
        try TrainingBudgetOptions.require(maxSeconds)
        _ = try chosen()
    }

    private func chosen() throws -> [MadeUpLog] {
        guard let logs else { return MadeUpLog.all }
        return try logs.split(separator: ",").map { text in
            let name = text.trimmingCharacters(in: .whitespaces)
            guard let log = MadeUpLog.all.first(where: { $0.name == name }) else {
                throw ValidationError(
                    "--logs: '\(name)' is none of \(MadeUpLog.all.map(\.name).joined(separator: ", "))."
                )
            }
            return log
        }
    }

    func run() throws {
        Allocator.keepFreedMemory()
        let folder = FileManager.default.temporaryDirectory.appending(path: "dimerec-robustness-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try CheckpointStore(path: folder.appending(path: "state.sqlite").path)
        let benchmark = RobustnessBenchmark(seed: seed, budget: TrainingBudget(seconds: maxSeconds), store: store)
        if !json {
            Terminal.print(
                "HR@20 / MRR@20 in percent on the test part; margin in HR@20 and MRR@20 to the best of the others\n"
            )
            Terminal.print(
                Self.line(["log", "served", "without counts", "best guidance", "best simple system", "margin"])
            )
        }
        for log in try chosen() { show(log, try benchmark.run(on: log.data(seed: seed))) }
    }

    private func show(_ log: MadeUpLog, _ result: RobustnessBenchmark.Result) {
        let served = result.readOuts[0]
        let guidance = result.readOuts.filter { $0.name.hasPrefix("guidance") }
        let others = guidance + result.simple
        let best = (others.map(\.hitRate).max() ?? 0, others.map(\.reciprocalRank).max() ?? 0)
        if json {
            func values(_ list: [RobustnessBenchmark.Accuracy]) -> [String: [String: Double]] {
                Dictionary(
                    uniqueKeysWithValues: list.map { ($0.name, ["hr@20": $0.hitRate, "mrr@20": $0.reciprocalRank]) }
                )
            }
            let fields: [String: Any] = [
                "log": log.name, "rows": result.rows, "read_outs": values(result.readOuts),
                "simple": values(result.simple), "standard_error": result.standardError,
            ]
            return Terminal.print(JSONObject(fields).line)
        }
        func text(_ accuracy: RobustnessBenchmark.Accuracy?) -> String {
            guard let accuracy else { return "-" }
            return String(format: "%.2f / %.2f", 100 * accuracy.hitRate, 100 * accuracy.reciprocalRank)
        }
        let simple = result.simple.max { $0.hitRate < $1.hitRate }
        Terminal.print(
            Self.line([
                log.name, text(served), text(result.readOuts.first { $0.name == "without-counts" }),
                text(guidance.max { $0.hitRate < $1.hitRate }), "\(simple?.name ?? "-") \(text(simple))",
                String(
                    format: "%+.2f (se %.2f) / %+.2f",
                    100 * (served.hitRate - best.0),
                    100 * result.standardError,
                    100 * (served.reciprocalRank - best.1)
                ),
            ])
        )
    }

    private static func line(_ cells: [String]) -> String {
        zip(cells, [14, 16, 16, 16, 32, 0])
            .map { $0.padding(toLength: max($1, $0.count), withPad: " ", startingAt: 0) }.joined()
    }
}
