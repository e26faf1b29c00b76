import Foundation

/// The largest distance between a sample's distribution function and a given one (Kolmogorov-Smirnov).
///
/// Chance exceeds `1.95 / sqrt(n)` once in a thousand.
package func kolmogorovDistance(_ sample: [Double], from distribution: (Double) -> Double) -> Double {
    let sorted = sample.sorted()
    let n = Double(sorted.count)
    return sorted.enumerated().reduce(0) { worst, point in
        let value = distribution(point.element)
        return max(worst, max(Double(point.offset + 1) / n - value, value - Double(point.offset) / n))
    }
}

/// The largest distance between two samples' distribution functions.
///
/// Chance exceeds `1.95 sqrt(1/n + 1/m)` once in a thousand.
package func kolmogorovDistance(_ a: [Double], _ b: [Double]) -> Double {
    let (a, b) = (a.sorted(), b.sorted())
    var (i, j, worst) = (0, 0, 0.0)
    while i < a.count, j < b.count {
        let x = min(a[i], b[j])
        while i < a.count, a[i] == x { i += 1 }
        while j < b.count, b[j] == x { j += 1 }
        worst = max(worst, abs(Double(i) / Double(a.count) - Double(j) / Double(b.count)))
    }
    return worst
}

/// Mean and standard deviation of a sample.
package func moments(_ sample: [Double]) -> (mean: Double, deviation: Double) {
    let n = Double(sample.count)
    let mean = sample.reduce(0, +) / n
    let variance = sample.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n
    return (mean, variance.squareRoot())
}

/// Pearson's correlation of two samples of equal size.
package func correlation(_ a: [Double], _ b: [Double]) -> Double {
    let ((meanA, sdA), (meanB, sdB)) = (moments(a), moments(b))
    let covariance = zip(a, b).reduce(0) { $0 + ($1.0 - meanA) * ($1.1 - meanB) } / Double(a.count)
    return covariance / (sdA * sdB)
}

/// The standard normal distribution function.
package func normalDistribution(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }
