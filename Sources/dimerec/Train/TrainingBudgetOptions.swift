import ArgumentParser
import Training

/// The limits of a training, besides the recipe's patience.
struct TrainingBudgetOptions: ParsableArguments {
    @Option(
        help: """
            Train for this many seconds instead of the recipe's maxSteps, validations and the refit included; fitting \
            counts may take some more. With the schedules trapezoidal and cosine the learning rate is 0 when the time ends.
            """
    )
    var maxSeconds: Double?
    @Option(help: "The limit of --max-seconds in minutes.") var minutes: Double?
    @Option(help: "Train for at most this many steps, in place of the recipe's maxSteps.") var maxSteps: Int?

    func validate() throws {
        try Self.require(maxSeconds)
        try ValidationError.requirePositive("--minutes", minutes, atMost: Self.longest / 60)
        guard maxSeconds == nil || minutes == nil else {
            throw ValidationError("Give --max-seconds or --minutes, not both.")
        }
        try ValidationError.require("--max-steps", maxSteps, in: 1...TrainingPlan.mostSteps)
    }

    /// The budget; without options, the recipe decides.
    var budget: TrainingBudget { TrainingBudget(steps: maxSteps, seconds: maxSeconds ?? minutes.map { $0 * 60 }) }

    /// Throws unless `--max-seconds` is absent or a time above 0 and of at most a year.
    static func require(_ maxSeconds: Double?) throws {
        try ValidationError.requirePositive("--max-seconds", maxSeconds, atMost: longest)
    }

    /// The seconds of a year.
    private static let longest = 31_536_000.0
}
