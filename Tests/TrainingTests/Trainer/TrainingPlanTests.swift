import Foundation
import Testing
import Training

@Suite("Training plan") struct TrainingPlanTests {
    private func training(_ schedule: LearningRateSchedule, share: Double = 0.4) -> TrainingConfiguration {
        var training = TrainingConfiguration()
        (training.schedule, training.decayShare) = (schedule, share)
        return training
    }

    @Test("a cosine falls from the full rate to 0 after a warm-up") func cosine() {
        let (plan, cosine) = (TrainingPlan(steps: 10), training(.cosine))
        #expect(plan.factor(step: 0, cosine) == 1)
        #expect(abs(plan.factor(step: 5, cosine) - 0.5) < 1e-12)
        #expect(abs(plan.factor(step: 10, cosine)) < 1e-12)
        var warm = training(.constant)
        warm.warmupSteps = 4
        #expect((0..<6).map { plan.factor(step: $0, warm) } == [0.25, 0.5, 0.75, 1, 1, 1])
    }

    @Test("a trapezoid is constant, then falls straight to 0") func trapezoid() {
        let (plan, trapezoid) = (TrainingPlan(steps: 10), training(.trapezoidal))
        #expect((0...10).map { plan.factor(step: $0, trapezoid) } == [1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0])
    }

    @Test("before the fall the end moves with the time left; the steps before are the same") func extends() {
        let trapezoid = training(.trapezoidal)
        var plan = TrainingPlan(steps: 10)
        plan.extend(at: 3, by: 17, trapezoid)
        #expect(plan == TrainingPlan(steps: 20))
        #expect((0...12).allSatisfy { plan.factor(step: $0, trapezoid) == 1 })
        #expect(plan.factor(step: 16, trapezoid) == 0.5)
    }

    @Test("during the fall the end only comes nearer, and the rate stays continuous") func shortens() {
        let trapezoid = training(.trapezoidal)
        var plan = TrainingPlan(steps: 100)
        plan.extend(at: 80, by: 60, trapezoid)
        #expect(plan == TrainingPlan(steps: 100))
        plan.extend(at: 80, by: 10, trapezoid)
        #expect(plan.steps == 90)
        #expect([80, 85, 90].map { plan.factor(step: $0, trapezoid) } == [0.5, 0.25, 0])
    }

    @Test("when patience runs out, the fall is as long as for a run that ended its constant part at the best step")
    func fallsEarly() {
        let trapezoid = training(.trapezoidal)
        var plan = TrainingPlan(steps: 1000)
        #expect(plan.isBeforeFall(500, trapezoid) && !plan.isBeforeFall(600, trapezoid))
        plan.fall(at: 90, best: 30, trapezoid)
        #expect(plan.steps == 110 && !plan.isBeforeFall(90, trapezoid))
        #expect([90, 100, 110].map { plan.factor(step: $0, trapezoid) } == [1, 0.5, 0])
        plan.extend(at: 95, by: 500, trapezoid)
        #expect(plan.steps == 110)
    }

    @Test("a clock without a time limit follows the recipe's steps") func clock() {
        var clock = TrainingClock(budget: TrainingBudget(), progress: TrainingProgress(), epoch: 1_000_000)
        var (progress, plan) = (TrainingProgress(), TrainingPlan(steps: 100))
        #expect(clock.plannedSteps(after: 4, plan) == nil && !clock.isOver)
        progress.step = 6
        #expect(clock.validationIsDue(progress, plan, every: 3) && !clock.validationIsDue(progress, plan, every: 4))
    }

    @Test("a clock measures first, then plans as many steps as time and the budget of steps allow") func limits() {
        let unmade = TrainingPlan(steps: TrainingPlan.mostSteps)
        #expect(!unmade.isMade)
        var patient = TrainingClock(
            budget: TrainingBudget(seconds: 1e6),
            progress: TrainingProgress(),
            epoch: 1_000_000
        )
        for _ in 0..<5 { patient.step {} }
        #expect(patient.plannedSteps(after: 5, unmade) == nil, "it measures for a hundredth of the time")
        // The time is over after these steps, but the plan still allows one.
        var before = TrainingProgress()
        before.seconds = 0.02
        var bounded = TrainingClock(
            budget: TrainingBudget(steps: 12, seconds: 0.02 + 1e-9),
            progress: before,
            epoch: 1_000_000
        )
        for _ in 0..<5 { bounded.step { Thread.sleep(forTimeInterval: 0.001) } }
        #expect(bounded.isOver && bounded.plannedSteps(after: 5, unmade) == 1)
        var roomy = TrainingClock(
            budget: TrainingBudget(steps: 12, seconds: 100),
            progress: TrainingProgress(),
            epoch: 1_000_000
        )
        for _ in 0..<3 { roomy.step { Thread.sleep(forTimeInterval: 0.35) } }
        let further = roomy.plannedSteps(after: 5, unmade)
        #expect(further == 7, "the budget of steps has 7 left")
        #expect(roomy.plannedSteps(after: 12, unmade) == nil, "the next plan waits")
    }

    @Test("a state is saved once the work since the last saving is worth it") func saving() {
        func clock(savedBytes: Int) -> TrainingClock {
            TrainingClock(budget: TrainingBudget(), progress: TrainingProgress(), epoch: 1, savedBytes: savedBytes)
        }
        #expect(clock(savedBytes: 50_000_000).savingIsDue, "a small state is saved at once")
        #expect(!clock(savedBytes: 1_000_000_000).savingIsDue)
        let cost = TrainingClock.savingSeconds(bytes: 1_000_000_000)
        #expect(!TrainingClock.isWorthSaving(after: 99, cost: cost))
        #expect(TrainingClock.isWorthSaving(after: 101, cost: cost))
    }

    @Test("validations of a run with a time limit are a twentieth of the plan apart, once there is one") func spacing()
    {
        let clock = TrainingClock(budget: TrainingBudget(seconds: 100), progress: TrainingProgress(), epoch: 1_000_000)
        var progress = TrainingProgress()
        progress.step = 99
        #expect(!clock.validationIsDue(progress, TrainingPlan(steps: TrainingPlan.mostSteps), every: 1))
        #expect(!clock.validationIsDue(progress, TrainingPlan(steps: 2000), every: 1))
        progress.step = 100
        #expect(clock.validationIsDue(progress, TrainingPlan(steps: 2000), every: 1))
    }

    @Test("a small log is validated after 1, 2, 4 ... epochs too, unless that takes a twentieth of the time")
    func epochs() {
        let clock = TrainingClock(budget: TrainingBudget(seconds: 100), progress: TrainingProgress(), epoch: 7)
        let (unmade, plan) = (TrainingPlan(steps: TrainingPlan.mostSteps), TrainingPlan(steps: 2000))
        var progress = TrainingProgress()
        var steps: [Int] = []
        for step in 1...500 {
            progress.step = step
            guard clock.validationIsDue(progress, step < 30 ? unmade : plan, every: 1) else { continue }
            progress.lastValidatedStep = step
            steps.append(step)
        }
        #expect(steps == [7, 14, 28, 56, 112, 212, 312, 412])
        var dear = TrainingClock(budget: TrainingBudget(seconds: 0.3), progress: TrainingProgress(), epoch: 7)
        progress = TrainingProgress()
        progress.step = 7
        #expect(dear.validationIsDue(progress, unmade, every: 1), "its cost is not known yet")
        dear.validation { Thread.sleep(forTimeInterval: 0.02) }
        progress.lastValidatedStep = 7
        progress.step = 14
        #expect(!dear.validationIsDue(progress, unmade, every: 1))
    }
}
