package import CheckpointStore

/// A point in time or an ordinal, compared exactly, with up to 32 significant digits.
///
/// Nanoseconds since 1970 need 19 digits, but a Double holds 15 to 17, so Doubles alone would make neighbours tie. A
/// timestamp is the nearest Double plus a remainder. Rounding never reverses an order, so comparing these pairs gives
/// the order of the written numbers.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// The nearest Double.
    package let nearest: Double
    /// The number minus ``anchor(of:)`` of `nearest`, in units of that anchor's 34th digit.
    package let remainder: Int64

    /// A timestamp from a Double: its shortest decimal below 2^53, its exact integer from there on.
    public init(_ value: Double) {
        self.init(nearest: value == 0 ? 0 : value, remainder: 0)
    }

    init(nearest: Double, remainder: Int64) {
        self.nearest = nearest
        self.remainder = remainder
    }

    /// Fast path for an optional minus and 1 to 19 digits; nil for other text and outside of Int64.
    package init?(digits text: ArraySlice<UInt8>) {
        let isNegative = text.first == UInt8(ascii: "-")
        let digits = isNegative ? text.dropFirst() : text
        guard 1...19 ~= digits.count else { return nil }
        var magnitude: UInt64 = 0
        for byte in digits {
            let digit = byte &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            magnitude = magnitude &* 10 &+ UInt64(digit)
        }
        let nearest = Double(magnitude)
        guard nearest < Self.firstBeyondInt64 else { return nil }
        guard nearest >= Self.firstInexactInteger else {
            self.init(isNegative ? -nearest : nearest)
            return
        }
        let anchor = UInt64(nearest)
        let rest = Int64(bitPattern: magnitude &- anchor)
        guard let unit = Self.units.first(where: { anchor < $0.below })?.perOne else { return nil }
        let remainder = isNegative ? -rest * unit : rest * unit
        self.init(nearest: isNegative ? -nearest : nearest, remainder: remainder)
    }

    /// How many units of the 34th digit make 1, for integers from 2^53 to 2^63 by size.
    private static let units: [(below: UInt64, perOne: Int64)] = [
        (10_000_000_000_000_000, 1_000_000_000_000_000_000), (100_000_000_000_000_000, 100_000_000_000_000_000),
        (1_000_000_000_000_000_000, 10_000_000_000_000_000), (10_000_000_000_000_000_000, 1_000_000_000_000_000),
    ]

    /// A decimal number; nil when it is too large or too small for a Double.
    package init?(_ number: DecimalNumber) {
        if number.coefficient == 0 {
            self.init(0)
            return
        }
        guard let nearest = number.nearestDouble else { return nil }
        // No two decimals of 15 digits share a Double, so the shortest decimal is the number itself.
        if number.coefficient < 1_000_000_000_000_000, nearest.magnitude < Self.firstInexactInteger {
            self.init(nearest)
            return
        }
        guard let anchor = Self.anchor(of: nearest), let own = number.units(of: anchor.unit),
            let its = anchor.units(of: anchor.unit), let remainder = Int64(exactly: own - its)
        else { return nil }
        self.init(nearest: nearest, remainder: remainder)
    }

    /// Earlier before later.
    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.nearest < right.nearest || (left.nearest == right.nearest && left.remainder < right.remainder)
    }

    /// 2^53: from here to 2^63 the anchor is the Double itself, so integers need no conversion to digits.
    private static let firstInexactInteger = 9_007_199_254_740_992.0
    private static let firstBeyondInt64 = 9_223_372_036_854_775_808.0

    /// The decimal that represents a Double.
    private static func anchor(of value: Double) -> DecimalNumber? {
        if value.magnitude >= firstInexactInteger, value.magnitude < firstBeyondInt64 {
            return DecimalNumber(Int64(value))
        }
        return DecimalNumber(Array(value.description.utf8)[...])
    }
}

extension Timestamp: CustomStringConvertible {
    /// The exact number; integers below 2^63 have neither point nor exponent.
    public var description: String {
        guard let anchor = Self.anchor(of: nearest), anchor.coefficient != 0 else { return "0" }
        guard remainder != 0, let units = anchor.units(of: anchor.unit) else {
            return Int64(exactly: nearest).map { "\($0)" } ?? "\(nearest)"
        }
        return DecimalNumber(units + Int128(remainder), exponent: anchor.unit).description
    }
}

extension Timestamp: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral {
    /// A small integer.
    public init(integerLiteral value: Int32) { self.init(Double(value)) }

    /// The shortest decimal of a Double.
    public init(floatLiteral value: Double) { self.init(value) }
}

/// The times of events in a file's order: 8 bytes each, 16 when any of them needs more than a Double.
package struct TimestampColumn {
    private var nearest: [Double] = []
    /// As many as `nearest`; empty while all are 0.
    private var remainders: [Int64] = []

    /// No times yet.
    package init() {}

    /// Adds the next event's time.
    package mutating func append(_ time: Timestamp) {
        if time.remainder != 0, remainders.isEmpty { remainders = [Int64](repeating: 0, count: nearest.count) }
        if time.remainder != 0 || !remainders.isEmpty { remainders.append(time.remainder) }
        nearest.append(time.nearest)
    }

    /// Dates in digits as seconds since 1970.
    ///
    /// - Precondition: All times are such dates.
    package mutating func readAsDigitDates() {
        nearest = nearest.map { number in
            guard let seconds = DigitDate.seconds(Timestamp(number)) else {
                preconditionFailure("\(number) is no date in digits")
            }
            return Double(seconds)
        }
    }

    /// An event's time.
    package subscript(event: Int32) -> Timestamp {
        Timestamp(nearest: nearest[Int(event)], remainder: remainders.isEmpty ? 0 : remainders[Int(event)])
    }
}

extension CalendarTime {
    /// The same as seconds, exactly.
    package var timestamp: Timestamp? {
        guard nanoseconds > 0 else { return Timestamp(Double(seconds)) }
        return Timestamp(DecimalNumber(Int128(seconds) * 1_000_000_000 + Int128(nanoseconds), exponent: -9))
    }
}
