/// Finds the highest rate that a service sustains.
public struct CapacitySearch: Sendable {
    /// The first rate tried, in requests a second.
    public var firstRate: Double
    /// The bracket is narrowed until its ends differ by this fraction.
    public var tolerance: Double
    /// No higher rate is tried.
    public var highestRate: Double

    /// A search from `firstRate`, which is positive.
    public init(firstRate: Double = 1000, tolerance: Double = 0.05, highestRate: Double = 1_000_000) {
        precondition(firstRate > 0 && firstRate <= highestRate && tolerance > 0, "rate \(firstRate), \(tolerance)")
        self.firstRate = firstRate
        self.tolerance = tolerance
        self.highestRate = highestRate
    }

    /// Doubles the rate while it is sustained, or halves it until it is, then bisects between the two.
    ///
    /// A rate fails only when two trials in a row fail: one stall of the machine is no limit of the service.
    ///
    /// - Parameter isSustained: Tries a rate; nil ends the search with what is known.
    /// - Returns: The highest rate that was sustained, nil when not even one request a second was.
    public func run(_ isSustained: (Double) async throws -> Bool?) async rethrows -> Double? {
        var sustained: Double?
        var failed: Double?
        var rate = firstRate
        while true {
            guard let first = try await isSustained(rate) else { return sustained }
            var passes = first
            if !passes {
                guard let second = try await isSustained(rate) else { return sustained }
                passes = second
            }
            if passes { sustained = rate } else { failed = rate }
            switch (sustained, failed) {
            case (let low?, let high?):
                guard high > low * (1 + tolerance) else { return low }
                rate = (low + high) / 2
            case (let low?, nil):
                guard low < highestRate else { return low }
                rate = min(2 * low, highestRate)
            case (nil, let high?):
                guard high > 1 else { return nil }
                rate = max(1, high / 2)
            case (nil, nil): preconditionFailure("a trial neither passed nor failed")
            }
        }
    }
}
