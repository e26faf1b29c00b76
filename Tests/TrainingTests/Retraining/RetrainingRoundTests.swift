import CheckpointStore
import Foundation
import Kernels
import Recommenders
import Testing
import Training

@Suite("retraining round") struct RetrainingRoundTests {
    private struct Unfit: Error {}

    @Test("rounds over growing logs publish versions that continue each other and are judged on the newest day")
    func publishes() throws {
        try RetrainingFixture.run { fixture in
            let settings = try fixture.settings()
            try fixture.write(RetrainingFixture.days(3))
            let first = try #require(try RetrainingRound(settings).run(check: { _ in }))
            #expect(first.outcome == .published && first.activeVersion == 1 && first.judgement == nil)
            let idle = try #require(try RetrainingRound(settings).run(check: { _ in }))
            #expect(idle.outcome == .nothingNew && idle.activeVersion == 1)
            try fixture.write(RetrainingFixture.days(4))
            let second = try #require(try RetrainingRound(settings).run(check: { _ in }))
            let judgement = try #require(second.judgement)
            #expect(judgement.replaced == 1 && judgement.rows > 300 && judgement.rows <= 40 * 12)
            #expect(second.outcome == .published && !judgement.isWorse)
            let store = try CheckpointStore(path: fixture.store)
            #expect(try store.trainingState(model: "m") == nil)
            let manifest = try store.manifest(model: "m")
            #expect(manifest.version == 2 && manifest.origin?.version == 1 && manifest.judgement == judgement)
            // The newest day is not trained on.
            #expect(try #require(manifest.log).newest < Double(RetrainingFixture.start + 3 * 86_400 + 12 * 3600))
        }
    }

    @Test("a round keeps items that only a left-out user has, and counts that user's events in the extent of the log")
    func leavesOutUsers() throws {
        try RetrainingFixture.run { fixture in
            let settings = try fixture.settings()
            let others = RetrainingFixture.days(3)
            let shared = (0..<900).map { "null,own,\(RetrainingFixture.start + 60 * $0)" }
            try fixture.write(others + shared)
            let first = try #require(try RetrainingRound(settings).run(check: { _ in }))
            #expect(first.outcome == .published)
            let store = try CheckpointStore(path: fixture.store)
            let version = try store.load(model: "m", version: 1)
            #expect(version.catalogue.ids.contains("own"))
            let older = try #require(version.manifest.log)
            #expect(older.events > 900 && older.events <= others.count + 900)
            #expect(older.newest < Double(RetrainingFixture.start + 2 * 86_400 + 12 * 3600))
            // The next round notices that events of that user are missing.
            try fixture.write(others + shared.prefix(100))
            #expect(throws: ContinuationError.self) { try RetrainingRound(settings).run(check: { _ in }) }
        }
    }

    @Test("a round enters its stages in order, and ends early where it has nothing more to do")
    func stages() throws {
        try RetrainingFixture.run { fixture in
            let settings = try fixture.settings()
            func stages(_ check: (Checkpoint) throws -> Void = { _ in }) throws -> [RetrainingRound.Stage] {
                var stages: [RetrainingRound.Stage] = []
                _ = try RetrainingRound(settings).run(check: check, enter: { stages.append($0) })
                return stages
            }
            try fixture.write(RetrainingFixture.days(2))
            #expect(try stages() == RetrainingRound.Stage.allCases.filter { $0 != .judging })
            #expect(try stages() == [.reading])
            try fixture.write(RetrainingFixture.days(3))
            #expect(try stages { _ in throw Unfit() } == [.reading, .training, .checking, .finishing])
            #expect(try stages() == RetrainingRound.Stage.allCases)
        }
    }

