/// Finds the highest request rate that a service sustains.
public struct CapacitySearch: Sendable {
    /// The first rate tried, in requests a second.
    public var firstRate: Double
    /// The bisection stops when the bounds differ by this fraction.
    public var tolerance: Double
    /// The highest rate to try.
    public var highestRate: Double

    /// Creates a search that starts at `firstRate`, which must be positive.
    public init(firstRate: Double = 1000, tolerance: Double = 0.05, highestRate: Double = 1_000_000) {
        precondition(firstRate > 0 && firstRate <= highestRate && tolerance > 0, "rate \(firstRate), \(tolerance)")
        self.firstRate = firstRate
        self.tolerance = tolerance
        self.highestRate = highestRate
    }

    /// Doubles the rate while the service sustains it, or halves it until it does, then bisects.
    ///
    /// A rate fails only after two failed trials in a row: one stall of the machine is not a limit of the service.
    ///
    /// - Parameter isSustained: Tries a rate; nil ends the search with the result so far.
    /// - Returns: The highest sustained rate; nil if not even one request a second was sustained.
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
