import CheckpointStore
import Kernels
import Recommenders
import Testing
import Training

@Suite("Users who are many visitors") struct SharedUserTests {
    /// Rows of some users with four events each, and of further users with some events, in the order of time.
    private static func rows(users: Int, _ large: [(id: String, events: Int)]) -> [LogRow] {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: 3, purpose: .shuffle))
        let names =
            (0..<4 * users).map { "u\($0 % users)" } + large.flatMap { [String](repeating: $0.id, count: $0.events) }
        return names.shuffled(using: &generator).enumerated().map {
            ($1, "i\($0 * 7 % 31)", "\(1_600_000_000 + 60 * $0)")
        }
    }

    private func load(_ rows: [LogRow], _ change: (inout TargetConfiguration) -> Void = { _ in }) throws
        -> InteractionDataset
    {
        var (vocabulary, targets) = (ItemVocabulary(), TargetConfiguration())
        change(&targets)
        return try withFile(csv(rows)) {
            try InteractionDataset.load(events: EventSource(file: $0), targets: targets, vocabulary: &vocabulary)
        }
    }

    @Test("a user with half of the events is left out, whatever the id", arguments: ["null", "4711", "guest", "-1"])
    func leftOut(id: String) throws {
        let rows = Self.rows(users: 200, [(id, 800)])
        let (all, data) = (try load(rows) { $0.dropSharedUsers = false }, try load(rows))
        #expect(all.userCount == 201 && all.eventCount == 1600)
        #expect(data.userCount == 200 && data.eventCount == 800 && !data.userIDs.contains(id))
        let note = try #require(data.notes.first { $0.contains("many visitors") })
        #expect(
            note.contains("'\(id)' has 50.0 % of the events") && note.contains("--keep-shared-users")
                && note.contains("dropSharedUsers")
        )
        #expect(!all.notes.contains { $0.contains("many visitors") })
        #expect(data.digest == all.digest, "the digest identifies the file")
    }

    @Test("the others keep their events, in their order", arguments: 0..<3 as Range<UInt64>)
    func others(seed: UInt64) throws {
        let others = randomRows(users: 150, items: 9, longest: 8, seed: seed)
        var rows = others
        for event in 0..<2000 { rows.insert(("null", "i\(event % 9)", "\(event)"), at: rows.count * event / 2000) }
        let (found, alone) = (try load(rows), try load(others))
        func sequences(_ data: InteractionDataset) -> [String: Int] {
            Dictionary(uniqueKeysWithValues: zip(data.userIDs, data.sequences.lengths))
        }
        #expect(found.userIDs == alone.userIDs && sequences(found) == sequences(alone))
        #expect(found.lastTimestamps == alone.lastTimestamps)
    }

    @Test("weights stay with their events") func weights() throws {
        let rows = Self.rows(users: 120, [("null", 500)])
        let lines = rows.enumerated().map { "\($1.user),\($1.item),\($1.time),\($1.user == "null" ? 0 : $0)" }
        let text = (["user,item,timestamp,weight"] + lines).joined(separator: "\n")
        var (vocabulary, targets) = (ItemVocabulary(), TargetConfiguration())
        targets.weightColumn = "weight"
        let data = try withFile(text) {
            try InteractionDataset.load(events: EventSource(file: $0), targets: targets, vocabulary: &vocabulary)
        }
        let expected = rows.indices.filter { rows[$0].user != "null" }.map { Float($0) }
        #expect(data.weights.sorted() == expected.sorted())
        let first = try #require(data.userIDs.first)
        let own = rows.indices.filter { rows[$0].user == first }.map { Float($0) }
        #expect(Array(data.weights.prefix(own.count)) == own)
    }

    @Test(
        "a person, a few people, and users below the limits stay",
        arguments: [
            (0, [("me", 500)]), (99, [("null", 4000)]), (200, [("null", 80)]), (1000, [("null", 300)]),
            (200, [("4711", 500), ("script", 60)]), (120, [("ann", 450)]),
        ] as [(Int, [(id: String, events: Int)])]
    )
    func stays(users: Int, large: [(id: String, events: Int)]) throws {
        let rows = Self.rows(users: users, large)
        #expect(try load(rows).eventCount == rows.count)
    }

    @Test("a script beside it does not hide a user such as null, and two such users do not hide each other")
    func several() throws {
        let script = try load(Self.rows(users: 200, [("null", 500), ("script", 60)]))
        #expect(script.userCount == 201 && script.userIDs.contains("script"))
        let two = try load(Self.rows(users: 200, [("Guest", 900), ("a1b2", 600)]))
        #expect(two.userCount == 200 && two.notes.count { $0.contains("many visitors") } == 2)
    }

    @Test("named users are left out, and a name that no event has is told")
    func named() throws {
        let rows = Self.rows(users: 10, [])
        let data = try load(rows) { $0.dropUsers = KindList("u3,u5,nobody")! }
        #expect(data.userCount == 8 && data.eventCount == 32)
        #expect(data.notes.contains { $0.contains("4 events of the user 'u3' left out, 10.0 % of all") })
        #expect(data.notes.contains { $0.hasPrefix("warning: ") && $0.contains("no event has the user 'nobody'") })
        let error = #expect(throws: CSVError.self) { try load([("a", "x", "1")]) { $0.dropUsers = KindList("a")! } }
        #expect("\(error.map { "\($0)" } ?? "")".contains("Omit --drop-user"))
    }

    @Test("a report names the user once, and its figures are those of the training")
    func inspected() throws {
        let rows = Self.rows(users: 200, [("null", 800)])
        let report = try report(on: rows)
        #expect(report.users == 201 && report.events == 1600 && report.suspects.count == 0)
        #expect(report.sharedUsers.map(\.id) == ["null"] && report.sharedUsers.map(\.events) == [800])
        #expect(report.findings.count { $0.contains("The user 'null' has 50.0 % of the events") } == 1)
        #expect(try report.training.get().parts.reduce(0) { $0 + $1.users } == 200)
    }

    @Test("the training part decides for all parts, and the extent of the log has the events that were left out")
    func parts() throws {
        let (train, validation) = (Self.rows(users: 200, [("null", 800)]), Self.rows(users: 20, [("null", 300)]))
        try withFile(csv(train)) { train in
            try withFile(csv(validation), name: "validation.csv") { validation in
                let data = try TrainingData(train: train, validation: validation, test: nil, items: nil)
                #expect(data.split.validation.userIDs.count == 20 && data.split.train.userIDs.count == 200)
                #expect(!data.notes.contains { $0.contains("no event has the user") })
            }
            var targets = TargetConfiguration()
            targets.dropSharedUsers = false
            let source = EventSource(file: train)
            let all = try TrainingData(events: source, targets: targets, split: .users, seed: 1, items: nil)
            let learnt = try TrainingData(events: source, split: .users, seed: 1, items: nil)
            #expect(learnt.log?.events == all.log?.events && learnt.log?.newest == all.log?.newest)
        }
    }

    @Test("a log that is too small without such a user says so, with the way to keep the user")
    func tooSmall() throws {
        let rows =
            (0..<120).map { ("u\($0)", "i\($0 % 7)", "\($0)") } + (0..<600).map { ("null", "i\($0 % 9)", "\($0)") }
        let error = #expect(throws: SmallDataError.self) {
            try withFile(csv(rows)) { try TrainingData(events: $0, split: .users, seed: 1, items: nil) }
        }
        let text = "\(error.map { "\($0)" } ?? "")"
        #expect(text.contains("120 in all") && text.contains("'null'") && text.contains("--keep-shared-users"))
    }

    @Test("a version of a program that left out nobody keeps its users")
    func stored() throws {
        let old = Recipe().json.replacing(/"dropSharedUsers" : true,?/, with: "").replacing(
            /"dropUsers" : "",/,
            with: ""
        )
        #expect(!(try Recipe(stored: old).data.targets.dropSharedUsers))
        #expect(try Recipe(stored: Recipe().json).data.targets.dropSharedUsers)
    }
}
