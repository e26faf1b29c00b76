import CheckpointStore
import Kernels
import Testing
import Training

/// The oracle: numbers as strings of digits, without Double and its rounding.
private struct Digits: Comparable {
    let text: String
    private let whole: String
    private let fraction: String
    private let isNegative: Bool

    /// A plain decimal without exponent.
    init(_ text: String) {
        self.text = text
        isNegative = text.hasPrefix("-")
        let parts = text.drop { $0 == "-" }.split(separator: ".", omittingEmptySubsequences: false)
        whole = String(parts[0].drop { $0 == "0" })
        fraction = parts.count > 1 ? String(parts[1]) : ""
    }

    private var isZero: Bool { whole.isEmpty && fraction.allSatisfy { $0 == "0" } }

    private static func isSmaller(_ a: Digits, _ b: Digits) -> Bool {
        guard a.whole.count == b.whole.count else { return a.whole.count < b.whole.count }
        let width = max(a.fraction.count, b.fraction.count)
        func padded(_ digits: Digits) -> String {
            digits.whole + digits.fraction + String(repeating: "0", count: width - digits.fraction.count)
        }
        return padded(a) < padded(b)
    }

    static func < (a: Digits, b: Digits) -> Bool {
        let (aSign, bSign) = (a.isZero ? 0 : a.isNegative ? -1 : 1, b.isZero ? 0 : b.isNegative ? -1 : 1)
        guard aSign == bSign else { return aSign < bSign }
        return aSign == 0 ? false : aSign > 0 ? isSmaller(a, b) : isSmaller(b, a)
    }
}

@Suite("Timestamp") struct TimestampTests {
    private func timestamp(_ text: String) throws -> Timestamp {
        try #require(DecimalNumber(Array(text.utf8)[...]).flatMap { Timestamp($0) }, "'\(text)'")
    }

    /// Random plain decimals, many of them close neighbours.
    private func numbers(seed: UInt64) -> [String] {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        let starts = [
            "17", "9007199254740991", "9007199254740993", "1700000000000000000", "9223372036854775806",
            "9223372036854775809", "18446744073709551615", "20240101100000123456789", "9999999999999999999",
            "10000000000000000000", "1700000000", "99999999999999999999999999999999",
        ]
        return (0..<60).map { _ in
            var text = starts.randomElement(using: &generator) ?? ""
            if Bool.random(using: &generator) {
                let digit = Int.random(in: 0...9, using: &generator)
                text = text.dropLast() + "\(digit)"
            }
            let places = min(32 - text.count, Int.random(in: 0...12, using: &generator))
            if places > 0, Bool.random(using: &generator) {
                text += "." + (0..<places).map { _ in "\(Int.random(in: 0...9, using: &generator))" }.joined()
            }
            return (Bool.random(using: &generator) ? "-" : "") + text
        }
    }

    @Test("numbers of any size have the order of their digits", arguments: 0..<20 as Range<UInt64>)
    func order(seed: UInt64) throws {
        let texts = numbers(seed: seed)
        let times = try texts.map(timestamp)
        for (a, first) in texts.enumerated() {
            for (b, second) in texts.enumerated() {
                let expected = Digits(first) < Digits(second)
                #expect((times[a] < times[b]) == expected, "\(first) before \(second)")
                let isSame = !expected && !(Digits(second) < Digits(first))
                #expect((times[a] == times[b]) == isSame, "\(first) beside \(second)")
            }
        }
    }

    @Test("the description reads back as the same time", arguments: 0..<20 as Range<UInt64>)
    func description(seed: UInt64) throws {
        for text in numbers(seed: seed) + ["1e300", "-2.5e-300", "1e-22", "1e22", "0", "-0", "0.1", "5e-324"] {
            let time = try timestamp(text)
            #expect(try timestamp(time.description) == time, "\(text) was written as \(time)")
        }
        #expect(try timestamp("1700000000000000001").description == "1700000000000000001")
        #expect(try timestamp("-0.10").description == "-0.1")
        #expect(try timestamp("1e3").description == "1000")
    }

    @Test("the fast path for integers gives the same time", arguments: 0..<20 as Range<UInt64>)
    func shortCut(seed: UInt64) throws {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        let edges: [Int64] = [.min, .max, 1 << 53, 1 << 53 + 1, -(1 << 53) - 1, 9_999_999_999_999_999, 0]
        let random = (0..<300).map { _ in
            Int64.random(in: .min ... .max, using: &generator) >> Int64.random(in: 0...62, using: &generator)
        }
        for value in edges + random {
            let text = "\(value)"
            guard let time = Timestamp(digits: Array(text.utf8)[...]) else {
                #expect(abs(Double(value)) >= 0x1p63, "\(value)")
                continue
            }
            #expect(try time == timestamp(text), "\(value)")
        }
        for text in ["", "-", "1.5", "+1", "1e3", "18446744073709551615", "9999999999999999999", " 1"] {
            #expect(Timestamp(digits: Array(text.utf8)[...]) == nil)
        }
    }

