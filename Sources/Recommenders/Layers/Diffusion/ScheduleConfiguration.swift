/// A family of beta schedules and its parameters (method, section 2).
public struct ScheduleConfiguration: ConfigurationSection {
    /// The families.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// `1 - exp(-0.1/T - 0.5 * 9.9 x_t / T^2)`.
        case exponential = "exp"
        /// Squared cosine.
        case cosine
        /// 1e-4...0.02 scaled by 1000/T and clipped.
        case linear50 = "lin50"
        /// 1e-4...0.02 without scaling.
        case linearUnscaled = "lin"
        /// DiffuRec's truncated linear.
        case truncatedLinear = "trunc-lin"
        /// `alphaBar` falls from 1 as `(1 - sqrt(t/T + 1e-4)) / 0.99` (Li et al., "Diffusion-LM", 2022, appendix A).
        case squareRoot = "sqrt"
        /// Linear from `betaFirst` to `betaLast`.
        case linear
    }
    /// The family.
    public var kind = Kind.linear
    /// First beta of `linear`.
    public var betaFirst = 0.3
    /// Last beta of `linear`.
    public var betaLast = 0.9

    /// The defaults.
    public init() {}

    /// A family with its defaults.
    public init(kind: Kind) { self.kind = kind }

    /// Throws for a value out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(1e-6...0.999, contains: betaFirst, key: prefix + "betaFirst")
        try ConfigurationError.require(betaFirst...0.999, contains: betaLast, key: prefix + "betaLast")
    }
}
