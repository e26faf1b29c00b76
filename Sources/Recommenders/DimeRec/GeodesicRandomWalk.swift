import Foundation
import Kernels

/// A random walk on the unit sphere whose steps have uniform directions (method, section 5).
///
/// After `t` steps from `x_0` the walk is at `cos(theta) x_0 + sin(theta) u` with `u` uniform on the unit tangent
/// sphere and independent of `theta`: the law of a path is invariant under rotations that fix `x_0`. So only the
/// angle needs the steps, and the angle is a scalar chain. The result has exactly the walk's distribution.
public struct GeodesicRandomWalk: Sendable {
    /// How a schedule's beta becomes the length of a step (method, section 5.2).
    public enum Reading: String, Sendable, Codable, CaseIterable {
        /// Angle `sqrt(beta)` times the length of a tangent normal, `sqrt(beta) * chi_{d-1}`.
        case literal = "R1"
        /// Angle with cosine `sqrt(1 - beta)`: equation 1 on the sphere, mean exactly `sqrt(alphaBar) x_0`.
        case calibrated = "R2"
        /// The walk on the sphere of radius `sqrt(d)`: angle `sqrt(beta / d) * chi_{d-1}`.
        case wide = "R3"
    }

    /// Length of the vectors.
    public let dimension: Int
    /// `beta_t` at index `t - 1`.
    public let betas: [Double]
    /// How a beta becomes the length of a step.
    public let reading: Reading

    /// A walk in `dimension` dimensions.
    public init(dimension: Int, betas: [Double], reading: Reading) {
        precondition(dimension >= 2, "a walk needs 2 dimensions, got \(dimension)")
        self.dimension = dimension
        self.betas = betas
        self.reading = reading
    }

    /// The cosine of the angle to the start after `steps` steps, by the scalar chain (method, section 5.4).
    ///
    /// `c_s = c_{s-1} cos r_s + sqrt(1 - c_{s-1}^2) sin r_s w_s`, with `w` a coordinate of a uniform direction.
    public func cosine(after steps: Int, using generator: inout some RandomNumberGenerator) -> Double {
        var c = 1.0
        for beta in betas.prefix(steps) {
            let (cosine, sine) = stepAngle(beta, using: &generator)
            let z = normal(using: &generator)
            let rest = dimension > 2 ? chiSquare(dimension - 2, using: &generator) : 0
            let length = (z * z + rest).squareRoot()
            let w = length > 1e-12 ? z / length : 1
            c = min(1, max(-1, c * cosine + max(0, 1 - c * c).squareRoot() * sine * w))
        }
        return c
    }

    /// Where the walk is after `steps` steps, by the shortcut: an angle from the chain and one uniform direction.
    ///
    /// - Returns: `cosine * start + offset`, as the factor and the offset; the offset is orthogonal to `start`.
    public func endpoint(
        from start: [Float],
        after steps: Int,
        using generator: inout some RandomNumberGenerator
    ) -> (cosine: Float, offset: [Float]) {
        require(start)
        let c = cosine(after: steps, using: &generator)
        let direction = tangentNormal(at: start.map(Double.init), using: &generator)
        let length = norm(direction)
        let factor = length > 1e-12 ? max(0, 1 - c * c).squareRoot() / length : 0
        return (Float(c), direction.map { Float($0 * factor) })
    }

    /// Where the walk is after `steps` steps, step by step: the definition that the shortcut is tested against.
    public func walk(
        from start: [Float],
        after steps: Int,
        using generator: inout some RandomNumberGenerator
    ) -> [Float] {
        require(start)
        var x = start.map(Double.init)
        for beta in betas.prefix(steps) {
            let (cosine, sine) = stepAngle(beta, using: &generator)
            let v = tangentNormal(at: x, using: &generator)
            let length = norm(v)
            guard length > 1e-12 else { continue }
            for i in x.indices { x[i] = cosine * x[i] + sine * v[i] / length }
            let drift = norm(x)
            for i in x.indices { x[i] /= drift }
        }
        return x.map(Float.init)
    }

