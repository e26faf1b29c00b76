public import CheckpointStore
import Foundation
import Kernels

/// The result of a retraining round.
public struct RoundRecord: Codable, Sendable, Equatable {
    /// How a round ended.
    public enum Outcome: String, Codable, Sendable, CaseIterable {
        /// The new version is published and active.
        case published
        /// The new version was worse than the active one, beyond noise; the active one stays.
        case worse
        /// The new version failed the service's checks; the active one stays.
        case unfit
        /// The log has too few new events; nothing was trained.
        case nothingNew = "nothing-new"
        /// The round failed; the active version stays.
        case failed
    }

    /// How the round ended.
    public var outcome: Outcome
    /// The reason, for people.
    public var reason: String
    /// The name of the model.
    public var model: String
    /// The active version after the round; nil when there is none.
    public var activeVersion: Int?
    /// When the active version was published, ISO 8601 in UTC.
    public var activeSince: String?
    /// The comparison of the active version and the new one; nil when there was none.
    public var judgement: VersionJudgement?
    /// Events of the log.
    public var events: Int?
    /// Events since the active version's newest one.
    public var newEvents: Int?
    /// When the round began, ISO 8601 in UTC.
    public var startedAt: String
    /// How long the round took.
    public var seconds: Double

    /// A record with all of its fields.
    package init(
        outcome: Outcome,
        reason: String,
        model: String,
        activeVersion: Int?,
        activeSince: String?,
        judgement: VersionJudgement? = nil,
        events: Int? = nil,
        newEvents: Int? = nil,
        startedAt: String,
        seconds: Double
    ) {
        (self.outcome, self.reason, self.model) = (outcome, reason, model)
        (self.activeVersion, self.activeSince, self.judgement) = (activeVersion, activeSince, judgement)
        (self.events, self.newEvents, self.startedAt, self.seconds) = (events, newEvents, startedAt, seconds)
    }

    /// Writes the record as JSON, atomically.
    public func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        try DurableFile.write(encoder.encode(self), to: path)
    }

    /// Writes ``metrics`` atomically, for the textfile collector of Prometheus' node exporter.
    public func writeMetrics(to path: String) throws { try DurableFile.write(Data(metrics.utf8), to: path) }

    /// The record in Prometheus' text format.
    public var metrics: String {
        let model = "model=\"\(model)\""
        func time(_ text: String?) -> Double? {
            text.flatMap { try? Date($0, strategy: .iso8601) }?.timeIntervalSince1970
        }
        var text = ""
        func add(_ name: String, _ help: String, _ samples: [(labels: String, value: Double?)]) {
            let given = samples.compactMap { sample in sample.value.map { (sample.labels, $0) } }
            guard !given.isEmpty else { return }
            text += "# HELP dimerec_retrain_\(name) \(help)\n# TYPE dimerec_retrain_\(name) gauge\n"
            for (labels, value) in given { text += "dimerec_retrain_\(name){\(labels)} \(NumberText.exact(value))\n" }
        }
        add(
            "outcome",
            "1 for the way the last round ended, 0 for the others.",
            Outcome.allCases.map { ("\(model),outcome=\"\($0.rawValue)\"", $0 == outcome ? 1 : 0) }
        )
        add("last_round_timestamp_seconds", "When the last round began.", [(model, time(startedAt))])
        add("duration_seconds", "How long the last round took.", [(model, seconds)])
        add("active_version", "The active version after the last round.", [(model, activeVersion.map(Double.init))])
        add(
            "active_version_timestamp_seconds",
            "When the active version was published.",
            [(model, time(activeSince))]
        )
        add("events", "Events of the log.", [(model, events.map(Double.init))])
        add(
            "new_events",
            "Events since the newest one that the active version learnt from.",
            [(model, newEvents.map(Double.init))]
        )
        add("judged_events", "Events by which the last round judged.", [(model, judgement.map { Double($0.rows) })])
        add(
            "score",
            "The judged measure of the replaced or kept version and of the new one.",
            [
                ("\(model),candidate=\"active\",measure=\"\(judgement?.measure ?? "")\"", judgement?.old),
                ("\(model),candidate=\"new\",measure=\"\(judgement?.measure ?? "")\"", judgement?.new),
            ]
        )
        return text
    }
}

extension NumberText {
    /// All digits of a number; whole numbers without a fraction.
    static func exact(_ value: Double) -> String { Int(exactly: value).map { "\($0)" } ?? "\(value)" }
}
