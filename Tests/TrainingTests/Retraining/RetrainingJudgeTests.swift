import CheckpointStore
import Foundation
import Recommenders
import Testing
import Training

@Suite("judge of a retraining round") struct RetrainingJudgeTests {
    @Test("a version that is worse beyond noise is not published")
    func keepsBetter() throws {
        try RetrainingFixture.run { fixture in
            // Counts know the circle of the items, which rows that start at their neighbours would know too. The
            // continuation has no counts and destroys its weights.
            try fixture.write(RetrainingFixture.days(2))
            var good = RetrainingFixture.recipe
            (good.training.maxSteps, good.training.itemStart) = (150, .random)
            _ = try RetrainingRound(fixture.settings(good)).run(check: { _ in })
            try fixture.write(RetrainingFixture.days(3))
            var bad = good
            bad.counts.enabled = false
            (bad.training.learningRate, bad.continuation.learningRate, bad.continuation.share) = (0.5, 1, 0.1)
            let record = try #require(try RetrainingRound(fixture.settings(bad)).run(check: { _ in }))
            let judgement = try #require(record.judgement)
            #expect(judgement.old > judgement.new && judgement.high < 0, "\(judgement)")
            #expect(record.outcome == .worse && record.activeVersion == 1)
            #expect(try CheckpointStore(path: fixture.store).inventory(of: "m").count == 1)
        }
    }

    @Test("events of few users are drawn one by one, so that one user's difference has an interval")
    func fewUsers() throws {
        try RetrainingFixture.run { fixture in
            let old = RetrainingFixture.days(2)
            try fixture.write(old)
            var recipe = RetrainingFixture.recipe
            (recipe.training.maxSteps, recipe.training.itemStart) = (150, .random)
            _ = try RetrainingRound(fixture.settings(recipe)).run(check: { _ in })
            try fixture.write(
                old + RetrainingFixture.lines(users: 200..<201, day: 3, events: 3)
                    + RetrainingFixture.lines(users: 200..<201, day: 4, events: 121)
            )
            var other = recipe
            (other.counts.enabled, other.training.learningRate, other.continuation.learningRate) = (false, 0.5, 1)
            var settings = try fixture.settings(other)
            settings.judge.measure = .reciprocalRank
            let record = try #require(try RetrainingRound(settings).run(check: { _ in }))
            let judgement = try #require(record.judgement, "\(record)")
            #expect(judgement.users == 1 && judgement.rows >= 100 && judgement.low < judgement.high, "\(judgement)")
            #expect(record.reason.contains(" events of 1 user, difference"), "\(record.reason)")
        }
    }

    @Test("a round with one new event to judge by keeps the version and says why, unless the settings allow it")
    func oneRow() throws {
        try RetrainingFixture.run { fixture in
            var settings = try fixture.settings()
            try fixture.write(RetrainingFixture.days(2))
            _ = try RetrainingRound(settings).run(check: { _ in })
            let late = RetrainingFixture.lines(users: 0..<1, day: 9, events: 1)
            try fixture.write(RetrainingFixture.days(3) + late)
            let idle = try #require(try RetrainingRound(settings).run(check: { _ in }))
            #expect(idle.outcome == .nothingNew && idle.activeVersion == 1)
            #expect(
                idle.reason.hasPrefix("1 new event to judge by, too few") && idle.reason.contains("judge.minimumRows")
            )
            settings.judge.minimumRows = 1
            let record = try #require(try RetrainingRound(settings).run(check: { _ in }))
            #expect(record.judgement?.rows == 1 && record.reason.hasSuffix("so few events show large differences only"))
        }
    }

    @Test("a round whose judging events all ask for new items keeps the version and advises a shorter time to judge")
    func newItemsOnly() throws {
        try RetrainingFixture.run { fixture in
            var settings = try fixture.settings()
            try fixture.write(RetrainingFixture.days(2))
            _ = try RetrainingRound(settings).run(check: { _ in })
            // The items of the last two days are their own, so those of the newest day are new to every version.
            let fresh = (2..<4).flatMap { day in
                RetrainingFixture.lines(users: day * 40..<day * 40 + 40, day: day).map {
                    $0.replacing(",i", with: ",day\(day)-")
                }
            }
            try fixture.write(RetrainingFixture.days(2) + fresh)
            let idle = try #require(try RetrainingRound(settings).run(check: { _ in }))
            #expect(idle.outcome == .nothingNew && idle.activeVersion == 1)
            #expect(idle.reason.contains(" to judge by ask for an item that a version can know"), "\(idle.reason)")
            #expect(idle.reason.contains("lower judge.hours, now 24"), "\(idle.reason)")
            // Half of the newest day's events come after others of the same day.
            settings.judge.hours = 5
            let record = try #require(try RetrainingRound(settings).run(check: { _ in }))
            let judgement = try #require(record.judgement, "\(record)")
            #expect(judgement.unknown == 0 && judgement.new > judgement.old, "\(judgement)")
            #expect(record.outcome == .published && !record.reason.contains("neither version"), "\(record.reason)")
        }
    }
}
