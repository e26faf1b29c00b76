/// A signed decimal, `coefficient * 10^exponent`; the coefficient has at most 32 digits and does not end in 0.
package struct DecimalNumber {
    static let significantDigits = 32

    private(set) var isNegative = false
    private(set) var coefficient: UInt128 = 0
    private(set) var exponent = 0
    /// Digits of the coefficient.
    private var digits = 0

    /// Reads digits with an optional sign, point and exponent; nil for other text and for more than 32 significant digits.
    package init?(_ text: ArraySlice<UInt8>) {
        var rest = text
        if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") {
            isNegative = rest.removeFirst() == UInt8(ascii: "-")
        }
        var (hasDigits, hasPoint, zeros) = (false, false, 0)
        while let byte = rest.first {
            let digit = byte &- UInt8(ascii: "0")
            if digit < 10 {
                hasDigits = true
                if hasPoint { exponent -= 1 }
                if digit > 0 {
                    guard append(digit, after: zeros) else { return nil }
                    zeros = 0
                } else if coefficient > 0 {
                    zeros += 1
                }
            } else if byte == UInt8(ascii: "."), !hasPoint {
                hasPoint = true
            } else {
                break
            }
            rest.removeFirst()
        }
        guard hasDigits else { return nil }
        exponent += zeros
        if !rest.isEmpty {
            guard let shift = Self.writtenExponent(rest) else { return nil }
            exponent += shift
        }
        if coefficient == 0 { (isNegative, exponent) = (false, 0) }
    }

    init(_ integer: Int64) {
        self.init(Int128(integer), exponent: 0)
    }

    init(_ units: Int128, exponent: Int) {
        (isNegative, coefficient, self.exponent) = (units < 0, units.magnitude, exponent)
        while coefficient > 0, coefficient % 10 == 0 {
            coefficient /= 10
            self.exponent += 1
        }
        if coefficient == 0 { self.exponent = 0 }
        var rest = coefficient
        while rest > 0 {
            rest /= 10
            digits += 1
        }
    }

    private mutating func append(_ digit: UInt8, after zeros: Int) -> Bool {
        digits += zeros + 1
        guard digits <= Self.significantDigits else { return false }
        coefficient = coefficient * Self.powers[zeros + 1] + UInt128(digit)
        return true
    }

    /// The value of `e-12`; at most 6 digits.
    private static func writtenExponent(_ text: ArraySlice<UInt8>) -> Int? {
        guard text.first == UInt8(ascii: "e") || text.first == UInt8(ascii: "E") else { return nil }
        var rest = text.dropFirst()
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        guard 1...6 ~= rest.count else { return nil }
        var value = 0
        for byte in rest {
            let digit = byte &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value * 10 + Int(digit)
        }
        return isNegative ? -value : value
    }

    /// The correctly rounded Double; nil beyond the range of Doubles, and when a nonzero number rounds to 0.
    var nearestDouble: Double? {
        let magnitude: Double
        if coefficient <= 1 << 53, abs(exponent) < Self.exactPowers.count {
            // One rounding of two exact numbers (Clinger, PLDI 1990).
            let power = Self.exactPowers[abs(exponent)]
            magnitude = exponent < 0 ? Double(coefficient) / power : Double(coefficient) * power
        } else if exponent >= 0, digits + exponent < 20 {
            magnitude = Double(UInt64(coefficient * Self.powers[exponent]))
        } else {
            magnitude = Double("\(coefficient)e\(exponent)") ?? .infinity
        }
        guard magnitude.isFinite, magnitude > 0 || coefficient == 0 else { return nil }
        return isNegative ? -magnitude : magnitude
    }

    /// The exponent of the 34th digit from the first.
    var unit: Int { exponent + digits - 34 }

    /// This number as a multiple of `10^unit`; nil when it is not a multiple, or needs more than 38 digits.
    func units(of unit: Int) -> Int128? {
        let shift = exponent - unit
        guard shift >= 0, digits + shift < Self.powers.count else { return nil }
        let magnitude = Int128(coefficient * Self.powers[shift])
        return isNegative ? -magnitude : magnitude
    }

    private static let powers: [UInt128] = (0..<38).map { exponent in
        (0..<exponent).reduce(1) { power, _ in power * 10 }
    }
    /// The powers of 10 that a Double holds exactly.
    private static let exactPowers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]
}

extension DecimalNumber: CustomStringConvertible {
    /// The digits with a decimal point, or with an exponent when the point is far from them.
    package var description: String {
        let text = "\(coefficient)"
        let sign = isNegative ? "-" : ""
        if 0...20 ~= exponent { return sign + text + String(repeating: "0", count: exponent) }
        guard -40..<0 ~= exponent else { return "\(sign)\(text)e\(exponent)" }
        let padded = String(repeating: "0", count: max(0, 1 - exponent - text.count)) + text
        return sign + padded.dropLast(-exponent) + "." + padded.suffix(-exponent)
    }
}
