import Foundation
import Kernels
import Testing
import Training

@Suite("Times of an events file") struct EventTimesTests {
    @Test("a file of nanoseconds in reverse order is read in time order")
    func nanoseconds() throws {
        var lines = ["user,item,timestamp"]
        for place in (0..<8).reversed() { lines.append("u,i\(place),\(1_700_000_000_000_000_000 + place)") }
        let loaded = try EventsFile.load(lines.joined(separator: "\n"))
        #expect(EventsFile.sequences(loaded) == ["u": (0..<8).map { "i\($0)" }])
        #expect(loaded.data.lastTimestamps.map(\.description) == ["1700000000000000007"])
    }

    @Test("a split by time orders users whose last events are a nanosecond apart")
    func nanosecondSplit() throws {
        var lines = ["user,item,timestamp"]
        for user in (0..<10).reversed() {
            lines += ["u\(user),a,1600000000000000000", "u\(user),b,\(1_700_000_000_000_000_000 + user)"]
        }
        let split = DataSplit(try EventsFile.load(lines.joined(separator: "\n")).data, by: .time, seed: 0)
        #expect(split.validation.userIDs == ["u8"] && split.test.userIDs == ["u9"])
    }

    @Test("the digest depends on each nanosecond, not on how a time is written")
    func digest() throws {
        func digest(_ time: String) throws -> String {
            try EventsFile.load("user,item,timestamp\nu,i,\(time)\n").data.digest
        }
        #expect(try digest("1700000000000000000") != digest("1700000000000000001"))
        #expect(try digest("1700000000000000001") == digest("1.700000000000000001e18"))
        #expect(try digest("1704103200.5") == digest("2024-01-01T10:00:00.5Z"))
        #expect(try digest("1704103200") == digest("2024-01-01 12:00:00+02:00"))
    }

    @Test("calendar times give the same order as times in seconds", arguments: 0..<4 as Range<UInt64>)
    func calendarTimes(seed: UInt64) throws {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        let format = Date.ISO8601FormatStyle()
        var (plain, calendar) = ("user,item,timestamp\n", "user,item,timestamp\n")
        for event in 0..<200 {
            let seconds = Int.random(in: -2_000_000_000...4_000_000_000, using: &generator)
            let text = Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(format)
            plain += "u\(event % 9),i\(event),\(seconds)\n"
            calendar += "u\(event % 9),i\(event),\(text)\n"
        }
        let (numbers, times) = (try EventsFile.load(plain), try EventsFile.load(calendar))
        #expect(numbers.data.sequences == times.data.sequences)
        #expect(numbers.data.digest == times.data.digest)
    }

    @Test(
        "a column that mixes forms is rejected with both values and lines",
        arguments: [
            ("5", "2024-01-01"), ("2024-01-01", "5"), ("2024-01-01T10:00:00", "2024-01-01T10:00:00Z"),
            ("2024-01-01 10:00:00", "1704103200"),
        ]
    )
    func mixedForms(first: String, other: String) throws {
        let text = try EventsFile.refusal("user,item,timestamp\nu,i,\(first)\nu,j,\(first)\nu,k,\(other)\n")
        #expect(text.hasPrefix("F:4:5: column 'timestamp' mixes forms of time: '\(other)' ("))
        #expect(text.contains("line 4") && text.contains("'\(first)' (") && text.contains("line 2"))
    }

