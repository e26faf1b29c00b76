public import CheckpointStore

/// Counters of a run, stored with its weights.
public struct TrainingProgress: Codable, Sendable, Equatable {
    /// Optimiser steps taken.
    public var step = 0
    /// Targets learnt from so far.
    public var targets = 0
    /// The version that the run continues from; nil for a run from nothing.
    public var origin: VersionOrigin?
    /// The length of the run and its learning rates; nil before the first step.
    public var plan: TrainingPlan?
    /// The step with the best weights on validation; 0 before the first validation.
    public var bestStep = 0
    /// The validation metrics of the best step.
    public var best: [String: Double] = [:]
    /// Validations since the best step.
    public var validationsWithoutGain = 0
    /// The step at which patience ran out, so that the run ends before its limit; nil if it has not.
    public var patienceEnd: Int?
    /// The step of the last validation.
    public var lastValidatedStep = 0
    /// Training time so far, validations included.
    public var seconds = 0.0
    /// Losses and metrics of each validation interval, oldest first.
    public var history: [Interval] = []
    /// Loss terms summed over the steps since the last validation, and how many steps those are.
    private var termSums: [String: Double] = [:]
    private var termSteps = 0

    /// Nothing done yet.
    public init() {}

    /// Training from one validation to the next.
    public struct Interval: Codable, Sendable, Equatable {
        /// The step of the validation that ends it.
        public var step: Int
        /// Loss terms by name, averaged over the steps of the interval.
        public var terms: [String: Double]
        /// Metrics of the validation.
        public var metrics: [String: Double]
        /// Training time until the validation in seconds, earlier validations included.
        public var seconds: Double
        /// Targets learnt from until the validation.
        public var targets: Int

        /// The results from one validation to the next.
        public init(step: Int, terms: [String: Double], metrics: [String: Double], seconds: Double, targets: Int) {
            self.step = step
            self.terms = terms
            self.metrics = metrics
            self.seconds = seconds
            self.targets = targets
        }
    }

    /// Checks that a run can have these counters; without a plan it has at most `maxSteps` steps.
    func check(maxSteps: Int) throws(TrainingError) {
        let maxSteps = plan?.steps ?? maxSteps
        func require(_ range: ClosedRange<Int>, _ value: Int, _ name: String) throws(TrainingError) {
            guard range ~= value else { throw .unusableState("its \(name) is \(value), it must be in \(range)") }
        }
        guard 0...TrainingPlan.mostSteps ~= maxSteps else {
            throw .unusableState("its plan has \(maxSteps) steps, it must have 0 to \(TrainingPlan.mostSteps)")
        }
        if let fall = plan?.fall {
            try require(0...maxSteps, fall.start, "plan.fall.start")
            guard 0...1 ~= fall.factor else {
                throw .unusableState("its plan.fall.factor is \(fall.factor), it must be in 0...1")
            }
        }
        try require(0...1 << 53, targets, "targets")
        try require(0...maxSteps, step, "step")
        try require(0...step, bestStep, "bestStep")
        try require(0...step, lastValidatedStep, "lastValidatedStep")
        try require(0...step, termSteps, "termSteps")
        try require(0...maxSteps, validationsWithoutGain, "validationsWithoutGain")
        guard seconds >= 0, seconds.isFinite else {
            throw .unusableState("its seconds are \(seconds), they must not be negative")
        }
    }

    mutating func add(_ terms: [(name: String, value: Float)]) {
        termSteps += 1
        for term in terms { termSums[term.name, default: 0] += Double(term.value) }
    }

    mutating func closeInterval(metrics: [String: Double], seconds: Double) {
        let steps = Double(max(1, termSteps))
        history.append(
            Interval(
                step: step,
                terms: termSums.mapValues { $0 / steps },
                metrics: metrics,
                seconds: seconds,
                targets: targets
            )
        )
        (termSums, termSteps) = ([:], 0)
    }
}