    @Test("a version that fails the service's checks is not published")
    func keepsUnfit() throws {
        try RetrainingFixture.run { fixture in
            let settings = try fixture.settings()
            try fixture.write(RetrainingFixture.days(2))
            _ = try RetrainingRound(settings).run(check: { _ in })
            try fixture.write(RetrainingFixture.days(3))
            let record = try #require(try RetrainingRound(settings).run(check: { _ in throw Unfit() }))
            #expect(record.outcome == .unfit && record.activeVersion == 1 && record.reason.contains("Unfit"))
            let store = try CheckpointStore(path: fixture.store)
            #expect(try store.inventory(of: "m").count == 1)
            #expect(try store.activeVersion(of: "m") == 1)
        }
    }

    @Test("a stopped round changes nothing, and the next one continues or begins anew")
    func stops() throws {
        try RetrainingFixture.run { fixture in
            let settings = try fixture.settings()
            try fixture.write(RetrainingFixture.days(2))
            var steps = 0
            func round() throws -> RoundRecord? {
                try RetrainingRound(settings).run(
                    check: { _ in },
                    shouldStop: { steps == 5 },
                    report: { if case .step = $0 { steps += 1 } }
                )
            }
            #expect(try round() == nil)
            #expect(try CheckpointStore(path: fixture.store).models().isEmpty)
            steps = 100
            #expect(try round()?.outcome == .published)
            #expect(steps == 135)
            try fixture.write(RetrainingFixture.days(3))
            steps = 4
            #expect(try round() == nil)
            try fixture.write(RetrainingFixture.days(4))
            steps = 100
            #expect(try round()?.judgement != nil)
            #expect(steps == 106)
        }
    }

    @Test("events of the future fail the round, because one of them would pass for the newest day for ever")
    func future() throws {
        try RetrainingFixture.run { fixture in
            let settings = try fixture.settings()
            try fixture.write(RetrainingFixture.days(3) + ["u1,i1,32503680000"])
            let error = try #require(throws: RetrainingError.self) {
                try RetrainingRound(settings).run(check: { _ in })
            }
            #expect(error == .futureEvents(file: fixture.events, count: 1, newest: "3000-01-01 00:00:00"))
            #expect(try CheckpointStore(path: fixture.store).models().isEmpty)
            let hours = Int(Date.now.timeIntervalSince1970) + 14 * 3600
            try fixture.write(RetrainingFixture.days(3) + ["u1,i1,\(hours)"])
            #expect(try RetrainingRound(settings).run(check: { _ in })?.outcome == .published)
        }
    }

    @Test("a log that shrank fails the round, and the record says so")
    func failure() throws {
        try RetrainingFixture.run { fixture in
            let settings = try fixture.settings()
            try fixture.write(RetrainingFixture.days(3))
            _ = try RetrainingRound(settings).run(check: { _ in })
            try fixture.write(RetrainingFixture.days(3).filter { $0.hasPrefix("u1") })
            let round = RetrainingRound(settings)
            let error = try #require(throws: ContinuationError.self) { try round.run(check: { _ in }) }
            let record = round.failure(error)
            #expect(record.outcome == .failed && record.activeVersion == 1)
            #expect("\(error)".contains("--log-may-shrink"))
            #expect(record.reason.contains("allow it with \"logMayShrink\": true."), "\(record.reason)")
        }
    }

    @Test("a log whose times are ordinals, or all of one day, is refused")
    func unsuitableLogs() throws {
        try RetrainingFixture.run { fixture in
            let settings = try fixture.settings()
            try fixture.write((0..<20).map { "u\($0 % 4),i\($0),\($0)" })
            #expect(throws: RetrainingError.noClock(file: fixture.events)) {
                try RetrainingRound(settings).run(check: { _ in })
            }
            try fixture.write(RetrainingFixture.days(1))
            #expect(throws: RetrainingError.shortLog(file: fixture.events, hours: 24)) {
                try RetrainingRound(settings).run(check: { _ in })
            }
        }
    }

    @Test("settings name the file, the field and the fault")
    func settings() throws {
        let cases = [
            (#"{"model": "m", "events": "e.csv"}"#, "'store'"),
            (#"{"store": "s", "model": "a/b", "events": "e"}"#, "a/b"),
            (#"{"store": "s", "model": "m", "events": "e", "judge": {"hours": 0}}"#, "judge.hours"),
            (#"{"store": "s", "model": "m", "events": "e", "jugde": {}}"#, "jugde"), ("{", "JSON"),
            (#"{"store": "s", "model": "m", "events": []}"#, "'events'"),
            (#"{"store": "s", "model": "m", "events": ["a", ""]}"#, "'events'"),
            (#"{"store": "s", "model": "m", "events": 7}"#, "'events'"),
        ]
        for (json, part) in cases {
            try withFile(json, name: "retrain.json") { path in
                let error = try #require(throws: RetrainingError.self) { try RetrainingConfiguration(contentsOf: path) }
                #expect("\(error)".contains(path) && "\(error)".contains(part), "\(error)")
            }
        }
        try withFile(#"{"store": "s.sqlite", "model": "m", "events": "/data/e.csv"}"#, name: "retrain.json") { path in
            let settings = try RetrainingConfiguration(contentsOf: path)
            #expect(settings.store == URL(filePath: path).deletingLastPathComponent().appending(path: "s.sqlite").path)
            #expect(settings.events.names == ["/data/e.csv"] && settings.items.isEmpty)
        }
        let names = ["days", "logs/*.csv.gz", "-", "sqlite:a%3F.db?query=select 1", "sqlite:/b.db?query=select 1"]
        let server = "postgres://shop@db/shop?query=select 1"
        let json = String(decoding: try JSONEncoder().encode(names + [server]), as: UTF8.self)
        try withFile(#"{"store": "s", "model": "m", "events": \#(json)}"#, name: "retrain.json") { path in
            let folder = URL(filePath: path).deletingLastPathComponent().path
            let read = try RetrainingConfiguration(contentsOf: path).events.names
            let expected = [
                "\(folder)/days", "\(folder)/logs/*.csv.gz", "-", "sqlite:\(folder)/a%3F.db?query=select 1",
                "sqlite:/b.db?query=select 1", server,
            ]
            #expect(read == expected)
        }
    }

    @Test("the metric file has each metric with help and type, and one outcome is 1")
    func metrics() throws {
        let record = RoundRecord(
            outcome: .worse,
            reason: "",
            model: "m",
            activeVersion: 3,
            activeSince: "2026-11-29T01:02:03Z",
            judgement: VersionJudgement(
                replaced: 3,
                measure: "hr@20",
                rows: 500,
                old: 0.25,
                new: 0.2,
                low: -0.08,
                high: -0.01
            ),
            events: 100_000,
            newEvents: 700,
            startedAt: "2026-11-30T01:02:03Z",
            seconds: 12.5
        )
        let lines = record.metrics.split(separator: "\n").map(String.init)
        #expect(lines.count { $0.hasSuffix(" 1") && $0.hasPrefix("dimerec_retrain_outcome{") } == 1)
        #expect(lines.contains(#"dimerec_retrain_outcome{model="m",outcome="worse"} 1"#))
        #expect(lines.contains(#"dimerec_retrain_active_version{model="m"} 3"#))
        #expect(lines.contains(#"dimerec_retrain_active_version_timestamp_seconds{model="m"} 1795914123"#))
        #expect(lines.contains(#"dimerec_retrain_duration_seconds{model="m"} 12.5"#))
        #expect(lines.contains(#"dimerec_retrain_score{model="m",candidate="new",measure="hr@20"} 0.2"#))
        for line in lines where !line.hasPrefix("#") {
            let name = line.prefix { $0 != "{" }
            #expect(lines.contains { $0.hasPrefix("# HELP \(name) ") } && lines.contains("# TYPE \(name) gauge"))
        }
    }
}
