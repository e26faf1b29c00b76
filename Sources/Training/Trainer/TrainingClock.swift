/// What ends a training besides patience, whichever comes first.
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
}

/// The time of a run: how long its parts take, and so how many steps a time limit allows.
package struct TrainingClock {
    private let budget: TrainingBudget
    private let start = ContinuousClock.now
    /// Seconds and steps of earlier parts of a resumed run.
    private let before: (seconds: Double, step: Int)
    /// Targets learnt from in this part of the run.
    var targets = 0
    private var steps = 0
    private var stepSeconds = 0.0
    /// A moving mean of a step's seconds.
    private var secondsPerStep = 0.0
    private var validationSeconds = 0.0
    private var savingSeconds = 0.0
    private var lastSaved: Double
    /// The time at which the plan is made anew.
    private var nextPlan = 0.0
    /// Steps of the whole run as last planned.
    private var planned: Int?

    package init(budget: TrainingBudget, progress: TrainingProgress) {
        self.budget = budget
        before = (progress.seconds, progress.step)
        lastSaved = progress.seconds
        nextPlan = progress.seconds + (budget.seconds ?? 0) * Self.firstPlan
    }

    /// The share of the time limit after which the first plan is made, and the share between plans.
    private static let (firstPlan, planInterval) = (0.01, 0.02)

    /// Seconds of the whole run.
    var seconds: Double { before.seconds + (ContinuousClock.now - start) / .seconds(1) }

    /// Whether the time limit has passed.
    package var isOver: Bool { budget.seconds.map { seconds >= $0 } ?? false }

    /// Targets per second of training, without validations.
    var targetsPerSecond: Double { stepSeconds > 0 ? Double(targets) / stepSeconds : 0 }

    /// Times an optimiser step.
    package mutating func step<Result>(_ body: () throws -> Result) rethrows -> Result {
        let begin = ContinuousClock.now
        let result = try body()
        let taken = (ContinuousClock.now - begin) / .seconds(1)
        steps += 1
        stepSeconds += taken
        // The mean of all steps at first, then one that forgets half within some 35 steps.
        secondsPerStep += (taken - secondsPerStep) * max(0.02, 1 / Double(steps))
        return result
    }

    /// Times a validation.
    mutating func validation(_ body: () throws -> Void) rethrows {
        let begin = ContinuousClock.now
        try body()
        validationSeconds = (ContinuousClock.now - begin) / .seconds(1)
    }

    /// Saves the state, unless that would cost more than a twentieth of the time.
    mutating func saving(_ body: () throws -> Void) rethrows {
        guard seconds - lastSaved >= 20 * savingSeconds else { return }
        let begin = ContinuousClock.now
        try body()
        savingSeconds = (ContinuousClock.now - begin) / .seconds(1)
        lastSaved = seconds
    }

    /// The further steps that the time limit allows, each time that a plan is due.
    ///
    /// - Parameter step: Steps of the whole run so far.
    /// - Returns: At least one step; nil when no plan is due.
    package mutating func plannedSteps(after step: Int) -> Int? {
        guard let limit = budget.seconds, steps >= 3, seconds >= nextPlan else { return nil }
        nextPlan = seconds + limit * Self.planInterval
        // The last validation comes after the last step, and others take their share of the time until then.
        let left = max(0, limit - seconds - validationSeconds)
        let cost = secondsPerStep + validationSeconds / Double(interval(planned ?? .max))
        let most = (budget.steps ?? TrainingPlan.mostSteps) - step
        let further = min(most, max(1, Int(min(left / cost, Double(TrainingPlan.mostSteps - step)))))
        planned = step + further
        return further
    }

    /// Whether it is time to validate.
    ///
    /// With a time limit there are about 20 validations, fewer when they would take more than a twentieth of the time.
    package func validationIsDue(_ progress: TrainingProgress, every steps: Int) -> Bool {
        guard budget.seconds != nil else { return progress.step % steps == 0 }
        guard let planned else { return false }
        return progress.step - progress.lastValidatedStep >= interval(planned)
    }

    /// Steps between validations of a run with a time limit.
    private func interval(_ planned: Int) -> Int {
        max(1, planned / 20, Int(20 * validationSeconds / max(secondsPerStep, 1e-6)))
    }
}
