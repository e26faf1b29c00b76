import Foundation
import Kernels
import Testing
import Training

@Suite("Log times") struct LogTimeTests {
    /// Times of one user and another, in seconds; from Thursday 4 to Friday 26 January 2024, 10:00 UTC.
    private static let seconds = [
        1_704_362_400, 1_704_362_430, 1_704_362_430, 1_704_449_000, 1_705_000_000, 1_706_263_200,
    ]

    private func rows(_ time: (Int) -> String) -> [LogRow] {
        Self.seconds.enumerated().map { ("u\($0 % 2)", "i\($0 % 5)", time($1)) }
    }

    private func iso(_ seconds: Int) -> String {
        Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
    }

    @Test("a clock's unit does not change the report, apart from its name") func units() throws {
        let reference = try report(on: rows { "\($0)" })
        #expect(reference.times.scale == .seconds && reference.times.hasColumn)
        let others: [(TimeScale, (Int) -> String)] = [
            (.milliseconds, { "\($0)000" }), (.microseconds, { "\($0)000000" }), (.nanoseconds, { "\($0)000000000" }),
            (.seconds, iso), (.seconds, { "\($0).0" }),
        ]
        for (scale, text) in others {
            let report = try report(on: rows(text))
            #expect(report.times.scale == scale)
            #expect(report.times.first == reference.times.first && report.times.last == reference.times.last)
            #expect(report.times.gapSeconds == reference.times.gapSeconds && report.times.gaps == reference.times.gaps)
            #expect(report.activity == reference.activity && report.times.ties == reference.times.ties)
        }
        #expect(reference.times.first == "2024-01-04 10:00:00" && reference.times.last == "2024-01-26 10:00:00")
    }

