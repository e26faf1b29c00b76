import ArgumentParser

/// Checks of options. Each message names the option, the allowed values and the given value.
extension ValidationError {
    /// Throws unless the option is absent or its value lies in a range.
    static func require<Value: Comparable>(_ option: String, _ value: Value?, in range: ClosedRange<Value>) throws {
        guard let value, !range.contains(value) else { return }
        throw ValidationError(
            "\(option) must be \(short(range.lowerBound)) to \(short(range.upperBound)); got \(short(value))."
        )
    }

    /// Throws unless the option is absent or its value is not below a bound.
    static func require<Value: Comparable>(_ option: String, _ value: Value?, in range: PartialRangeFrom<Value>) throws
    {
        guard let value, !range.contains(value) else { return }
        throw ValidationError("\(option) must be at least \(short(range.lowerBound)); got \(short(value)).")
    }

    /// Throws unless the option is absent or its value is above 0 and not above a limit.
    static func requirePositive(_ option: String, _ value: Double?, atMost limit: Double = .infinity) throws {
        guard let value, !(value > 0 && value <= limit) else { return }
        let bound = limit.isFinite ? " and at most \(short(limit))" : ""
        throw ValidationError("\(option) must be above 0\(bound); got \(short(value)).")
    }

    /// A number without the decimals of a whole one.
    private static func short(_ value: some Any) -> String {
        let text = "\(value)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}
