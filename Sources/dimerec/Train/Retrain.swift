import ArgumentParser
import CheckpointStore
import Foundation
import Kernels
import Serving
import Training

/// `retrain`: one nightly round, from the new events to the active version.
struct Retrain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a new version from the active one, and publish it unless it is worse on the newest day.",
        discussion: """
            The new version becomes active if it passes the service's checks and is not worse than the active one beyond noise. \
            Exit codes: 0 a new version is active, 4 the active version stays because the new one is worse or unfit, 5 too few \
            new events, 6 another round is running, 1 or 3 the round failed and the active version stays.
            """
    )

    @Option(help: "Settings of the round, JSON.", completion: .file()) var config: String
    @Flag(help: "Train from nothing instead of continuing from the active version.") var full = false
    @Flag(help: "Print one JSON object at the end.") var json = false

    func run() throws {
        Allocator.keepFreedMemory()
        let settings = try RetrainingConfiguration(contentsOf: config)
        let path = "\(settings.store).\(settings.model).retrain.lock"
        guard let lock = try FileLock(path: path) else { throw RetrainingError.locked(file: path) }
        defer { withExtendedLifetime(lock) {} }
        let round = RetrainingRound(settings, isFull: full)
        let interruption = Interruption()
        var view = TrainingProgressView()
        let record: RoundRecord?
        do {
            record = try round.run(
                check: { _ = try SnapshotBuilder.standard().build($0, generation: 1) },
                shouldStop: { interruption.wasRequested },
                enter: { view.show($0) },
                notes: { Terminal.write(notes: $0) },
                report: { view.show($0) }
            )
        } catch {
            try write(round.failure(error), settings)
            guard let code = ExitCode(failure: error) else { throw error }
            Terminal.write("dimerec: \(RetrainingConfiguration.inFields("\(error)"))\n")
            throw code
        }
        guard let record else {
            Terminal.write("stopped; the next round on the same log continues\n")
            throw ExitCode.interrupted
        }
        try write(record, settings)
        try print(record)
        switch record.outcome {
        case .published: return
        case .worse, .unfit: throw ExitCode.keptVersion
        case .nothingNew: throw ExitCode.nothingNew
        case .failed: throw ExitCode.failure
        }
    }

    /// Writes the metric file and the record.
    private func write(_ record: RoundRecord, _ settings: RetrainingConfiguration) throws {
        if !settings.metrics.isEmpty { try record.writeMetrics(to: settings.metrics) }
        if !settings.record.isEmpty { try record.write(to: settings.record) }
    }

    private func print(_ record: RoundRecord) throws {
        guard !json else {
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            Terminal.print(String(decoding: try encoder.encode(record), as: UTF8.self))
            return
        }
        let active = record.activeVersion.map { "version \($0) is active" } ?? "no version is active"
        Terminal.print("\(record.model): \(record.outcome.rawValue); \(active)\n\(record.reason)")
    }
}

extension ExitCode {
    /// The active version stays, because the new one is worse or unfit.
    static let keptVersion = ExitCode(4)
    /// A retraining round had too few new events.
    static let nothingNew = ExitCode(5)
    /// Another retraining round is running.
    static let roundIsRunning = ExitCode(6)
}
