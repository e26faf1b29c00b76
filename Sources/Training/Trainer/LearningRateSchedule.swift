import Foundation

/// The learning rate over a run.
public enum LearningRateSchedule: String, Codable, Sendable, CaseIterable {
    /// The same at every step.
    case constant
    /// Half a cosine from the full rate to 0 (Loshchilov and Hutter, ICLR 2017, without restarts).
    case cosine
    /// Constant, then a straight fall to 0 over the last part of the run (Hägele et al., "Scaling laws and
    /// compute-optimal training beyond fixed training durations", NeurIPS 2024).
    ///
    /// The constant part does not depend on the length of the run, so the end can be decided while training runs.
    case trapezoidal
}

/// The length of a run and the learning rate of each step; changes while a run with a time limit measures its speed.
public struct TrainingPlan: Codable, Sendable, Equatable {
    /// Steps of the whole run.
    public package(set) var steps: Int
    /// The fall that has begun; nil before it begins.
    package var fall: Fall?

    /// A straight fall to 0 at the end of the run.
    package struct Fall: Codable, Sendable, Equatable {
        /// The first step of the fall.
        package var start: Int
        /// The factor of the learning rate there.
        package var factor: Double

        package init(start: Int, factor: Double) { (self.start, self.factor) = (start, factor) }
    }

    /// The most steps of a run.
    public static let mostSteps = 100_000_000

    /// A plan of `steps` steps.
    package init(steps: Int) { self.steps = steps }

    /// Whether the number of steps is known: false until a run with a time limit has measured its speed.
    package var isMade: Bool { steps < Self.mostSteps }

    /// The fraction of the full learning rate at a step, counted from 0.
    package func factor(step: Int, _ training: TrainingConfiguration) -> Double {
        let warmth = min(1, Double(step + 1) / Double(max(1, training.warmupSteps)))
        return warmth * shape(step, training)
    }

    private func shape(_ step: Int, _ training: TrainingConfiguration) -> Double {
        switch training.schedule {
        case .constant:
            return 1
        case .cosine:
            return 0.5 * (1 + cos(.pi * Double(min(step, steps)) / Double(max(1, steps))))
        case .trapezoidal:
            let fall = fall ?? Fall(start: start(training), factor: 1)
            guard step > fall.start else { return fall.factor }
            return fall.factor * Double(max(0, steps - step)) / Double(max(1, steps - fall.start))
        }
    }

    /// The first step of the fall of a trapezoidal schedule.
    private func start(_ training: TrainingConfiguration) -> Int {
        steps - Int((training.decayShare * Double(steps)).rounded())
    }

    /// Plans the end again at a step, for the steps that the time limit still allows.
    ///
    /// Until the fall begins the end may move either way. Afterwards it only comes nearer, and the fall gets steeper
    /// from where it is.
    ///
    /// - Parameters:
    ///   - step: Steps taken.
    ///   - remaining: Steps that the time still allows.
    ///   - training: Settings of the schedule.
    package mutating func extend(at step: Int, by remaining: Int, _ training: TrainingConfiguration) {
        let end = step + max(0, remaining)
        guard training.schedule == .trapezoidal, step >= (fall?.start ?? start(training)) else {
            steps = end
            return
        }
        guard end < steps else { return }
        fall = Fall(start: step, factor: shape(step, training))
        steps = end
    }

    /// Begins the fall of a trapezoidal schedule now, as long as a run of this many steps would have.
    ///
    /// - Parameters:
    ///   - step: Steps taken; the fall starts here.
    ///   - best: Steps after which the best weights were found: the fall is as long as if it started there.
    ///   - training: Settings of the schedule.
    package mutating func fall(at step: Int, best: Int, _ training: TrainingConfiguration) {
        let length = training.decayShare / max(0.01, 1 - training.decayShare) * Double(best)
        fall = Fall(start: step, factor: shape(step, training))
        steps = min(steps, step + max(1, Int(length.rounded())))
    }

    /// Whether the trapezoidal schedule is in its constant part.
    package func isBeforeFall(_ step: Int, _ training: TrainingConfiguration) -> Bool {
        training.schedule == .trapezoidal && fall == nil && step < start(training)
    }
}
