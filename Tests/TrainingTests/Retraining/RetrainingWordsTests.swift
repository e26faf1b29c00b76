import CheckpointStore
import Foundation
import Testing
import Training

@Suite("messages of a retraining round") struct RetrainingWordsTests {
    /// Options of `train` in a message; `retrain` has --full alone.
    private func options(in message: String) -> [String] {
        let found = message.matches(of: /--[a-z][a-z-]*/).map { String($0.output) }
        return found.filter { !["--full", "--drop-empty"].contains($0) }
    }

    @Test("errors name fields of the file instead of options")
    func errors() throws {
        let place = CSVError.Location(file: "f", line: 2, column: 1)
        let roles = ColumnRole.allCases
        let errors: [any Error] = [
            CSVError.unrecognisedHeader(roles, file: "f", found: [], files: 1),
            CSVError.ambiguousColumn(.categories, file: "f", names: ["a", "b"]),
            CSVError.unreadableTime(at: place, column: "c", text: "10:30"), CSVError.emptyID(at: place, column: "c"),
            CSVError.onlyDroppedUsers(["u"], log: "f"), SmallDataError.tooFewWithoutUsers(["u"], "Few."),
            ContinuationError.otherShape(version: 1, parameter: "p", was: [1], isNow: [2]),
            ContinuationError.otherSplit(version: 1, was: "a", isNow: "b"),
            ContinuationError.otherSystem(version: 1, was: "a", isNow: "b"),
            ContinuationError.shrunkLog(version: 1, was: 2, isNow: 1),
            ContinuationError.otherUnit(version: 1, was: "seconds", isNow: "milliseconds"),
            TrainingError.diverged(step: 3, term: "t", bestStep: 2),
        ]
        for error in errors {
            let text = RetrainingConfiguration.inFields("\(error)")
            #expect(options(in: text).isEmpty, "\(text)")
        }
        let header = RetrainingConfiguration.inFields("\(errors[0])")
        for role in roles {
            let field = role == .weight ? "data.targets.weightColumn of the recipe" : "`columns.\(role.rawValue)`"
            #expect(header.contains(field), "\(header)")
        }
        #expect(RetrainingConfiguration.inFields("\(errors[9])").contains("\"logMayShrink\": true"))
        let error = #expect(throws: RetrainingError.self) {
            try withFile(#"{"store": "s", "model": "a b", "events": "e"}"#) {
                try RetrainingConfiguration(contentsOf: $0)
            }
        }
        #expect(error.map { options(in: "\($0)").isEmpty && "\($0)".contains("`model`") } == true)
    }

    @Test("notes and the reason of a failure name fields of the file")
    func notes() throws {
        try RetrainingFixture.run { fixture in
            let lines = (0..<2).flatMap { RetrainingFixture.lines(users: 0..<120, day: $0) }
            let shared = (0..<900).map { "null,own,\(RetrainingFixture.start + 60 * $0)" }
            func settings(_ more: String = "") throws -> RetrainingConfiguration {
                let path = fixture.folder.appending(path: "retrain.json").path
                let files = #""store": "store.sqlite", "events": "events.csv", "recipe": "recipe.json""#
                let json = #"{"model": "m", \#(files)\#(more)}"#
                try Data(json.utf8).write(to: URL(filePath: path))
                return try RetrainingConfiguration(contentsOf: path)
            }
            try RetrainingFixture.recipe.write(to: fixture.folder.appending(path: "recipe.json").path)
            try Data((["user,item,when"] + lines + shared).joined(separator: "\n").utf8)
                .write(to: URL(filePath: fixture.events))
            var notes: [String] = []
            let round = try RetrainingRound(settings())
            let error = #expect(throws: RetrainingError.self) { try round.run(check: { _ in }, notes: { notes += $0 }) }
            #expect(notes.contains { $0.contains(#"name it with "columns": {"time": "when"}"#) }, "\(notes)")
            let reason = error.map { round.failure($0).reason } ?? ""
            #expect(reason.contains("`columns.time`"), "\(reason)")
            notes = []
            let named = try RetrainingRound(settings(#", "columns": {"time": "when"}"#))
            #expect(try named.run(check: { _ in }, notes: { notes += $0 })?.outcome == .published)
            #expect(notes.contains { $0.contains("data.split 'time' in the recipe") }, "\(notes)")
            #expect(notes.contains { $0.contains("false in data.targets of the recipe") }, "\(notes)")
            #expect(notes.allSatisfy { options(in: $0).isEmpty }, "\(notes)")
        }
    }
}