    @Test("gaps are between successive events of a user, and ties are counted apart") func gaps() throws {
        let times = try report(
            on: [
                ("a", "x", "1600000000"), ("b", "x", "1600000005"), ("a", "y", "1600000060"), ("a", "z", "1600000060"),
                ("b", "y", "1600003605"), ("a", "x", "1600086460"),
            ]
        ).times
        // a: 60 s, a tie, one day; b: one hour.
        #expect(times.ties == 1 && times.gapSeconds == Quantiles([60, 86_400, 3600]))
        let found = times.gaps.filter { $0.count > 0 }
        #expect(
            found.map(\.range) == ["up to 1 min", "up to 1 h", "up to 1 day"] && found.allSatisfy { $0.count == 1 }
        )
    }

    @Test("weeks begin on Monday, days at midnight, and empty ones are listed") func periods() throws {
        let day = 86_400
        let monday = 1_704_067_200  // Monday 1 January 2024
        func activity(_ times: [Int]) throws -> ActivityStatistics {
            try report(on: times.enumerated().map { ("u", "i\($0 % 2)", "\($1)") }).activity
        }
        let weeks = try activity([monday, monday + 6 * day, monday + 7 * day, monday + 60 * day])
        #expect(weeks.step == .week && weeks.periods.count == 9)
        #expect(weeks.periods.map(\.start).prefix(3) == ["2024-01-01", "2024-01-08", "2024-01-15"])
        #expect(weeks.periods.map(\.events) == [2, 1, 0, 0, 0, 0, 0, 0, 1])
        #expect(weeks.periods.map(\.newItems) == [2, 0, 0, 0, 0, 0, 0, 0, 0])
        let days = try activity([monday + 3 * day - 1, monday + 3 * day, monday + 6 * day])
        #expect(days.step == .day && days.periods.map(\.events) == [1, 1, 0, 0, 1])
        #expect(days.periods.map(\.start).prefix(2) == ["2024-01-03", "2024-01-04"])
        let hours = try activity([monday + 3599, monday + 3600])
        #expect(hours.step == .hour && hours.periods.map(\.start) == ["2024-01-01 00:00:00", "2024-01-01 01:00:00"])
        #expect(try activity([monday, monday + 2000 * day]).step == .fourWeeks)
        #expect(try activity([monday - 9000 * day, monday]).step == .year)
    }

    @Test("every event and item is in one period", arguments: 0..<3 as Range<UInt64>)
    func sums(seed: UInt64) throws {
        let ordinals = randomRows(users: 20, items: 9, longest: 9, seed: seed)
        let clock = ordinals.map { ($0.user, $0.item, "\(1_600_000_000 + (Int($0.time) ?? 0) * 777_777)") }
        for rows in [ordinals, clock] {
            let report = try report(on: rows)
            #expect(report.activity.periods.reduce(0) { $0 + $1.events } == rows.count)
            #expect(report.activity.periods.reduce(0) { $0 + $1.newItems } == Set(rows.map { $0.1 }).count)
        }
    }

    @Test("ordinals have no gaps, and tenths of the rows as periods") func ordinals() throws {
        let report = try report(on: (0..<160).map { ("u\($0 / 4)", "i\($0)", "\($0 % 4)") })
        #expect(report.times.scale == .ordinals && report.times.gapSeconds == nil && report.times.gaps.isEmpty)
        #expect(report.times.first == "0" && report.times.last == "3")
        #expect(
            report.activity.step == .tenth && report.activity.periods.map(\.events) == [Int](repeating: 16, count: 10)
        )
        #expect(report.activity.newItemShareOfLastTenth == 1)
        #expect(try report.training.get().olderTargets == nil)
        #expect(try report.training.get().split == "users")
    }

    @Test("a clock splits by time, and says how many targets are older than the training") func clock() throws {
        // Users come one after another.
        let rows = (0..<20).flatMap { user in
            (0..<3).map { ("u\(user)", "i\($0)", "\(1_600_000_000 + user * 10 + $0)") }
        }
        let outlook = try report(on: rows).training.get()
        #expect(outlook.split == "time" && outlook.splitReason.contains("clock") && outlook.olderTargets == 0)
        // u15 is the last training user; u16 of the validation part has targets at 161 and 162.
        func olderTargets(endOfTraining time: Int) throws -> Int? {
            let moved = rows.map { row in
                (row.0, row.1, row.0 == "u15" && row.1 == "i2" ? "\(1_600_000_000 + time)" : row.2)
            }
            return try report(on: moved).training.get().olderTargets
        }
        #expect(try olderTargets(endOfTraining: 161) == 0)
        #expect(try olderTargets(endOfTraining: 162) == 1)
    }

    @Test("without a column of times the order of the rows counts, and the report says so") func noTimes() throws {
        let report = try report(on: "user,item\na,x\na,y\nb,x\na,x\na,x\n")
        #expect(!report.times.hasColumn && report.duplicates.rows == 0 && report.repeats.repeats == 2)
        #expect(report.findings.contains { $0.contains("no column of times") })
        #expect(report.notes.contains { $0.contains("no column of times") })
        #expect(report.text.contains("cannot be told from a repeated event"))
    }

    @Test(
        "a time that does not fit the others is counted and left out of gaps and periods",
        arguments: ["0", "-5", "1e300", "-1e300"]
    )
    func oddTime(text: String) throws {
        var rows: [LogRow] = (0..<30).map { ("u\($0 % 3)", "i\($0)", "\(1_600_000_000 + $0 * 86_400)") }
        rows[0].time = text
        let report = try report(on: rows)
        #expect(report.times.oddTimes == 1 && report.times.scale == .seconds)
        #expect(report.times.gapSeconds?.most == 259_200.0)
        #expect(report.activity.step == .day && report.activity.periods.count == 29)
        #expect(report.findings.contains { $0.contains("does not fit") })
    }

    @Test("events of the future are counted") func future() throws {
        var rows: [LogRow] = (0..<30).map { ("u\($0 % 3)", "i\($0)", "\(1_600_000_000 + $0 * 86_400)") }
        #expect(try report(on: rows).times.futureEvents == 0)
        rows[0].time = "32503680000"
        let report = try report(on: rows)
        #expect(report.times.futureEvents == 1 && report.times.oddTimes == 0)
        #expect(report.findings.contains { $0.contains("1 event lies in the future, the newest at 3000-01-01") })
    }

    @Test("numbers beyond any clock are ordinals") func beyondClocks() throws {
        let report = try report(on: (0..<20).map { ("u\($0 % 4)", "i\($0)", "\($0)e300") })
        #expect(report.times.scale == .ordinals && report.activity.step == .tenth)
    }
}
