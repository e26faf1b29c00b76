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
        if let maxSeconds { try Self.require(maxSeconds) }
        if let minutes {
            guard maxSeconds == nil else { throw ValidationError("Give --max-seconds or --minutes, not both.") }
            guard 0...525_600 ~= minutes else {
                throw ValidationError("--minutes must be 0 to 525600, a year; got \(minutes).")
            }
        }
        try ValidationError.require("--max-steps", maxSteps, in: 1...TrainingPlan.mostSteps)
    }

    /// The budget; without options, the recipe decides.
    var budget: TrainingBudget { TrainingBudget(steps: maxSteps, seconds: maxSeconds ?? minutes.map { $0 * 60 }) }

    /// Throws unless `--max-seconds` is a time: not negative, at most a year.
    static func require(_ maxSeconds: Double) throws {
        guard 0...31_536_000 ~= maxSeconds else {
            throw ValidationError("--max-seconds must be 0 to 31536000, a year; got \(maxSeconds).")
        }
    }
}
