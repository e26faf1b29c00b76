import Foundation
import Kernels
import Testing
import Training

@Suite("Log faults") struct LogFaultTests {
    @Test("duplicates equal a count of equal rows", arguments: 0..<4 as Range<UInt64>)
    func duplicates(seed: UInt64) throws {
        let rows = randomRows(users: 12, items: 3, longest: 20, seed: seed).map { row in
            (row.user, row.item, "\((Int(row.time) ?? 0) / 5)")
        }
        var counts: [String: Int] = [:]
        for row in rows { counts["\(row.0) \(row.1) \(row.2)", default: 0] += 1 }
        let found = try report(on: rows).duplicates
        #expect(found.rows == counts.values.reduce(0) { $0 + $1 - 1 })
        let most = counts.values.filter { $0 > 1 }.sorted(by: >).prefix(5)
        #expect(found.examples.map(\.rows) == Array(most))
        for example in found.examples {
            #expect(counts["\(example.user) \(example.item) \(example.time)"] == example.rows)
        }
    }

    @Test(
        "ids that differ only in case, zeros or the form of Unicode are pointed out",
        arguments: [
            ("Ann@x", "ann@X"), ("caf\u{E9}", "cafe\u{301}"), ("007", "7"), ("12", "12.0"), ("0", "000"),
            ("\u{C4}", "\u{E4}"),
        ]
    )
    func alikeIDs(first: String, second: String) throws {
        let rows: [LogRow] = [first, second, first, "other"].enumerated().map { ($1, "i\($0)", "\($0)") }
        let users = try report(on: rows)
        #expect(users.alikeUsers.count == 1 && users.alikeItems.count == 0 && users.users == 3)
        #expect(users.alikeUsers.example.map { Array($0.utf8) } == [first, second].map { Array($0.utf8) })
        #expect(users.findings.contains { $0.hasPrefix("1 user has an id that is almost another one's") })
        let items = try report(on: rows.map { ($0.item, $0.user, $0.time) })
        #expect(items.alikeItems.count == 1 && items.alikeUsers.count == 0)
    }

    @Test("ids that differ otherwise are not alike") func unlikeIDs() throws {
        let ids = ["7", "70", "7.5", "7.00", "a", "a ", "0a", "a0", "u-1", "u1", "", "00x"].filter { !$0.isEmpty }
        let report = try report(on: ids.enumerated().map { ($1, "i\($0)", "\($0)") })
        #expect(report.alikeUsers.count == 0 && report.alikeUsers.example.isEmpty && report.users == ids.count)
    }

    @Test("times that differ beyond a Double are no duplicates") func nanoseconds() throws {
        let rows = (0..<9).map { ("u", "i", "\(1_700_000_000_000_000_000 + $0)") }
        let report = try report(on: rows + [rows[4]])
        #expect(report.duplicates.rows == 1 && report.times.ties == 1)
        #expect(report.duplicates.examples.map(\.rows) == [2])
    }

    /// Users with three events each, a minute apart.
    private static let people: [LogRow] = (0..<50).flatMap { user in
        (0..<3).map { ("person\(user)", "i\($0)", "\(1_600_000_000 + user * 1000 + $0 * 60)") }
    }

    @Test("more than 600 times in an hour are suspect, a basket of one time or a slow reader is not") func rate() throws
    {
        func report(_ count: Int, every seconds: Double) throws -> LogReport {
            let own = (0..<count).map { number in
                ("fast", "i\(number % 9)", "\(1_600_000_000 + Int(Double(number) * seconds))")
            }
            // So many events a user are usual here, so that only the rate can be suspect.
            let usual = (0..<count).flatMap { number in
                (0..<4).map { ("reader\($0)", "i\(number % 7)", "\(1_600_000_000 + number * 3600)") }
            }
            return try TrainingTests.report(on: own + usual)
        }
        let script = try report(601, every: 5.9).suspects
        #expect(script.count == 1 && script.events == 601 && script.users.map(\.id) == ["fast"])
        #expect(script.users.first?.busiestHour == 601)
        #expect(try report(601, every: 6).suspects.count == 0)
        #expect(try report(601, every: 0).suspects.count == 0)
        #expect(try report(600, every: 1).suspects.count == 0)
        // Times that are no clock's, in a log whose others are, say nothing of a rate.
        let ordinals = (0...700).map { ("counter", "i\($0 % 9)", "\($0)") }
        let clock = (0..<2000).map { ("reader\($0 % 4)", "i\($0 % 7)", "\(1_600_000_000 + $0 * 3600)") }
        #expect(try !TrainingTests.report(on: ordinals + clock).suspects.users.contains { ($0.busiestHour ?? 0) > 600 })
    }

    @Test("a user with far more events than others is suspect", arguments: [100, 101])
    func length(count: Int) throws {
        let own = (0..<count).map { ("long", "i\($0 % 9)", "\(1_600_000_000 + $0 * 86_400)") }
        let report = try report(on: Self.people + own)
        #expect(report.suspects.mostEvents == 100)
        #expect(report.suspects.users.map(\.id) == (count > 100 ? ["long"] : []))
        #expect(report.findings.contains { $0.contains("do not behave like people") } == (count > 100))
    }

    @Test(
        "a log that a training refuses still gets a report",
        arguments: [
            [("a", "x", "1")], [("a", "x", "1"), ("a", "y", "2"), ("a", "x", "3")],
            (0..<30).map { ("u\($0)", "i\($0 % 2)", "1600000000") },
        ] as [[LogRow]]
    )
    func refused(rows: [LogRow]) throws {
        let report = try report(on: rows)
        #expect(throws: SmallDataError.self) { try report.training.get() }
        #expect(report.events == rows.count)
        #expect(report.findings.first?.contains("would refuse this log") == true)
        let object = try #require(try JSONSerialization.jsonObject(with: report.json) as? [String: Any])
        #expect((object["refusal"] as? String)?.contains("Too few events") == true && object["training"] == nil)
        #expect(report.html.contains("would refuse this log") && report.text.contains("would refuse this log"))
    }

    @Test("one user with enough events is split by leave-one-out") func oneUser() throws {
        let report = try report(on: (0..<6).map { ("only", "i\($0)", "\($0)") })
        let outlook = try report.training.get()
        #expect(report.users == 1 && outlook.split == "leave-one-out" && outlook.splitReason.contains("'users'"))
        #expect(outlook.parts.map(\.events) == [4, 1, 1] && outlook.parts.map(\.targets) == [3, 1, 1])
        #expect(report.findings.first?.contains("HR@20 says nothing") == true)
    }

    @Test("a bad file gives the reader's error") func badFiles() throws {
        #expect(throws: CSVError.empty(file: "/nowhere/log.csv")) {
            do { _ = try LogReport(events: "/nowhere/log.csv") } catch CSVError.unreadable(let file, _) {
                throw CSVError.empty(file: file)
            }
        }
        let error = #expect(throws: CSVError.self) { try report(on: "user,item,timestamp\n") }
        #expect("\(error.map { "\($0)" } ?? "")".contains("No rows in"))
        #expect(throws: CSVError.self) { try report(on: "user,item,timestamp\na,x,soon\n") }
        #expect(throws: CSVError.self) { try report(on: "user,thing\na,x\n") }
        try withFile("item,title\nx,1\nx,2\n", name: "items.csv") { items in
            try withFile("user,item\na,x\n") { events in
                #expect(throws: CSVError.self) { try LogReport(events: events, items: items) }
            }
        }
    }
}
