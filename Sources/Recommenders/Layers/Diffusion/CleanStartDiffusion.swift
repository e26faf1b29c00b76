import Autodiff
import Foundation
import Kernels

/// The noise of a diffusion that starts from the user's own row (Wang et al., SIGIR 2023, sections 3.2 and 3.3).
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
    /// A schedule whose variances `1 - alphaBar_t` rise linearly, except for `beta_1 = 1e-5`.
    ///
    /// `beta_t = 1 - (1 - v_t) / (1 - v_{t-1})`, at most 0.999. The first variance is only the start of the rise
    /// (method, section 11, "linear-var").
    init(linearVariance range: ClosedRange<Double>, steps T: Int) {
        let rise = T == 1 ? 0 : (range.upperBound - range.lowerBound) / Double(T - 1)
        let variances = (0..<T).map { range.lowerBound + rise * Double($0) }
        self.init(betas: [1e-5] + zip(variances, variances.dropFirst()).map { min(($1 - $0) / (1 - $0), 0.999) })
    }

    /// Weights of the squared error at the steps 1...T: the drop of the signal-to-noise ratio
    /// `alphaBar / (1 - alphaBar)` at a step, divided by the mean over all steps but the first; 1 at the first step.
    ///
    /// The published weights are not divided by their mean, which is about 1e3 to 1e5. There the weight 1 of the
    /// first step is negligible, although that step's prediction is served.
    var signalWeights: [Double] {
        let ratios = alphaBar.dropFirst().map { $0 / (1 - $0) }
        let differences = zip(ratios, ratios.dropFirst()).map { $0 - $1 }
        let mean = differences.reduce(0, +) / Double(max(1, differences.count))
        return [1] + differences.map { mean > 0 ? $0 / mean : 1 }
    }
}

extension GaussianDiffusion {
    /// The input of the last reverse step of a chain that starts from given rows and adds no noise.
    ///
    /// The last step returns the denoiser's prediction (`c1_1 = 1`), so the caller computes it.
    ///
    /// - Parameters:
    ///   - rows: The start of the chain, used as `x_T`.
    ///   - count: How many steps, 1 to T, the last one included.
    ///   - predict: Maps `x_t` and `t` to the predicted clean rows.
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

/// The hidden layer of a denoiser of rows over all items, `tanh(z + phi(t) W + b)`, with `z` from the noised rows.
///
/// `phi` is ten sines and cosines of `t - 1`. The published layer has one more linear map of `phi`; `W` includes it.
struct StepAwareLayer: Sendable {
    /// The prefix of the parameters' names.
    let prefix: String
    /// The width of the layer.
    let width: Int

    private static let sinusoidCount = 10

    /// The parameters: Xavier-uniform weights, zero biases.
    var layout: ParameterLayout {
        [
            "\(prefix).step": .xavier(inputs: Self.sinusoidCount, outputs: width),
            "\(prefix).bias": .constant(rows: 1, columns: width),
        ]
    }

    /// The layer's outputs, `[B, width]`, for `z [B, width]` at the step of each row.
    func output(_ z: Variable, steps: [Int], parameters: ParameterSet) -> Variable {
        let phi = z.tape.constant(sinusoids(positions: steps.map { Double($0 - 1) }, width: Self.sinusoidCount))
        return z.adding(phi.product(z.tape.parameter("\(prefix).step", from: parameters)))
            .addingToEachRow(z.tape.parameter("\(prefix).bias", from: parameters))
            .activated(.tanh)
    }
}
