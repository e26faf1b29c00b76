/// Times as text, in UTC.
enum UTCTime {
    private static let shape = Array("dddd-dd-ddTdd:dd:dd".utf8)
    private static let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

    /// Whole seconds from 1970 to a time such as `2014-04-07T10:51:09.277Z` (ISO 8601; the fraction is dropped).
    ///
    /// Nil for other text, for times that do not exist, and where the `Z` is missing.
    static func seconds(_ text: ArraySlice<UInt8>) -> Int? {
        guard text.count > shape.count, text.last == UInt8(ascii: "Z") else { return nil }
        var numbers = [0]
        for (byte, expected) in zip(text, shape) {
            if expected == UInt8(ascii: "d") {
                guard let digit = digit(byte) else { return nil }
                numbers[numbers.count - 1] = numbers[numbers.count - 1] * 10 + digit
            } else {
                guard byte == expected else { return nil }
                numbers.append(0)
            }
        }
        let fraction = text.dropFirst(shape.count).dropLast()
        if !fraction.isEmpty {
            guard fraction.first == UInt8(ascii: "."), fraction.count > 1 else { return nil }
            guard fraction.dropFirst().allSatisfy({ digit($0) != nil }) else { return nil }
        }
        let (year, month, day) = (numbers[0], numbers[1], numbers[2])
        guard year >= 1, 1...12 ~= month, numbers[3] < 24, numbers[4] < 60, numbers[5] < 60 else { return nil }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        guard 1...(lengths[month - 1] + (isLeap && month == 2 ? 1 : 0)) ~= day else { return nil }
        return ((days(year: year, month: month, day: day) * 24 + numbers[3]) * 60 + numbers[4]) * 60 + numbers[5]
    }

    /// Days from 1 January 1970 in the Gregorian calendar.
    ///
    /// Years are counted from March, so that a leap day ends one: the days before month m of such a year are then
    /// `(153 m + 2) / 5`.
    private static func days(year: Int, month: Int, day: Int) -> Int {
        let year = month > 2 ? year : year - 1
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return 365 * year + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
    }

    private static func digit(_ byte: UInt8) -> Int? {
        let digit = byte &- UInt8(ascii: "0")
        return digit < 10 ? Int(digit) : nil
    }
}
