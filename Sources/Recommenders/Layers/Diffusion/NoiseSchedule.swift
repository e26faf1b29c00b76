import Foundation

/// The noise levels of the diffusion steps `t = 1...T`, and the reverse steps for them (method, section 2).
///
/// Everything is Float64; `alphaBar[t]` is the product of `1 - beta` up to `t`, with `alphaBar[0] = 1`.
public struct NoiseSchedule: Sendable, Equatable {
    /// `beta_t` at index `t - 1`.
    public let betas: [Double]
    /// Cumulative products; index 0 is 1.
    public let alphaBar: [Double]

    /// A schedule from its betas.
    public init(betas: [Double]) {
        precondition(betas.allSatisfy { $0 >= 0 && $0 < 1 }, "betas \(betas) leave [0, 1)")
        self.betas = betas
        var products = [1.0]
        for beta in betas { products.append((products.last ?? 1) * (1 - beta)) }
        alphaBar = products
    }

    /// The number of steps T.
    public var steps: Int { betas.count }

    /// A schedule by family (method, table of section 2).
    public init(_ configuration: ScheduleConfiguration, steps T: Int) {
        let count = Double(T)
        func linear(_ from: Double, _ to: Double) -> [Double] {
            (0..<T).map { T == 1 ? from : from + (to - from) * Double($0) / Double(T - 1) }
        }
        switch configuration.kind {
        case .exponential:
            let positions = (0..<T).map { T == 1 ? 1 : 1 + 2 * count * Double($0) / Double(T - 1) }
            self.init(betas: positions.map { 1 - exp(-0.1 / count - 0.5 * 9.9 * $0 / (count * count)) })
        case .cosine:
            self.init(steps: T, within: 1e-4...0.9999) { u in
                let angle = (u + 0.008) / 1.008 * .pi / 2
                return cos(angle) * cos(angle)
            }
        case .linear50:
            self.init(betas: linear(1e-4, 0.02).map { min($0 * 1000 / count, 0.999) })
        case .linearUnscaled:
            self.init(betas: linear(1e-4, 0.02))
        case .truncatedLinear:
            let scale = 1000 / count
            let last = 0.02 * scale + 0.01
            self.init(betas: linear(1e-4 * scale + 0.01, last > 1 ? 0.001 * scale + 0.01 : last))
        case .squareRoot:
            self.init(steps: T, within: 0...0.999) { 1 - ($0 + 1e-4).squareRoot() }
        case .linear:
            self.init(betas: linear(configuration.betaFirst, configuration.betaLast))
        }
    }

    /// A schedule whose `alphaBar_t` is proportional to `level(t / T)`; its betas are clipped.
    private init(steps T: Int, within range: ClosedRange<Double>, level: (Double) -> Double) {
        self.init(
            betas: (1...T).map { t in
                let beta = 1 - level(Double(t) / Double(T)) / level(Double(t - 1) / Double(T))
                return min(max(beta, range.lowerBound), range.upperBound)
            }
        )
    }

    /// The variance of a reverse step's noise (Ho et al., 2020, section 3.2).
    public enum ReverseVariance: String, Codable, Sendable, CaseIterable {
        /// `betatilde_t`, the variance of the posterior: exact when the clean vector is known.
        case posterior
        /// `beta_t`, the variance of the forward step: exact when clean vectors are standard normal.
        case forward
    }

    /// One reverse step from `t` down (equations 8 and 9): the posterior mean is
    /// `clean * xhat + noisy * x`, its standard deviation `deviation` per coordinate.
    public struct ReverseStep: Sendable, Equatable {
        /// The step of the input's noise level, which the denoiser gets.
        public var t: Int
        /// `c1_t`, the weight of the predicted clean vector.
        public var clean: Double
        /// `c2_t`, the weight of the noisy vector.
        public var noisy: Double
        /// `sqrt(betatilde_t)`, or `sqrt(beta_t)` by choice; exactly 0 in the last step.
        public var deviation: Double
    }

    /// The steps of a reverse chain, from the noisiest to the last.
    ///
    /// Fewer than T steps visit every `T / count`-th level with the posterior of the levels visited (respacing; method,
    /// section 7.5). The last step always has `clean == 1`, `noisy == 0`, `deviation == 0`.
    ///
    /// - Parameters:
    ///   - count: The number of steps; nil for T.
    ///   - variance: The variance of the noise that a step adds.
    /// - Returns: `count` steps.
    /// - Precondition: `count` is within 1...T.
    public func reverseSteps(_ count: Int? = nil, variance: ReverseVariance = .posterior) -> [ReverseStep] {
        let count = count ?? steps
        precondition(count >= 1 && count <= steps, "\(count) reverse steps of a schedule of \(steps)")
        let levels = [0] + (1...count).map { ($0 * steps + count - 1) / count }
        return (1...count).reversed().map { i in
            let (now, before) = (alphaBar[levels[i]], alphaBar[levels[i - 1]])
            if i == 1 { return ReverseStep(t: levels[1], clean: 1, noisy: 0, deviation: 0) }
            let alpha = now / before
            let posterior = (1 - alpha) * (1 - before) / (1 - now)
            return ReverseStep(
                t: levels[i],
                clean: before.squareRoot() * (1 - alpha) / (1 - now),
                noisy: alpha.squareRoot() * (1 - before) / (1 - now),
                deviation: (variance == .posterior ? posterior : 1 - alpha).squareRoot()
            )
        }
    }
}
