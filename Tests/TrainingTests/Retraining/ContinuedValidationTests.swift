import CheckpointStore
import Foundation
import Kernels
import Testing
import Training

/// Which events judge a version that continues another.
@Suite("validation of continued trainings") struct ContinuedValidationTests {
    /// 600 users of the first day; half of them come back on the third, with 600 new users.
    private static let first = RetrainingFixture.lines(users: 0..<600, day: 0)
    private static let grown = first + RetrainingFixture.lines(users: 300..<1200, day: 2, events: 6)

    /// The user and the time of every line.
    private static func times(_ lines: [String]) -> [String: [Double]] {
        let fields = lines.map { $0.split(separator: ",") }
        return Dictionary(grouping: fields) { String($0[0]) }.mapValues { $0.compactMap { Double($0[2]) }.sorted() }
    }

    /// The times of the targets that judge in a part.
    private static func judging(_ part: DataPart, _ times: [String: [Double]]) -> [Double] {
        let rows = EvaluationRows(part, protocol: .allPrefixes)
        return (0..<rows.count).compactMap { times[part.userIDs[rows.user(of: $0)]]?[rows.cut(of: $0)] }
    }

    @Test("by time, only events that the earlier version does not know judge, and users without such are learnt from")
    func judgesByNewEvents() throws {
        try RetrainingFixture.run { fixture in
            try fixture.write(Self.first)
            try fixture.train(split: .time)
            try fixture.write(Self.grown)
            let parent = try fixture.parent()
            let newest = try #require(parent.log?.newest)
            let (data, times) = (try fixture.data(split: .time, continuing: parent), Self.times(Self.grown))
            #expect(data.learntUntil == newest)
            for part in [data.split.validation, data.split.test] {
                let judging = Self.judging(part, times)
                #expect(judging.count == part.sequences.count * 6 - part.sequences.lengths.count { $0 == 6 })
                #expect(judging.allSatisfy { $0 > newest })
            }
            // 900 users have new events, 100 of them for each of the two parts.
            #expect(data.split.validation.userIDs.count == 100 && data.split.test.userIDs.count == 100)
            let held = Set(data.split.validation.userIDs + data.split.test.userIDs)
            #expect(held.isDisjoint(with: data.split.train.userIDs) && data.split.train.userIDs.count == 1000)
            // A training from nothing is judged by all events of its held-out users.
            let whole = try fixture.data(split: .time)
            #expect(whole.learntUntil == nil)
            #expect(Self.judging(whole.split.test, times).contains { $0 <= newest })
        }
    }

