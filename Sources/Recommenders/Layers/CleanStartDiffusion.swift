import Autodiff
import Foundation
import Kernels

/// How little noise a diffusion adds that generates from the user's own row (Wang et al., SIGIR 2023, sections 3.2 and 3.3).
///
/// The variance `1 - alphaBar_t` rises linearly over the steps, after a first `beta` of 1e-5.
public struct CleanStartConfiguration: ConfigurationSection {
    /// Diffusion steps (T).
    public var steps = 5
    /// The variance at the first step, noise scale times its lower bound.
    public var firstVariance = 2.5e-5
    /// The variance at the last step, noise scale times its upper bound.
    public var lastVariance = 5e-5

    /// The defaults: the published ones for MovieLens 1M, with fewer steps.
    public init() {}

    /// Other defaults for another system.
    init(steps: Int, firstVariance: Double, lastVariance: Double) {
        (self.steps, self.firstVariance, self.lastVariance) = (steps, firstVariance, lastVariance)
    }

    /// Throws for a value out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(1...1000, contains: steps, key: prefix + "steps")
        try ConfigurationError.require(0.00001...0.99, contains: firstVariance, key: prefix + "firstVariance")
        try ConfigurationError.require(firstVariance...0.999, contains: lastVariance, key: prefix + "lastVariance")
    }

    /// The diffusion of these settings.
    var diffusion: GaussianDiffusion {
        GaussianDiffusion(schedule: NoiseSchedule(linearVariance: firstVariance...lastVariance, steps: steps))
    }
}

extension NoiseSchedule {
    /// A schedule whose variances `1 - alphaBar_t` rise linearly, but for `beta_1 = 1e-5`.
    ///
    /// `beta_t = 1 - (1 - v_t) / (1 - v_{t-1})`, at most 0.999. The first variance only counts as what the second one rises
    /// from (method, section 11, "linear-var").
    init(linearVariance range: ClosedRange<Double>, steps T: Int) {
        let rise = T == 1 ? 0 : (range.upperBound - range.lowerBound) / Double(T - 1)
        let variances = (0..<T).map { range.lowerBound + rise * Double($0) }
        self.init(betas: [1e-5] + zip(variances, variances.dropFirst()).map { min(($1 - $0) / (1 - $0), 0.999) })
    }

    /// Weights of the squared error at the steps 1...T: how much of the signal-to-noise ratio `alphaBar / (1 - alphaBar)` a
    /// step loses, relative to the mean of all steps but the first; 1 at the first.
    ///
    /// The published differences are not divided by their mean, which is about 1e3 to 1e5, so that beside them the 1 of the
    /// first step is nothing, although that step's answer is the one that serves.
    var signalWeights: [Double] {
        let ratios = alphaBar.dropFirst().map { $0 / (1 - $0) }
        let differences = zip(ratios, ratios.dropFirst()).map { $0 - $1 }
        let mean = differences.reduce(0, +) / Double(max(1, differences.count))
        return [1] + differences.map { mean > 0 ? $0 / mean : 1 }
    }
}

extension GaussianDiffusion {
    /// What the last reverse step is asked about when the chain starts from given rows and adds no noise.
    ///
    /// The last step's answer is the denoiser's own (`c1_1 = 1`), so it is left to the caller.
    ///
    /// - Parameters:
    ///   - rows: Where the chain starts, as if they were `x_T`.
    ///   - count: How many steps, 1 to T, the last one included.
    ///   - predict: Maps `x_t` and `t` to the clean rows that a denoiser sees in them.
    /// - Returns: The rows before the last step, and its `t`.
    func descended(from rows: Matrix, steps count: Int, predict: (Matrix, Int) -> Matrix) -> (rows: Matrix, t: Int) {
        let steps = schedule.reverseSteps(count)
        var x = rows
        for step in steps.dropLast() {
            let clean = predict(x, step.t)
            x.scale(by: Float(step.noisy))
            x.add(clean, scale: Float(step.clean))
        }
        return (x, steps[steps.count - 1].t)
    }
}

/// The hidden layer of a denoiser of whole rows: `tanh(z + phi(t) W + b)` of what `z` the noised rows give.
///
/// `phi` are ten sines and cosines of `t - 1`. The published layer maps them by one more linear map, which this one absorbs.
struct StepAwareLayer: Sendable {
    /// Leads the names of the parameters.
    let prefix: String
    /// Its width.
    let width: Int

    private static let sinusoidCount = 10

    /// The parameters: Xavier-uniform weights, zero biases.
    var layout: ParameterLayout {
        [
            "\(prefix).step": .xavier(inputs: Self.sinusoidCount, outputs: width),
            "\(prefix).bias": .constant(rows: 1, columns: width),
        ]
    }

    /// The layer's answers, `[B, width]`, to `z [B, width]` at the step of each row.
    func output(_ z: Variable, steps: [Int], parameters: ParameterSet) -> Variable {
        let phi = z.tape.constant(sinusoids(positions: steps.map { Double($0 - 1) }, width: Self.sinusoidCount))
        return z.adding(phi.product(z.tape.parameter("\(prefix).step", from: parameters)))
            .addingToEachRow(z.tape.parameter("\(prefix).bias", from: parameters))
            .activated(.tanh)
    }
}
