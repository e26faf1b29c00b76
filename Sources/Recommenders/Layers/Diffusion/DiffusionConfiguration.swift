/// Hyper-parameters of a system that generates item rows by a diffusion with a Transformer.
public protocol DiffusionConfiguration: TransformerConfiguration {
    /// Diffusion steps (T).
    var steps: Int { get }
    /// How noise grows.
    var schedule: ScheduleConfiguration { get }
    /// The variance of the reverse steps' noise.
    var reverseVariance: NoiseSchedule.ReverseVariance { get }
}

extension DiffusionConfiguration {
    /// That of the posterior.
    public var reverseVariance: NoiseSchedule.ReverseVariance { .posterior }

    /// The diffusion of these settings.
    var diffusion: GaussianDiffusion {
        GaussianDiffusion(schedule: NoiseSchedule(schedule, steps: steps), variance: reverseVariance)
    }

    /// Throws for a size, a number of steps or a schedule out of range.
    ///
    /// Step numbers are embedded by as many sines as cosines, so the dimension must be even.
    func validateDiffusion(prefix: String) throws(ConfigurationError) {
        try validateSizes(prefix: prefix)
        guard dimension % 2 == 0 else {
            throw .outOfRange(key: prefix + "dimension", value: "\(dimension)", allowed: "an even number")
        }
        try ConfigurationError.require(1...10_000, contains: steps, key: prefix + "steps")
        try schedule.validate(prefix: prefix + "schedule.")
    }
}

extension ChainRecommender where Configuration: DiffusionConfiguration {
    /// The number of diffusion steps (T).
    public var reverseSteps: Int { configuration.steps }
}
