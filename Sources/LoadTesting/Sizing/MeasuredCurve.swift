/// A quantity that rises with the size of a catalogue, from measurements at some sizes.
///
/// Between two measured sizes it is linear. Below the first size it is constant. Above the last size it continues with
/// the slope between the last two sizes, or with the slope from the first to the last, whichever is steeper. With a single
/// size, it is proportional to the size above it. A measurement below an earlier one counts as noise, and the earlier one
/// replaces it.
public struct MeasuredCurve: Sendable {
    /// Sizes and values, both rising.
    private let points: [(size: Double, value: Double)]

    /// A curve through points.
    ///
    /// - Precondition: There is a point, and every size is above 0 and every value at least 0.
    public init(_ points: [(size: Double, value: Double)]) {
        precondition(!points.isEmpty && points.allSatisfy { $0.size > 0 && $0.value >= 0 }, "points \(points)")
        var highest = 0.0
        self.points = points.sorted { $0.size < $1.size }.map { point in
            highest = max(highest, point.value)
            return (point.size, highest)
        }
    }

    /// The value at a size above 0; exact at the measured sizes.
    public func callAsFunction(_ size: Double) -> Double {
        guard let next = points.firstIndex(where: { size <= $0.size }) else {
            let last = points[points.count - 1]
            guard points.count > 1 else { return last.value * size / last.size }
            return max(
                Self.line(points[points.count - 2], last, at: size),
                Self.line(points[0], last, at: size)
            )
        }
        guard next > 0, size != points[next].size else { return points[next].value }
        return Self.line(points[next - 1], points[next], at: size)
    }

    private static func line(_ a: (size: Double, value: Double), _ b: (size: Double, value: Double), at size: Double)
        -> Double
    {
        guard b.size > a.size else { return b.value }
        return a.value + (b.value - a.value) * (size - a.size) / (b.size - a.size)
    }
}
