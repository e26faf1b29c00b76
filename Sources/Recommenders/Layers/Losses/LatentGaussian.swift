import Autodiff
import Kernels

/// Normal distributions of latent rows with independent elements, as a variational encoder gives them.
struct LatentGaussian {
    /// Means, `[B, latent]`.
    let mean: Variable
    /// Logarithms of the variances, `[B, latent]`.
    let logVariance: Variable

    /// A sample of each row from given standard normals, `mean + exp(logVariance / 2) eps`.
    func sample(_ normals: Matrix) -> Variable {
        mean.adding(logVariance.scaled(by: 0.5).exponential().multiplied(by: mean.tape.constant(normals)))
    }

    /// `weight` times the sum over rows of the divergence from the standard normal, `sum (v + m^2 - 1 - log v) / 2`.
    func divergence(weight: Float) -> Variable {
        let one = Matrix(rows: mean.value.rows, columns: mean.value.columns, repeating: 1)
        return logVariance.exponential().adding(mean.multiplied(by: mean)).adding(logVariance, scale: -1)
            .adding(mean.tape.constant(one), scale: -1)
            .sum(scale: weight / 2)
    }
}

/// Hyper-parameters of a variational autoencoder's divergence.
protocol DivergenceConfiguration {
    /// Final weight of the latent distribution's divergence (beta).
    var beta: Double { get }
    /// Training steps over which that weight rises from 0.
    var annealingSteps: Int { get }
}

extension DivergenceConfiguration {
    /// Throws for a value out of range.
    func validateDivergence(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(0...100, contains: beta, key: prefix + "beta")
        try ConfigurationError.require(1...100_000_000, contains: annealingSteps, key: prefix + "annealingSteps")
    }

    /// The weight at a training step, from 0.
    func divergenceWeight(at step: Int) -> Float {
        Float(beta * min(1, Double(step) / Double(annealingSteps)))
    }
}
