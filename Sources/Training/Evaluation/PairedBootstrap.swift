import Kernels

/// How certain a difference between systems on the same rows is: a paired bootstrap over users.
///
/// Each sample draws as many users as there are, with replacement, and takes all rows of a drawn user, because rows
/// of one user are not independent (Efron and Tibshirani, 1993, chapters 8 and 16). All systems are compared on the
/// same samples.
public struct PairedBootstrap: Sendable {
    /// The difference of two means over rows.
    public struct Difference: Codable, Sendable, Equatable {
        /// The difference on the rows themselves.
        public var mean: Double
        /// The lower end of the interval that holds 95 percent of the samples' differences.
        public var low: Double
        /// Its upper end.
        public var high: Double
        /// Two-sided p-value: twice the share of samples on the smaller side of zero, from one sample's share to 1.
        public var p: Double
    }

    private let userOfRow: [Int]
    private let users: Int
    private let samples: Int
    private let seed: UInt64

    /// A bootstrap over given rows.
    ///
    /// - Parameters:
    ///   - userOfRow: The user of each row, numbered from 0.
    ///   - samples: How often users are drawn.
    ///   - seed: Seed of the draws.
    public init(userOfRow: [Int], samples: Int = 2000, seed: UInt64 = 0) {
        precondition(samples >= 1 && !userOfRow.isEmpty, "\(samples) samples of \(userOfRow.count) rows")
        self.userOfRow = userOfRow
        users = (userOfRow.max() ?? 0) + 1
        self.samples = samples
        self.seed = seed
    }

    /// How much better other systems are than a reference.
    ///
    /// - Parameters:
    ///   - reference: A value for each row, such as 1 for a hit.
    ///   - others: The same values of each other system.
    /// - Returns: Other minus reference, for each other system.
    /// - Complexity: O(samples * users * systems).
    public func differences(from reference: [Double], of others: [[Double]]) -> [Difference] {
        var rowsOfUser = [Double](repeating: 0, count: users)
        for user in userOfRow { rowsOfUser[user] += 1 }
        let gains = others.map { other in
            precondition(
                other.count == userOfRow.count && reference.count == userOfRow.count,
                "\(other.count) and \(reference.count) values for \(userOfRow.count) rows"
            )
            var gains = [Double](repeating: 0, count: users)
            for (row, user) in userOfRow.enumerated() { gains[user] += other[row] - reference[row] }
            return gains
        }
        let generator = CounterBasedGenerator(seed: seed, purpose: .simulation)
        var sampled = [[Double]](repeating: [], count: others.count)
        for sample in 0..<samples {
            let drawn = generator.integers(below: users, stream: UInt64(sample), count: users)
            let rows = drawn.reduce(0.0) { $0 + rowsOfUser[Int($1)] }
            for (system, gains) in gains.enumerated() {
                let gain = drawn.reduce(0.0) { $0 + gains[Int($1)] }
                sampled[system].append(rows > 0 ? gain / rows : 0)
            }
        }
        return zip(gains, sampled).map { gains, sampled in
            difference(mean: gains.reduce(0, +) / Double(userOfRow.count), sampled.sorted())
        }
    }

    private func difference(mean: Double, _ sorted: [Double]) -> Difference {
        func quantile(_ share: Double) -> Double { sorted[Int((share * Double(samples - 1)).rounded())] }
        let below = sorted.count { $0 <= 0 }
        let above = sorted.count { $0 >= 0 }
        return Difference(
            mean: mean,
            low: quantile(0.025),
            high: quantile(0.975),
            p: min(1, 2 * Double(max(1, min(below, above))) / Double(samples))
        )
    }
}
