/// The limits of a training: the first that is reached ends it, unless patience runs out before.
public struct TrainingBudget: Sendable, Equatable {
    /// Most optimiser steps; nil for the recipe's `maxSteps`, or for no limit if there is one of time.
    public var steps: Int?
    /// Most seconds of training, validations and earlier parts of a resumed run included; nil for no limit.
    public var seconds: Double?

    /// A budget; without limits the recipe decides.
    public init(steps: Int? = nil, seconds: Double? = nil) {
        self.steps = steps
        self.seconds = seconds
    }

    /// The budget of a training whose recipe the program chooses, if the user gives none: ten minutes.
    public static let withoutRecipe = TrainingBudget(seconds: 600)

    /// The budget of a run: a run without limits whose recipe the program chooses gets ``withoutRecipe``.
    public func completed(hasRecipe: Bool) -> TrainingBudget {
        hasRecipe || self != TrainingBudget() ? self : .withoutRecipe
    }
}

/// The time of a run: how long its parts take, and so how many steps a time limit allows.
package struct TrainingClock {
    private let budget: TrainingBudget
    private let start = ContinuousClock.now
    /// Seconds of earlier parts of a resumed run.
    private let secondsBefore: Double
    /// Targets learnt from in this part of the run.
    var targets = 0
    /// Steps of this part of the run, and their time.
    private var all = Steps()
    /// Steps since the last plan, and their time: a plan follows the speed of now.
    private var recent = Steps()
    private var validationSeconds = 0.0
    /// The time of all validations of this part of the run.
    private var allValidationSeconds = 0.0
    /// Steps that see about as many targets as the training part has.
    private let epoch: Int
    private var savingSeconds: Double
    private var lastSaved: Double
    /// The time at which the plan is made anew.
    private var nextPlan: Double

    /// Some steps and their time.
    private struct Steps {
        var count = 0
        var seconds = 0.0

        /// The mean time of a step, at least a microsecond.
        var mean: Double { max(1e-6, seconds / Double(max(1, count))) }
    }

    /// A clock of a run.
    ///
    /// - Parameters:
    ///   - budget: The limits of the run.
    ///   - progress: The progress of the earlier parts of the run.
    ///   - epoch: Steps that see about as many targets as the training part has.
    ///   - savedBytes: The size of the state that is saved, from which the time of the first saving is estimated.
    package init(budget: TrainingBudget, progress: TrainingProgress, epoch: Int, savedBytes: Int = 0) {
        self.budget = budget
        self.epoch = max(1, epoch)
        savingSeconds = Self.savingSeconds(bytes: savedBytes)
        secondsBefore = progress.seconds
        lastSaved = progress.seconds
        nextPlan = progress.seconds + (budget.seconds ?? 0) * Self.firstPlan
    }

    /// The share of the time limit after which the first plan is made, and the share between plans.
    private static let (firstPlan, planInterval) = (0.01, 0.02)

    /// Seconds of the whole run.
    var seconds: Double { secondsBefore + (ContinuousClock.now - start) / .seconds(1) }

    /// Whether the time limit has passed.
    package var isOver: Bool { budget.seconds.map { seconds >= $0 } ?? false }

    /// Targets per second of training, without validations.
    var targetsPerSecond: Double { all.seconds > 0 ? Double(targets) / all.seconds : 0 }

    /// Times an optimiser step.
    package mutating func step<Result>(_ body: () throws -> Result) rethrows -> Result {
        let begin = ContinuousClock.now
        let result = try body()
        let taken = (ContinuousClock.now - begin) / .seconds(1)
        all.count += 1
        all.seconds += taken
        recent.count += 1
        recent.seconds += taken
        return result
    }

    /// Times a validation.
    package mutating func validation(_ body: () throws -> Void) rethrows {
        let begin = ContinuousClock.now
        try body()
        validationSeconds = (ContinuousClock.now - begin) / .seconds(1)
        allValidationSeconds += validationSeconds
    }

    /// Whether saving the state would cost at most a twentieth of the time.
    package var savingIsDue: Bool { Self.isWorthSaving(after: seconds - lastSaved, cost: savingSeconds) }

    /// Whether the work of some seconds is worth a saving that takes `cost` seconds.
    package static func isWorthSaving(after seconds: Double, cost: Double) -> Bool { seconds >= 20 * cost }

    /// How long a slow disk (200 MB/s) takes to store a state; 0 below half a second.
    package static func savingSeconds(bytes: Int) -> Double {
        let seconds = Double(bytes) / 200e6
        return seconds < 0.5 ? 0 : seconds
    }

    /// Times the saving of the state.
    mutating func saving(_ body: () throws -> Void) rethrows {
        let begin = ContinuousClock.now
        try body()
        savingSeconds = (ContinuousClock.now - begin) / .seconds(1)
        lastSaved = seconds
    }

    /// The further steps that the time limit and the budget of steps allow, each time that a plan is due.
    ///
    /// - Parameters:
    ///   - step: Steps of the whole run so far.
    ///   - plan: The plan until now.
    /// - Returns: At least one step, unless the budget of steps is used up; nil when no plan is due.
    package mutating func plannedSteps(after step: Int, _ plan: TrainingPlan) -> Int? {
        guard let limit = budget.seconds, recent.count >= 3, seconds >= nextPlan else { return nil }
        nextPlan = seconds + limit * Self.planInterval
        // The last validation comes after the last step, and others take their share of the time until then.
        let left = max(0, limit - seconds - validationSeconds)
        let cost = recent.mean + validationSeconds / Double(interval(plan))
        recent = Steps()
        let most = max(0, (budget.steps ?? TrainingPlan.mostSteps) - step)
        return min(most, max(1, Int(min(left / cost, Double(TrainingPlan.mostSteps)))))
    }

    /// Whether it is time to validate.
    ///
    /// With a time limit there are about 20 validations, fewer when they would take more than a twentieth of the time.
    /// A small log may be learnt long before the first of these, so others come before it, after 1, 2, 4 ... epochs.
    package func validationIsDue(_ progress: TrainingProgress, _ plan: TrainingPlan, every steps: Int) -> Bool {
        guard let limit = budget.seconds else { return progress.step % steps == 0 }
        let passed = progress.step - progress.lastValidatedStep
        if plan.isMade, passed >= interval(plan) { return true }
        let isAffordable = 20 * (allValidationSeconds + validationSeconds) <= limit
        return isAffordable && passed >= max(epoch, progress.lastValidatedStep)
    }

    /// Steps between validations of a run with a time limit.
    private func interval(_ plan: TrainingPlan) -> Int {
        max(1, plan.steps / 20, Int(min(20 * validationSeconds / all.mean, Double(TrainingPlan.mostSteps))))
    }
}