    @Test("two ways of writing a number give the same time")
    func spelling() throws {
        for texts in [
            ["5", "5.0", "05", "5e0", "+5", "0.5e1", "500e-2"], ["0", "-0", "0.000", "0e9"],
            ["1700000000000000001", "1.700000000000000001e18", "1700000000000000001.000"],
            ["9223372036854775808", "9.223372036854775808e18"],
        ] {
            #expect(Set(try texts.map(timestamp)).count == 1, "\(texts)")
        }
    }

    @Test("agrees with Double where a Double is exact", arguments: 0..<4 as Range<UInt64>)
    func doubles(seed: UInt64) throws {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        for _ in 0..<500 {
            let value = Double(Int64.random(in: -(1 << 52)...(1 << 52), using: &generator)) / 1024
            #expect(try timestamp("\(value)") == Timestamp(value))
            #expect(try timestamp("\(value)").nearest == value)
        }
    }

    @Test(
        "rejects text, and numbers that are too long or too large",
        arguments: ["", "-", ".", "1e", "1e+", "1.2.3", "e5", "nan", "1e999", "1e9999999", "1 2", "0x1", "--1"]
            + [String(repeating: "1", count: 33), "1e-400", "0." + String(repeating: "3", count: 33)]
    )
    func refusals(text: String) {
        #expect(DecimalNumber(Array(text.utf8)[...]).flatMap { Timestamp($0) } == nil)
    }

    @Test("a column returns its times, in any mix of precisions")
    func column() throws {
        let times = try numbers(seed: 3).map(timestamp)
        var column = TimestampColumn()
        for time in [1, 2.5] + times { column.append(time) }
        #expect((0..<Int32(times.count + 2)).map { column[$0] } == [1, 2.5] + times)
    }
}

@Suite("Calendar time") struct CalendarTimeTests {
    private func read(_ text: String) -> CalendarTime? { CalendarTime(Array(text.utf8)[...]) }

    @Test(
        "reads ISO 8601; without a zone it is UTC",
        arguments: [
            ("2024-01-01", 1_704_067_200, 0), ("2024-01-01T10:00:00Z", 1_704_103_200, 0),
            ("2024-01-01T10:00:00", 1_704_103_200, 0), ("2024-01-01 10:00:00", 1_704_103_200, 0),
            ("2024-01-01 10:00", 1_704_103_200, 0), ("2024-01-01 10:00:00 UTC", 1_704_103_200, 0),
            ("2024-01-01T12:00:00+02:00", 1_704_103_200, 0), ("2024-01-01T12:30:00+0230", 1_704_103_200, 0),
            ("2024-01-01 05:00:00-05", 1_704_103_200, 0), ("2024-01-01 05:00:00 -0500", 1_704_103_200, 0),
            ("2024-01-01T10:00:00.5Z", 1_704_103_200, 500_000_000),
            ("2024-01-01T10:00:00,000000001", 1_704_103_200, 1), ("1969-12-31T23:59:59.25Z", -1, 250_000_000),
            ("2000-02-29", 951_782_400, 0), ("0001-01-01", -62_135_596_800, 0), ("9999-12-31", 253_402_214_400, 0),
        ]
    )
    func accepts(text: String, seconds: Int, nanoseconds: Int) throws {
        let time = try #require(read(text))
        #expect((time.seconds, time.nanoseconds) == (seconds, nanoseconds))
    }

    @Test(
        "rejects times that do not exist, and other text",
        arguments: [
            "2024-02-30", "2023-02-29", "1900-02-29", "2024-13-01", "2024-00-10", "2024-01-00", "0000-01-01",
            "24-01-01",
            "2024-1-1", "2024/01/01", "01.02.2024", "2024-01-01T", "2024-01-01T24:00:00", "2024-01-01T10:60",
            "2024-01-01T10:00:60", "2024-01-01T10:00:00.", "2024-01-01T10:00:00.1234567890", "2024-01-01T10:00:00+",
            "2024-01-01T10:00:00+2", "2024-01-01T10:00:00 CET", "2024-01-01X10:00:00", "10:00:00", "", "yesterday",
        ]
    )
    func refuses(text: String) {
        #expect(read(text) == nil)
    }

