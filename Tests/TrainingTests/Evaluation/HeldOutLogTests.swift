import CheckpointStore
import Foundation
import Kernels
import Testing
import Training

@Suite("the log that a version was trained on") struct HeldOutLogTests {
    private static var recipe: Recipe {
        var recipe = RetrainingFixture.recipe
        recipe.data.split = .time
        return recipe
    }

    /// Events of three days, which are not in the order of their times.
    private static let lines = (0..<3).flatMap { RetrainingFixture.lines(users: $0 * 40..<$0 * 40 + 40, day: $0) }
        .reversed()

    private func write(_ header: String, _ lines: some Sequence<String>, _ fixture: RetrainingFixture) throws {
        try Data(([header] + lines).joined(separator: "\n").utf8).write(to: URL(filePath: fixture.events))
    }

    private func heldOut(
        _ checkpoint: Checkpoint,
        _ fixture: RetrainingFixture,
        columns: EventColumns = EventColumns()
    ) throws -> HeldOutData {
        try HeldOutData(
            events: EventSource(file: fixture.events),
            columns: columns,
            split: nil,
            part: .test,
            manifest: checkpoint.manifest,
            catalogue: checkpoint.catalogue
        )
    }

    @Test("an evaluation reads the columns that the training was given")
    func columns() throws {
        try RetrainingFixture.run { fixture in
            try write("user,item,when", Self.lines, fixture)
            let columns = EventColumns(time: "when")
            let data = try TrainingData(events: fixture.events, columns: columns, split: .time, seed: 1, items: nil)
            let store = try CheckpointStore(path: fixture.store)
            _ = try TrainingJob(recipe: Self.recipe, data: data, seed: 1, model: "m").run(store: store, resume: false)
            var checkpoint = try store.load(model: "m")
            #expect(checkpoint.manifest.columns == ["time": "when"])
            let expected = data.split.test
            #expect(try heldOut(checkpoint, fixture).part.sequences == expected.sequences)
            // A copy of the log may have other names, and a version of an older program remembers none.
            try write("user,item,timestamp", Self.lines, fixture)
            #expect(try heldOut(checkpoint, fixture).part.sequences == expected.sequences)
            try write("user,item,when", Self.lines, fixture)
            checkpoint.manifest.columns = nil
            let error = #expect(throws: HeldOutError.self) { try heldOut(checkpoint, fixture) }
            let text = "\(error.map(String.init(describing:)) ?? "")"
            #expect(text.contains("add the --time-column of the training"), "\(text)")
            #expect(text.contains("times in seconds, and these are 1,440 events with ordinals"), "\(text)")
            #expect(try heldOut(checkpoint, fixture, columns: columns).part.sequences == expected.sequences)
        }
    }

    @Test("an evaluation takes the events that a version was trained on, and refuses a log in which they changed")
    func grownLog() throws {
        try RetrainingFixture.run { fixture in
            let newest = Double(RetrainingFixture.start + 2 * 86_400 - 1)
            let older = Self.lines.filter { Double($0.split(separator: ",")[2]).map { $0 <= newest } ?? false }
            try write("user,item,timestamp", older, fixture)
            let checkpoint = try fixture.train(Self.recipe, split: .time)
            let alone = try heldOut(checkpoint, fixture)
            try write("user,item,timestamp", Self.lines, fixture)
            let found = try heldOut(checkpoint, fixture)
            let later = "\(Self.lines.count - older.count) later events left out"
            #expect(found.notes.contains { $0.contains(later) }, "\(found.notes)")
            #expect(found.part.sequences == alone.part.sequences && found.part.userIDs == alone.part.userIDs)
            #expect(found.trainSequences == alone.trainSequences && !alone.part.userIDs.isEmpty)
            try write("user,item,timestamp", Self.lines.dropLast(), fixture)
            #expect(throws: HeldOutError.self) { try heldOut(checkpoint, fixture) }
        }
    }

    @Test("left-out users count for the identity of the part of a grown log that a version was trained on")
    func leftOutUsers() throws {
        try RetrainingFixture.run { fixture in
            let older = Self.lines.filter { Double($0.split(separator: ",")[2]).map { $0 < 1_700_170_000 } ?? false }
            try write("user,item,timestamp", older, fixture)
            var recipe = Self.recipe
            recipe.data.targets.dropUsers = try #require(KindList("u1,u50"))
            let (source, targets) = (EventSource(file: fixture.events), recipe.data.targets)
            let data = try TrainingData(events: source, targets: targets, split: .time, seed: 1, items: nil)
            let store = try CheckpointStore(path: fixture.store)
            _ = try TrainingJob(recipe: recipe, data: data, seed: 1, model: "m").run(store: store, resume: false)
            let checkpoint = try store.load(model: "m")
            try write("user,item,timestamp", Self.lines, fixture)
            let found = try HeldOutData(
                events: source,
                targets: targets,
                split: nil,
                part: .test,
                manifest: checkpoint.manifest,
                catalogue: checkpoint.catalogue
            )
            #expect(found.part.sequences == data.split.test.sequences)
        }
    }

    @Test("a round learns from all events before its judge's, so the newer events test its version")
    func round() throws {
        try RetrainingFixture.run { fixture in
            try write("user,item,when", Self.lines, fixture)
            try Self.recipe.write(to: fixture.folder.appending(path: "recipe.json").path)
            let settings = """
                {"store": "store.sqlite", "model": "m", "events": "events.csv", "recipe": "recipe.json",
                 "columns": {"time": "when"}}
                """
            let path = fixture.folder.appending(path: "retrain.json").path
            try Data(settings.utf8).write(to: URL(filePath: path))
            _ = try RetrainingRound(RetrainingConfiguration(contentsOf: path)).run(check: { _ in })
            let checkpoint = try CheckpointStore(path: fixture.store).load(model: "m")
            #expect(checkpoint.manifest.data.holdsOutTest == false)
            let newest = try #require(checkpoint.manifest.log).newest
            var (older, newer): ([String: Int], [String: Int]) = ([:], [:])
            for fields in Self.lines.map({ $0.split(separator: ",") }) {
                let isOlder = Double(fields[2]).map { $0 <= newest } ?? false
                (isOlder ? { older[$0, default: 0] += 1 } : { newer[$0, default: 0] += 1 })(String(fields[0]))
            }
            let found = try heldOut(checkpoint, fixture)
            #expect(Set(found.part.userIDs) == Set(newer.keys) && !newer.isEmpty)
            let rows = EvaluationRows(found.part, protocol: .allPrefixes)
            // Every newer event with another one before it is a target.
            #expect(rows.count == newer.reduce(0) { $0 + $1.value - (older[$1.key] == nil ? 1 : 0) })
            #expect(found.trainSequences?.ids.count == older.values.reduce(0, +))
            let kept = Self.lines.filter { Double($0.split(separator: ",")[2]).map { $0 <= newest } ?? false }
            try write("user,item,when", kept, fixture)
            let error = #expect(throws: HeldOutError.self) { try heldOut(checkpoint, fixture) }
            #expect("\(error.map(String.init(describing:)) ?? "")".contains("only events newer than its log test"))
            // In another unit all events would seem newer.
            try write("user,item,when", Self.lines.map { $0 + "000" }, fixture)
            let other = #expect(throws: HeldOutError.self) { try heldOut(checkpoint, fixture) }
            #expect("\(other.map(String.init(describing:)) ?? "")".contains("times in seconds, and these are"))
        }
    }
}
