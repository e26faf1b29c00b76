import CheckpointStore
import Foundation
import Kernels
import Testing
import Training

@Suite("Small data") struct SmallDataTests {
    /// Users with the given numbers of events.
    private func csv(_ lengths: [Int]) -> String {
        var lines = ["user,item,timestamp"]
        for (user, length) in lengths.enumerated() {
            for event in 0..<length { lines.append("u\(user),i\(event),\(user * 100 + event)") }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func data(_ lengths: [Int], _ kind: SplitKind) throws -> TrainingData {
        try withFile(csv(lengths)) { try TrainingData(events: $0, split: kind, seed: 1, items: nil) }
    }

    @Test("a split without rows is replaced by one with rows, and a warning names both", arguments: SplitKind.allCases)
    func fallsBack(kind: SplitKind) throws {
        let data = try data([8, 8], kind)
        #expect(data.splitKind == .leaveOneOut && data.split.hasRows)
        #expect(data.fingerprint.split == "leave-one-out")
        guard kind != .leaveOneOut else {
            #expect(data.notes.count == 1 && data.notes[0].contains("only 2 targets"))
            return
        }
        #expect(data.notes.count == 2 && data.notes[0].hasPrefix("warning: "))
        #expect(data.notes[0].contains("'\(kind.rawValue)'") && data.notes[0].contains("'leave-one-out'"))
    }

    @Test("without a request, users with most of the events are not held out whole", arguments: [false, true])
    func fewUsersHaveMostEvents(hasClock: Bool) throws {
        func log(_ longUsers: [String]) -> String {
            let rows = (0..<400).flatMap { user in
                (0..<(longUsers.contains("u\(user)") ? 400 : 5)).map { event in
                    let time = hasClock ? 1_700_000_000 + 86_400 * user + 60 * event : event
                    return "u\(user),i\((user + event) % 50),\(time)\n"
                }
            }
            return "user,item,timestamp\n" + rows.joined()
        }
        func data(_ longUsers: [String], _ kind: SplitKind? = nil) throws -> TrainingData {
            try withFile(log(longUsers)) { try TrainingData(events: $0, split: kind, seed: 1, items: nil) }
        }
        let short = try data([])
        #expect(short.splitKind == (hasClock ? .time : .users))
        let long = Array(short.split.test.userIDs.suffix(12))
        let chosen = try data(long)
        #expect(chosen.splitKind == .leaveOneOut && chosen.splitReason.contains("most of the events"))
        #expect(chosen.split.train.sequences.ids.count == 388 * 3 + 12 * 398)
        #expect(chosen.notes.contains { $0.hasPrefix("the split is 'leave-one-out': the users whom ") })
        #expect(chosen.notes.contains { $0.contains("flatters") } == hasClock)
        #expect(try data(long, short.splitKind).splitReason == "it was asked for")
    }

    @Test("leave-one-out is replaced when no user has enough events")
    func shortSequences() throws {
        let data = try data([Int](repeating: 2, count: 10), .leaveOneOut)
        #expect(data.splitKind == .time && data.split.hasRows && data.notes.count == 2)
    }

    @Test("a split with rows is kept", arguments: SplitKind.allCases)
    func stays(kind: SplitKind) throws {
        let data = try data([Int](repeating: 5, count: 60), kind)
        #expect(data.splitKind == kind && data.notes.allSatisfy { $0.contains("targets, so chance") })
    }

    @Test("a validation part with few targets is warned of, a larger one is not")
    func fewTargets() throws {
        let few = try data([Int](repeating: 9, count: 60), .users)
        let count = few.split.validation.sequences.ids.count - few.split.validation.sequences.count
        #expect(count < 100 && few.notes.contains { $0.contains("only \(count) targets") })
        #expect(try data([Int](repeating: 40, count: 60), .users).notes.isEmpty)
    }

    @Test(
        "data that no split suits are rejected with the needed amounts",
        arguments: [[1], [1, 1, 1], [3], [2, 2], [Int](repeating: 1, count: 500)]
    )
    func tooFew(lengths: [Int]) throws {
        for kind in SplitKind.allCases {
            let error = #expect(throws: SmallDataError.self) { try data(lengths, kind) }
            let text = "\(error.map(String.init(describing:)) ?? "")"
            #expect(
                text.contains("\(lengths.reduce(0, +)) in all") && text.contains("users: \(lengths.count)")
                    && text.contains("4 events")
            )
        }
    }

    @Test("a log with few targets is told apart from a small log")
    func fewEventsAreTargets() throws {
        var targets = TargetConfiguration()
        targets.minRating = 9
        let log = "user,item,rating\n" + (0..<40).map { "u\($0 % 10),i\($0),5\n" }.joined()
        try withFile(log) { path in
            let error = #expect(throws: SmallDataError.self) {
                try TrainingData(events: EventSource(file: path), targets: targets, split: nil, seed: 1, items: nil)
            }
            #expect(error?.description.contains("40 in all, 0 of them targets, at most 4 per user") == true)
            #expect(error?.description.hasSuffix("Let more events be targets.") == true)
        }
    }

    @Test("the promised amounts are enough", arguments: [[4], [Int](repeating: 2, count: 10)])
    func enough(lengths: [Int]) throws {
        for kind in SplitKind.allCases { #expect(try data(lengths, kind).split.hasRows) }
    }

    @Test("files without rows are rejected before training")
    func files() throws {
        try withFile(csv([5, 5])) { good in
            try withFile(csv([1, 1])) { bad in
                for (train, validation) in [(good, bad), (bad, good)] {
                    #expect(throws: SmallDataError.noRows(file: bad, users: 2)) {
                        try TrainingData(train: train, validation: validation, test: nil, items: nil)
                    }
                }
            }
        }
    }

    @Test("evaluation uses the fallback split of the training")
    func evaluation() throws {
        try withFile(csv([8, 8]), name: "events.csv") { events in
            let store = try CheckpointStore(
                path: URL(filePath: events).deletingLastPathComponent().appending(path: "store.sqlite").path
            )
            let recipe = try Recipe(json: Data("{\"system\":\"popularity\"}".utf8))
            let data = try TrainingData(events: events, split: .users, seed: 1, items: nil)
            _ = try TrainingJob(recipe: recipe, data: data, seed: 1, model: "m").run(store: store, resume: false)
            let stored = try store.load(model: "m")
            func held(_ kind: SplitKind?) throws -> HeldOutData {
                try HeldOutData(
                    events: EventSource(file: events),
                    split: kind,
                    part: .test,
                    manifest: stored.manifest,
                    catalogue: stored.catalogue
                )
            }
            #expect(try held(nil).part == data.split.test)
            #expect(throws: HeldOutError.otherSplit(asked: "users", trained: "leave-one-out", version: 1)) {
                try held(.users)
            }
        }
    }
}