    /// Betas whose calibrated walk has this walk's mean cosines: `1 - (E cos r_t)^2` (method, section 5.2).
    ///
    /// For R1 and R3 the mean is taken over the chi law by numerical integration; for R2 these are the betas
    /// themselves.
    public var effectiveBetas: [Double] {
        guard reading != .calibrated else { return betas }
        return betas.map { beta in
            let scale = reading == .wide ? (beta / Double(dimension)).squareRoot() : beta.squareRoot()
            let mean = chiMean { cos(scale * $0) }
            return min(max(1 - mean * mean, 0), 1 - 1e-9)
        }
    }

    /// Cosine and sine of one step's angle.
    private func stepAngle(
        _ beta: Double,
        using generator: inout some RandomNumberGenerator
    ) -> (cosine: Double, sine: Double) {
        if reading == .calibrated { return ((1 - beta).squareRoot(), beta.squareRoot()) }
        let scale = reading == .wide ? (beta / Double(dimension)).squareRoot() : beta.squareRoot()
        let angle = scale * chiSquare(dimension - 1, using: &generator).squareRoot()
        return (cos(angle), sin(angle))
    }

    /// A normal vector projected on the tangent space at a unit vector.
    private func tangentNormal(at x: [Double], using generator: inout some RandomNumberGenerator) -> [Double] {
        var v = x.map { _ in normal(using: &generator) }
        // Divides by |x|^2: rounding puts a Float32 start off the sphere, and a short tangent would magnify this
        // error.
        var (along, square) = (0.0, 0.0)
        for i in x.indices {
            along += v[i] * x[i]
            square += x[i] * x[i]
        }
        for i in x.indices { v[i] -= along / square * x[i] }
        return v
    }

    /// `E f(chi)` with `d - 1` degrees of freedom, by the trapezoid rule on 4,000 points over the bulk.
    private func chiMean(_ f: (Double) -> Double) -> Double {
        let degrees = Double(dimension - 1)
        let top = degrees.squareRoot() + 12
        var (mass, sum) = (0.0, 0.0)
        for i in 1..<4000 {
            let x = top * Double(i) / 4000
            let density = exp((degrees - 1) * log(x) - x * x / 2 - (degrees - 1) / 2 * (log(degrees) - 1))
            mass += density
            sum += density * f(x)
        }
        return sum / mass
    }

    private func require(_ start: [Float]) {
        precondition(start.count == dimension, "a start of \(start.count) coordinates for \(dimension) dimensions")
    }
}

private func norm(_ x: [Double]) -> Double { x.reduce(0) { $0 + $1 * $1 }.squareRoot() }

/// A standard normal (Box-Muller, the cosine branch).
private func normal(using generator: inout some RandomNumberGenerator) -> Double {
    let u = uniform(using: &generator)
    return (-2 * log(u)).squareRoot() * cos(2 * .pi * uniform(using: &generator))
}

/// A number in (0, 1] with 53 random bits.
private func uniform(using generator: inout some RandomNumberGenerator) -> Double {
    Double((generator.next() >> 11) + 1) * 0x1p-53
}

/// A chi-square number: twice a gamma number of shape `degrees / 2` (Marsaglia and Tsang, 2000).
private func chiSquare(_ degrees: Int, using generator: inout some RandomNumberGenerator) -> Double {
    var shape = Double(degrees) / 2
    var boost = 1.0
    if shape < 1 {
        boost = pow(uniform(using: &generator), 1 / shape)
        shape += 1
    }
    let d = shape - 1.0 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
        let x = normal(using: &generator)
        let t = 1 + c * x
        guard t > 0 else { continue }
        let v = t * t * t
        let u = uniform(using: &generator)
        if log(u) < 0.5 * x * x + d - d * v + d * log(v) { return 2 * d * v * boost }
    }
}