    @Test("the rows of every protocol are those of the new events")
    func everyProtocol() throws {
        try RetrainingFixture.run { fixture in
            try fixture.write(Self.first)
            try fixture.train(split: .time)
            try fixture.write(Self.grown)
            let part = try fixture.data(split: .time, continuing: fixture.parent()).split.test
            for `protocol` in EvaluationProtocol.allCases {
                let rows = EvaluationRows(part, protocol: `protocol`)
                let users = (0..<rows.count).map(rows.user)
                #expect(Set(users).count == 100, "\(`protocol`)")
                for row in 0..<rows.count {
                    let count = part.sequences[rows.user(of: row)].count
                    #expect(rows.cut(of: row) >= max(1, count - 6))
                }
                if `protocol` == .lastItem || `protocol` == .nextAfter80 { #expect(users.count == 100) }
            }
        }
    }

    @Test("by users, the parts stay, and new events judge them")
    func judgesHashedUsers() throws {
        try RetrainingFixture.run { fixture in
            try fixture.write(Self.first)
            try fixture.train()
            try fixture.write(Self.grown)
            let (data, whole) = (try fixture.data(continuing: fixture.parent()), try fixture.data())
            let (times, newest) = (Self.times(Self.grown), try #require(data.learntUntil))
            for part in [SplitPart.validation, .test] {
                #expect(data.split[part].userIDs == whole.split[part].userIDs)
                #expect(Self.judging(whole.split[part], times).contains { $0 <= newest })
                let judging = Self.judging(data.split[part], times)
                #expect(!judging.isEmpty && judging.allSatisfy { $0 > newest })
            }
        }
    }

    @Test("the version can be tested on its log by the rows that its training held out, and without a warning")
    func testsTheSameRows() throws {
        try RetrainingFixture.run { fixture in
            try fixture.write(Self.first)
            try fixture.train(split: .time)
            try fixture.write(Self.grown)
            let parent = try fixture.parent()
            let data = try fixture.data(split: .time, continuing: parent)
            let version = try fixture.train(from: parent, split: .time)
            #expect(version.manifest.origin?.learntUntil == parent.log?.newest)
            let held = try HeldOutData(
                events: EventSource(file: fixture.events),
                split: nil,
                part: .test,
                manifest: version.manifest,
                catalogue: version.catalogue
            )
            #expect(held.part == data.split.test)
            #expect(!held.notes.contains { $0.contains("too good") })
        }
    }

    @Test("where new events are few, all events of the held-out users judge, with a warning", arguments: [1, 50])
    func warnsOfFewNewEvents(users: Int) throws {
        try RetrainingFixture.run { fixture in
            try fixture.write(Self.first)
            try fixture.train(split: .time)
            try fixture.write(Self.first + RetrainingFixture.lines(users: 0..<users, day: 2))
            let parent = try fixture.parent()
            let data = try fixture.data(split: .time, continuing: parent)
            let whole = try fixture.data(split: .time)
            #expect(data.learntUntil == nil && data.split == whole.split)
            #expect(try #require(parent.noteOfJudging(by: data)).contains("too good"))
            let former = try CheckpointStore(path: fixture.store).load(model: "m")
            let version = try fixture.train(from: parent, split: .time)
            #expect(version.manifest.origin == VersionOrigin(model: "m", version: 1, fullSteps: 40))
            // Rows that the network knows do not weigh it: the weights of the counts stay, and the counts are new.
            let weights = try #require(former.parameters["counts.weights"])
            #expect(version.parameters["counts.weights"] == weights)
            let counts = { (version: Checkpoint) in version.parameters.filter { $0.key.hasPrefix("counts.") } }
            #expect(counts(version) != counts(former))
        }
    }

    @Test("where only known events validate, the last weights are kept, even if they validate worse")
    func keepsLastWeights() throws {
        try RetrainingFixture.run { fixture in
            try fixture.write(Self.first)
            try fixture.train()
            try fixture.write(Self.first + RetrainingFixture.lines(users: 0..<2, day: 2))
            let parent = try fixture.parent()
            var recipe = RetrainingFixture.recipe
            recipe.training.learningRate = 2
            recipe.continuation.share = 1
            let data = try fixture.data(continuing: parent)
            // Which seeds get worse with such a rate depends on the last bits of the CPU's arithmetic.
            let becameWorse = try (1...8 as ClosedRange<UInt64>).contains { seed in
                let job = TrainingJob(recipe: recipe, data: data, seed: seed, model: "m", from: parent)
                var hitRates: [Double] = []
                _ = try job.run(
                    store: CheckpointStore(path: fixture.store),
                    resume: false,
                    report: { event in
                        guard case .validation(_, let metrics, let isBest) = event else { return }
                        hitRates.append(metrics["hr@20", default: 0])
                        #expect(isBest)
                    }
                )
                #expect(hitRates.count == 4)
                return hitRates != hitRates.sorted()
            }
            #expect(becameWorse)
        }
    }

    @Test("after a version without a test part, the whole chain has a warning", arguments: SplitKind.allCases)
    func warnsAfterVersionWithoutTest(kind: SplitKind) throws {
        try RetrainingFixture.run { fixture in
            try fixture.write(Self.first)
            let source = EventSource(file: fixture.events)
            let whole = try TrainingData(events: source, split: kind, seed: 1, items: nil, holdsOutTest: false)
            #expect(whole.split.test.userIDs.isEmpty)
            let (store, recipe) = (try CheckpointStore(path: fixture.store), RetrainingFixture.recipe)
            _ = try TrainingJob(recipe: recipe, data: whole, seed: 1, model: "m").run(store: store, resume: false)
            try fixture.write(Self.first + RetrainingFixture.lines(users: 0..<2, day: 2))
            for _ in 0..<2 {
                let parent = try fixture.parent()
                let data = try fixture.data(split: kind, continuing: parent)
                #expect(data.learntUntil == nil)
                #expect(try #require(parent.noteOfJudging(by: data)).contains("too good"))
                let version = try fixture.train(from: parent, split: kind)
                #expect(version.manifest.origin?.learntTest == true && version.manifest.data.holdsOutTest == nil)
            }
        }
    }

    @Test("a log without a clock is refused without a test part, because newer events would be unknown")
    func needsClock() throws {
        try withFile("user,item,timestamp\nu,a,1\nu,b,2\nu,c,3\nu,d,4\n") { path in
            #expect(throws: SmallDataError.noClockForTest(file: path)) {
                try TrainingData(
                    events: EventSource(file: path),
                    split: .users,
                    seed: 1,
                    items: nil,
                    holdsOutTest: false
                )
            }
        }
    }
}