    @Test(
        "reads dates of people and spreadsheets in files only",
        arguments: [
            ("2024/01/01", 1_704_067_200), ("2024/1/1 10:00", 1_704_103_200), ("2024-1-1 9:05", 1_704_099_900),
            ("2024-01-01 10:00:00 AM", 1_704_103_200), ("2024-01-01 10:00PM", 1_704_146_400),
            ("2024-01-01 12:30 am", 1_704_069_000), ("2024/1/1 12:30:00 pm", 1_704_112_200),
            ("1 Jan 2024", 1_704_067_200), ("01-JAN-2024", 1_704_067_200), ("January 1, 2024", 1_704_067_200),
            ("1 Jan 2024 10:00", 1_704_103_200), ("Jan 1, 2024 10:00:00 AM", 1_704_103_200),
            ("Jan 1, 2024, 10:00:00\u{202F}AM UTC", 1_704_103_200), ("Mon, 01 Jan 2024 10:00:00 GMT", 1_704_103_200),
            ("Mon Jan 1 10:00:00 2024", 1_704_103_200), ("Mon Jan  1 10:00:00 2024", 1_704_103_200),
            ("Mon Jan  1 10:00:00 UTC 2024", 1_704_103_200), ("Mon Jan 01 12:00:00 +0200 2024", 1_704_103_200),
            ("Mon Jan 01 2024 11:00:00 GMT+0100 (CET)", 1_704_103_200),
            ("Mon Jan 01 2024 11:00:00 GMT+0100 (Central European Standard Time)", 1_704_103_200),
            ("Mon, 01 Jan 2024 10:00:00 +0000 (UTC)", 1_704_103_200),
            ("Mon Jan 01 2024 13:00:00 GMT+0300 (GMT+03:00)", 1_704_103_200),
            ("2024-01-01 11:00:00+01:00 (Mitteleurop\u{E4}ische Normalzeit)", 1_704_103_200),
            ("01/Jan/2024:12:00:00 +0200", 1_704_103_200), ("Mon Jan 1 2024 12:00:00 GMT+0200", 1_704_103_200),
            ("29 February 2024", 1_709_164_800), ("Sept 1, 2024", 1_725_148_800), ("May-01-2024", 1_714_521_600),
        ]
    )
    func written(text: String, seconds: Int) throws {
        #expect(CalendarTime(written: Array(text.utf8)[...])?.seconds == seconds)
        #expect(read(text) == nil)
    }

    @Test(
        "refuses dates whose order is unknown, and times that do not exist",
        arguments: [
            "01/02/2024", "2024/01-02", "2024-/1-1", "2024-123-1", "2024-1-1 1:5", "2024-1-1 13:00 PM",
            "2024-1-1 0:30 AM", "2024-01-01 PM", "PM", "24/1/1", "2024/2/30", "2024/1/1 24:00", "2024.01.01",
            "1 Jan 24", "30 Feb 2024", "0 Jan 2024", "Ja 1, 2024", "1 Janus 2024", "1 J\u{E4}n 2024", "Jan 2024",
            "1 Jan", "Tue Feb 30 10:00:00 2024", "Mon Jan 1 10:00:00 24", "Mon Jan 1 10:00:00 CET 2024",
            "Mon Jan 01 2024 11:00:00 (CET)", "Mon Jan 01 2024 11:00:00 GMT+0100 CET)",
            "2024-01-31 (estimated)", "31-Jan-2024 (estimated)", "2024-01-31 10:00 (CET)",
            "Mon Jan 01 2024 11:00:00 GMT+0100 ()", "Mon Jan 01 2024 11:00:00 GMT+0100 (12:00?)",
            "Mon Jan 01 2024 11:00:00 GMT+01 (CET)", "Mon Jan 01 2024 11:00:00 GMT (CET)",
            "Monday 2024", "Jan 1 2024 13:00 PM", "1 Jan 2024 PM", "Jan", "Mon,", "1Jan2024", "Jan 123, 2024",
        ]
    )
    func refusesWritten(text: String) {
        #expect(CalendarTime(written: Array(text.utf8)[...]) == nil)
    }

    @Test("has the order of the calendar, to the nanosecond")
    func order() throws {
        let texts = [
            "1969-12-31T23:59:59.999999999Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000001Z",
            "2024-01-01T10:00:00.123456788Z", "2024-01-01T10:00:00.123456789Z", "2024-01-01T12:00:00.12345679+02:00",
        ]
        let times = try texts.map { try #require(read($0)?.timestamp) }
        #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 }, "\(times)")
        #expect(times[1] == 0 && times[4].description == "1704103200.123456789")
    }

    @Test(
        "writes the text that it reads",
        arguments: [
            "2024-01-01T10:00:00Z", "1969-12-31T23:59:59.250000Z", "2000-02-29T00:00:00Z", "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z", "1900-03-01T12:30:01Z", "2023-12-31T23:59:59.999999Z",
        ]
    )
    func writes(text: String) throws {
        #expect(CalendarTime.text(seconds: try #require(read(text)).sinceEpoch) == text)
    }

    @Test("writes every day of some centuries")
    func everyDay() throws {
        for day in stride(from: -200_000, to: 200_000, by: 1) {
            let text = CalendarTime.text(seconds: Double(day) * 86_400)
            #expect(try #require(read(text)).seconds == day * 86_400)
        }
    }
}

@Suite("Dates in digits") struct DigitDateTests {
    private func seconds(_ number: Double) -> Int? { DigitDate.seconds(Timestamp(number)) }

    @Test("reads days, minutes and seconds, and nothing that does not exist") func reads() {
        #expect(seconds(20_240_101) == 1_704_067_200)
        #expect(seconds(202_401_011_000) == 1_704_103_200)
        #expect(seconds(20_240_101_100_000) == 1_704_103_200)
        #expect(seconds(19_000_101) == -2_208_988_800)
        for number in [
            20_240_230, 20_241_301, 20_240_100, 2_024_010_110, 1_704_067_200, 1_704_067_200_000, 18_991_231, 22_000_101,
            202_401_012_400, 20_240_101_106_000, 0, -20_240_101, 20_240_101.5,
        ] { #expect(seconds(number) == nil, "\(number)") }
    }
}