    @Test(
        "dates among times count as the start of their day, with a note",
        arguments: [
            ["2024-01-01", "2024-01-01T10:00:00", "2024-01-02"],
            ["2024-01-01 00:00", "2024-01-01", "2 Jan 2024 09:00"],
            ["2024-01-01", "2024-01-01T10:00:00Z", "2024-01-02T00:00:00Z"],
        ]
    )
    func datesAmongTimes(times: [String]) throws {
        let rows = zip("abc", times).map { "u,\($0),\($1)\n" }.joined()
        let loaded = try EventsFile.load("user,item,timestamp\n" + rows)
        #expect(EventsFile.sequences(loaded) == ["u": ["a", "b", "c"]])
        #expect(loaded.data.notes.count { $0.contains("'2024-01-0") && $0.contains("start of its day") } == 1)
        #expect(throws: CSVError.self) {
            try EventsFile.load("user,item,timestamp\n\(rows)u,d,2024-01-03T00:00:00\nu,e,2024-01-03T00:00:00+01:00\n")
        }
    }

    @Test("a year of two digits gets the command that writes four")
    func shortYear() throws {
        let text = try EventsFile.refusal("user,item,timestamp\nu,i,12-Mar-24 10:00\n")
        #expect(text.contains("Write the year with four digits") && text.contains("31 Jan 2024 10:00"), "\(text)")
    }

    @Test("the error of an unreadable time lists the accepted forms")
    func unreadableTime() throws {
        let text = try EventsFile.refusal("user,item,timestamp\nu,i,soon\n")
        #expect(text.hasPrefix("F:2:5: 'soon' in column 'timestamp' is no time."))
        #expect(text.contains("2024-01-31T10:00:00.123Z"))
    }

    @Test(
        "a zone's name and a week date get their next step",
        arguments: [
            ("2025-03-03 16:40:56 Europe/Paris", "names the zone 'Europe/Paris'"),
            ("2025-03-03T16:40:56+01:00[Europe/Paris]", "names the zone 'Europe/Paris'"),
            ("2023-W33-7", "a date by its week"), ("2023W337", "a date by its week"),
        ]
    )
    func otherTimes(time: String, advice: String) throws {
        let text = try EventsFile.refusal("user,item,timestamp\nu,i,\(time)\n")
        #expect(text.contains(advice) && (text.contains("python3 -c") || text.contains("sed -E")), "\(text)")
    }

    @Test("dates in digits are dates if all numbers of the column are", arguments: ["", "0000", "000000"])
    func digitDates(timeOfDay: String) throws {
        func log(_ last: String) -> String {
            "user,item,timestamp\nu,b,20240301\(timeOfDay)\nu,a,20240229\(timeOfDay)\nu,c,\(last)\n"
        }
        let dates = try EventsFile.load(log("20240302" + timeOfDay))
        #expect(dates.data.lastTimestamps == [1_709_337_600] && EventsFile.sequences(dates) == ["u": ["a", "b", "c"]])
        #expect(dates.data.notes.contains { $0.contains("20240301\(timeOfDay)") && $0.contains("YYYYMMDD") })
        let numbers = try EventsFile.load(log("20240230" + timeOfDay))
        #expect(numbers.data.notes.isEmpty && EventsFile.sequences(numbers) == ["u": ["a", "c", "b"]])
    }

    @Test("a column that looks like times is named when no column is known to hold them")
    func timelike() throws {
        for time in ["2024-01-31 10:00:00", "1700000000", "1700000000000"] {
            let notes = try EventsFile.load("user,item,price,moment\nu,i,17.5,\(time)\n").data.notes
            #expect(notes.contains { $0.contains("'moment' looks like times: name it with --time-column 'moment'") })
            let text = try EventsFile.refusal("user,price,moment\nu,17.5,\(time)\n")
            #expect(
                text.contains("'price' (unknown, first") && text.contains("'moment' (unknown, looks like times, first")
            )
            #expect(text.contains("--item-column") && text.contains("--time-column"))
        }
        #expect(try !EventsFile.refusal("user,price\nu,17.5\n").contains("--time-column"))
    }

    @Test(
        "a date that must be converted first looks like times too, other texts do not",
        arguments: [
            ("01/02/2025 00:27:18", true), ("31.01.2024", true), ("2023-W33-7", true),
            ("2025-03-03 16:40 Europe/Paris", true),
            ("12-Mar-24 10:00", true), ("1.2.2024a", false), ("10.0.0.2024", false), ("2023-W", false),
            ("Europe/Paris", false),
        ]
    )
    func convertible(text: String, isTime: Bool) throws {
        let notes = try EventsFile.load("user,item,moment\nu,i,\(text)\n").data.notes
        #expect(notes.contains { $0.contains("'moment' looks like times") } == isTime, "\(notes)")
    }

    @Test("a column with the time of the day beside a column of dates is named, because it tells the order in a day")
    func timeOfDay() throws {
        for date in ["2024-01-31", "20240131", "31/01/2024"] {
            let log = "user,item,date,hour\nu,i,\(date),9:05\nu,j,\(date),08:10:00\n"
            let notes = try EventsFile.load(log).data.notes
            #expect(notes.contains { $0.contains("'hour' looks like the time of the day") }, "\(notes)")
        }
        for row in ["2024-01-31 10:00,9:05", "1700000000,9:05", "2024-01-31,5", "2024-01-31,9:5x"] {
            let notes = try EventsFile.load("user,item,date,hour\nu,i,\(row)\n").data.notes
            #expect(!notes.contains { $0.contains("time of the day") }, "\(notes)")
        }
    }

    @Test("without a column of times the file's order is used, with a warning")
    func noTimes() throws {
        let loaded = try EventsFile.load("user,item,price\nv,c,1\nu,b,9\nu,a,2\nv,a,3\n")
        #expect(EventsFile.sequences(loaded) == ["u": ["b", "a"], "v": ["c", "a"]])
        #expect(loaded.data.lastTimestamps == [3, 2])
        let note = try #require(loaded.data.notes.first)
        #expect(loaded.data.notes.count == 1 && note.hasPrefix("warning: ") && note.contains("--time-column"))
        #expect(note.contains("'price'"))
    }

    @Test("accepts negative and distant times", arguments: ["-5", "99999999999999999999", "9999-12-31", "0001-01-01"])
    func farTimes(time: String) throws {
        #expect(try EventsFile.load("user,item,timestamp\nu,i,\(time)\n").data.eventCount == 1)
    }

    @Test(
        "times in two units of one file are refused with both values and lines",
        arguments: [("1700000000", "1700000500000", "milliseconds"), ("1.7e9", "1700000500000000000", "nanoseconds")]
    )
    func mixedUnits(first: String, other: String, unit: String) throws {
        for order in ["0", "-1", "5"] {
            let rows = "u,i,\(first)\nu,z,\(order)\nv,j,\(other)\nu,k,\(first)\n"
            let text = try EventsFile.refusal("user,item,timestamp\n" + rows)
            let start = "F:4:5: column 'timestamp' counts \(unit) here (\(other)) and seconds in 'F'"
            #expect(text.hasPrefix(start), "\(text)")
            #expect(text.contains("(\(first), line 2)") && text.hasSuffix("Write all of them in one unit."))
        }
    }

    @Test("a log that counts from its own start may have times of every size")
    func ownStart() throws {
        // Microseconds of sixty days, an event an hour.
        let rows = (0..<1440).map { "u\($0 % 7),i,\($0 * 3_600_000_000)" }
        let data = try EventsFile.load("user,item,timestamp\n" + rows.joined(separator: "\n")).data
        #expect(data.eventCount == 1440 && data.notes.isEmpty, "\(data.notes)")
        // Microseconds of an hour, and of another one two days later.
        let two = (0..<600).map { "u\($0 % 7),i,\(($0 / 300 * 48 * 600 + $0) * 6_000_000)" }
        #expect(try EventsFile.load("user,item,timestamp\n" + two.joined(separator: "\n")).data.eventCount == 600)
    }

    @Test("single times of another unit are faults that a warning names, also in a log of one unit")
    func singleFaults() throws {
        for (time, odd) in [(1_700_000_000, 253_402_300_799), (1_700_000_000_000, 150_000_000), (1_700_000_000, 0)] {
            let rows = (0..<400).map { "u\($0 % 7),i,\($0 == 200 ? odd : time + $0)" }
            let notes = try EventsFile.load("user,item,timestamp\n" + rows.joined(separator: "\n")).data.notes
            #expect(notes.count == 1 && notes[0].contains("1 of 400 events has a time such as \(odd)"), "\(notes)")
        }
    }

    @Test("dates before 1973 need no warning") func oldDates() throws {
        let rows = (0..<400).map { "u\($0 % 7),i,\($0 % 10 == 0 ? "1970-01-01" : "2020-05-0\(1 + $0 % 9)")" }
        #expect(try EventsFile.load("user,item,timestamp\n" + rows.joined(separator: "\n")).data.notes.isEmpty)
    }

    @Test("a few numbers among dates in digits, and days of a spreadsheet, give a warning")
    func almostDates() throws {
        func notes(_ times: [String]) throws -> [String] {
            let rows = times.enumerated().map { "u\($0 % 3),i,\($1)" }
            return try EventsFile.load("user,item,timestamp\n" + rows.joined(separator: "\n")).data.notes
        }
        let dates = (10..<28).map { "202403\($0)" }
        let warned = try notes(dates + ["0", "20240230"])
        #expect(warned.count == 1 && warned[0].contains("18 of 20 times are dates"), "\(warned)")
        #expect(warned[0].contains(":20:6 has '0'"), "\(warned)")
        #expect(try notes(dates + ["0", "20240230", "5"]).isEmpty)
        #expect(try notes(["0"] + dates).first?.contains(":2:6 has '0'") == true)
        let days = try notes((0..<20).map { "\(45_000 + $0).25" })
        #expect(days.count == 1 && days[0].contains("days of a spreadsheet"))
        #expect(try notes((0..<20).map { "\(45_000 + $0)" }).isEmpty)
    }

    @Test(
        "an empty time is an error of its own",
        arguments: ["u,i,", "u,i,  ", "u,i,\"\"", "u,i,NULL", "u,i,NaT", "u,i,\\N"]
    )
    func emptyTime(row: String) throws {
        let text = try EventsFile.refusal("user,item,timestamp\nu,j,1\n\(row)\n")
        #expect(text.hasPrefix("F:3:") && text.contains("the time in column 'timestamp' is empty or missing"))
        #expect(text.contains("--drop-empty"))
    }

    @Test(
        "numbers with a decimal comma and times without a date get their remedy",
        arguments: [("\"45245,158\"", "sed 's/,/./g'"), ("10:51:09", "--time-column"), ("9:05 PM", "--time-column")]
    )
    func remedies(time: String, remedy: String) throws {
        #expect(try EventsFile.refusal("user,item,timestamp\nu,i,\(time)\n").contains(remedy))
    }

    @Test("times that do not fit a clock's give a warning")
    func oddTimes() throws {
        let rows = (0..<9).map { "u\($0 % 2),i,\(1_700_000_000 + $0)\n" }.joined()
        #expect(try EventsFile.load("user,item,timestamp\n" + rows).data.notes.isEmpty)
        let notes = try EventsFile.load("user,item,timestamp\nu0,i,0\n" + rows + "u1,i,-5\n").data.notes
        #expect(notes.count == 1 && notes[0].contains(": 2 of 11 events have a time such as 0"), "\(notes)")
    }
}
