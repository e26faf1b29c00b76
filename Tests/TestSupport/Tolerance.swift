package import Testing

/// Half a unit in the last place of 1: the relative rounding error of one Float32 operation.
package let roundoff = 0x1p-24

/// A reference value with the sum of the magnitudes that were added to get it.
///
/// A Float32 sum of `n` products, in any order, differs from the exact one by at most about `(n + 1) roundoff` times
/// that magnitude (Higham, "Accuracy and Stability of Numerical Algorithms", section 3.1).
package struct SummedReference {
    package var value = 0.0
    package var magnitude = 0.0
    package var terms = 0

    package init() {}

    /// Adds one term.
    package mutating func add(_ term: Double) {
        value += term
        magnitude += abs(term)
        terms += 1
    }

    /// The error bound of a Float32 sum; `extra` counts the roundings of the terms themselves.
    package func bound(extra: Int = 2) -> Double { Double(terms + extra) * roundoff * magnitude }
}

/// Expects each value within `tolerance(index)` of its reference, and reports the worst one.
package func expectClose(
    _ found: [Float],
    _ expected: [Double],
    _ comment: String = "",
    sourceLocation: SourceLocation = #_sourceLocation,
    tolerance: (Int) -> Double
) {
    #expect(found.count == expected.count, "\(comment)", sourceLocation: sourceLocation)
    guard found.count == expected.count else { return }
    var worst: (index: Int, excess: Double)?
    for index in found.indices {
        let allowed = tolerance(index)
        let difference = abs(Double(found[index]) - expected[index])
        // A NaN difference is not <= allowed, so it fails, as intended.
        guard !(difference <= allowed) else { continue }
        let excess = difference - allowed
        if worst == nil || !(excess <= (worst?.excess ?? 0)) { worst = (index, excess) }
    }
    if let worst {
        Issue.record(
            """
            \(comment) element \(worst.index): found \(found[worst.index]), expected \(expected[worst.index]), \
            allowed \(tolerance(worst.index))
            """,
            sourceLocation: sourceLocation
        )
    }
}

/// Expects each value within an absolute distance plus a share of its reference.
package func expectClose(
    _ found: [Float],
    _ expected: [Double],
    absolute: Double,
    relative: Double = 0,
    _ comment: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    expectClose(found, expected, comment, sourceLocation: sourceLocation) {
        absolute + relative * abs(expected[$0])
    }
}

/// Expects sums within their bound.
package func expectClose(
    _ found: [Float],
    _ expected: [SummedReference],
    extra: Int = 2,
    _ comment: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    expectClose(found, expected.map(\.value), comment, sourceLocation: sourceLocation) {
        expected[$0].bound(extra: extra)
    }
}
