import CheckpointStore
import Foundation
import Kernels
import Recommenders
import Testing
import Training

@Suite("log of a retraining round") struct RetrainingLogTests {
    private static func day(_ day: Int) -> [String] {
        RetrainingFixture.lines(users: day * 40..<day * 40 + 40, day: day)
    }

    /// Settings whose events are some names in the folder of a fixture.
    private func settings(_ fixture: RetrainingFixture, _ events: [String], store: String) throws
        -> RetrainingConfiguration
    {
        let recipe = fixture.folder.appending(path: "recipe.json").path
        try RetrainingFixture.recipe.write(to: recipe)
        let fields: [String: Any] = ["store": store, "model": "m", "events": events, "recipe": "recipe.json"]
        let path = fixture.folder.appending(path: "retrain.json").path
        try JSONSerialization.data(withJSONObject: fields).write(to: URL(filePath: path))
        return try RetrainingConfiguration(contentsOf: path)
    }

    private func write(_ lines: [String], _ fixture: RetrainingFixture, _ name: String) throws {
        let file = fixture.folder.appending(path: name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data((["user,item,timestamp"] + lines).joined(separator: "\n").utf8).write(to: file)
    }

    private func run(_ fixture: RetrainingFixture, _ words: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.currentDirectoryURL = fixture.folder
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(words)")
    }

    /// The parameters of the active version after one round.
    private func trained(_ settings: RetrainingConfiguration) throws -> [String: Matrix] {
        let record = try #require(try RetrainingRound(settings).run(check: { _ in }))
        #expect(record.outcome == .published)
        return try CheckpointStore(path: settings.store).load(model: "m").parameters
    }

    @Test("a folder, a pattern, compressed files, a database and several names train the version of one file")
    func parts() throws {
        try RetrainingFixture.run { fixture in
            let days = (0..<3).map(Self.day)
            try fixture.write(days.flatMap { $0 })
            for (number, lines) in days.enumerated() { try write(lines, fixture, "days/2023-11-1\(number).csv") }
            for (number, lines) in days.enumerated() { try write(lines, fixture, "gz/\(number).csv") }
            try run(fixture, "gzip", "gz/0.csv", "gz/1.csv", "gz/2.csv")
            try run(fixture, "sqlite3", "log.db", ".import --csv events.csv clicks")
            let whole = try trained(settings(fixture, ["events.csv"], store: "whole.sqlite"))
            let query = "select * from clicks order by rowid"
            let others = [
                ["days"], ["gz/*.csv.gz"], ["sqlite:log.db?query=\(query)"],
                ["days/2023-11-10.csv", "gz/1.csv.gz", "sqlite:log.db?query=\(query) limit -1 offset 960"],
            ]
            for (number, events) in others.enumerated() {
                let version = try trained(settings(fixture, events, store: "\(number).sqlite"))
                #expect(version == whole, "\(events)")
            }
        }
    }

    @Test("a log of several files that lost one, or writes ids or times in another way, is refused with both values")
    func refusals() throws {
        try RetrainingFixture.run { fixture in
            let settings = try settings(fixture, ["days"], store: "store.sqlite")
            func refused() throws -> String {
                let round = RetrainingRound(settings)
                let error = try #require(throws: (any Error).self) { try round.run(check: { _ in }) }
                let record = round.failure(error)
                #expect(record.outcome == .failed && record.activeVersion == 1)
                return "\(error)".replacing(fixture.folder.path, with: "D")
            }
            for day in 0..<3 { try write(Self.day(day), fixture, "days/\(day).csv") }
            _ = try trained(settings)
            try write(Self.day(3), fixture, "days/3.csv")
            for lost in 1...2 { try FileManager.default.removeItem(atPath: "\(fixture.folder.path)/days/\(lost).csv") }
            try write(Array(Self.day(0).prefix(100)), fixture, "days/0.csv")
            let events = (before: try #require(try fixture.parent().log).events, now: 100 + 480)
            #expect(events.before > events.now)
            #expect(try refused().contains("had \(events.before) events, and now it has \(events.now)"))
            for day in 0..<4 {
                try write(Self.day(day).map { $0.replacing(",i", with: ",1") }, fixture, "days/\(day).csv")
            }
            #expect(try refused().contains("the version has 'i"))
            for day in 0..<4 { try write(Self.day(day).map { $0 + "000" }, fixture, "days/\(day).csv") }
            #expect(try refused().contains("were seconds, and now they are milliseconds"))
            try write(Self.day(0), fixture, "days/0.csv")
            let mixed = try refused()
            #expect(mixed.contains("D/days/1.csv:2") && mixed.contains("D/days/0.csv"), "\(mixed)")
            for day in 0..<4 { try FileManager.default.removeItem(atPath: "\(fixture.folder.path)/days/\(day).csv") }
            #expect(try refused().contains("'D/days' gives no log"))
        }
    }
}
