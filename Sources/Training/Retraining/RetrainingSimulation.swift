public import CheckpointStore
import Foundation
import Kernels

/// Retraining week after week on a log with real times: continued trainings against trainings from nothing, and
/// against models that are not retrained.
///
/// Each period, every way of training learns from the events before it, and its model is judged on the events of the
/// period: each is a target, and its history is all earlier events of its user.
public struct RetrainingSimulation: Sendable {
    /// A way to keep a model current.
    public enum Way: Sendable, Equatable {
        /// A training from nothing in each period.
        case full
        /// Continued from the model of the period before.
        case continued(ContinuationConfiguration)
        /// The first model, never retrained.
        case first
        /// The full training of the period before: this period's is skipped.
        case skipped
    }

    /// The accuracy of a way in a period.
    public struct Score: Sendable, Equatable {
        /// HR@20.
        public var hitRate: Double
        /// MRR@20.
        public var reciprocalRank: Double
        /// Optimiser steps of the period; 0 without a training.
        public var steps: Int
        /// Seconds of the training, validations and counts included.
        public var seconds: Double

        package init(hitRate: Double, reciprocalRank: Double, steps: Int, seconds: Double) {
            (self.hitRate, self.reciprocalRank, self.steps, self.seconds) = (hitRate, reciprocalRank, steps, seconds)
        }
    }

    /// One period.
    public struct Period: Sendable {
        /// The first day.
        public var start: String
        /// Events before it.
        public var events: Int
        /// Items that the period before did not have.
        public var newItems: Int
        /// Judged events.
        public var rows: Int
        /// A score for each way.
        public var scores: [Score]

        package init(start: String, events: Int, newItems: Int, rows: Int, scores: [Score]) {
            (self.start, self.events, self.newItems, self.rows) = (start, events, newItems, rows)
            self.scores = scores
        }
    }

    /// The ways that are compared: a full training first.
    public let ways: [Way]
    private let recipe: Recipe
    private let source: EventSource
    private let columns: EventColumns
    private let days: Double
    private let firstShare: Double
    private let seed: UInt64
    private let budget: TrainingBudget

    /// A simulation on one log.
    ///
    /// - Parameters:
    ///   - recipe: The recipe of every training.
    ///   - source: The log, with times of a clock.
    ///   - columns: Explicit column names; nil ones are recognised from the header.
    ///   - continuations: Settings of continued trainings to compare.
    ///   - days: Length of a period.
    ///   - firstShare: The share of the events before the first period.
    ///   - seed: Seed of every draw.
    ///   - budget: The limits of a training from nothing besides those of the recipe.
    public init(
        recipe: Recipe,
        events source: EventSource,
        columns: EventColumns = EventColumns(),
        continuations: [ContinuationConfiguration],
        days: Double = 7,
        firstShare: Double = 0.5,
        seed: UInt64 = 42,
        budget: TrainingBudget = TrainingBudget()
    ) {
        self.recipe = recipe
        self.source = source
        self.columns = columns
        ways = [.full] + continuations.map(Way.continued) + [.skipped, .first]
        (self.days, self.firstShare, self.seed, self.budget) = (days, firstShare, seed, budget)
    }

    /// Runs all periods.
    ///
    /// - Parameters:
    ///   - store: Holds states during trainings.
    ///   - report: Called after each period.
    /// - Returns: The periods that have rows, oldest first.
    /// - Throws: ``CSVError``, ``RetrainingError/noClock(file:)``, and the errors of ``TrainingJob``.
    public func run(store: CheckpointStore, report: (Period) -> Void) throws -> [Period] {
        var items = ItemVocabulary()
        let log = try EventLog.read(source, columns, TargetConfiguration(), &items, .extend)
        let scale = TimeScale(log.dataset(log.eventsByUser()).lastTimestamps)
        guard scale.isClock else { throw RetrainingError.noClock(file: source.name) }
        let times = log.users.indices.map { log.times[Int32($0)].nearest }.sorted()
        let length = days * 86_400 * scale.perSecond
        var start = times[Int(Double(times.count - 1) * firstShare)]
        var (periods, former): ([Period], [State]) = ([], [])
        while let newest = times.last, start <= newest {
            let end = start + length
            defer { start = end }
            let divided = DividedLog(
                log,
                items,
                at: Timestamp(start),
                until: Timestamp(end),
                learntUntil: former.first?.parent.log?.newest
            )
            guard let divided, divided.rows.count > 0 else { continue }
            var period = Period(
                start: TimeScale.date(scale.seconds(start), withTime: false),
                events: divided.older.eventCount,
                newItems: divided.vocabulary.count - (former.first?.model.ids.count ?? 0),
                rows: min(divided.rows.count, DividedLog.mostRows),
                scores: []
            )
            func data(continued isContinued: Bool) throws -> TrainingData {
                try divided.trainingData(
                    of: source.name,
                    columns: columns,
                    split: recipe.data.split,
                    seed: recipe.data.splitSeed,
                    items: nil,
                    continued: isContinued
                )
            }
            let whole = try data(continued: false)
            let continues = !former.isEmpty && ways.contains { if case .continued = $0 { true } else { false } }
            let continued = continues ? try data(continued: true) : whole
            var states: [State] = []
            for (number, way) in ways.enumerated() {
                let before = former.isEmpty ? nil : former[number]
                let data = if case .continued = way { continued } else { whole }
                let state = try next(way, before, states.first, former.first, data, periods.count, store)
                let measures: [JudgedMeasure] = [.hitRate, .reciprocalRank]
                let rows = divided.rows(for: state.model.ids, limit: DividedLog.mostRows)
                let means = measures.map { measure in
                    state.model.values(measure, on: rows).reduce(0, +) / Double(max(1, rows.count))
                }
                period.scores.append(
                    Score(hitRate: means[0], reciprocalRank: means[1], steps: state.steps, seconds: state.seconds)
                )
                states.append(state)
            }
            former = states
            report(period)
            periods.append(period)
        }
        return periods
    }

    /// The model of a way in a period.
    private struct State {
        var model: JudgedModel
        var parent: ParentVersion
        var steps: Int
        var seconds: Double
    }

    private func next(
        _ way: Way,
        _ before: State?,
        _ full: State?,
        _ formerFull: State?,
        _ data: TrainingData,
        _ number: Int,
        _ store: CheckpointStore
    ) throws -> State {
        // Without `full` this is the full training of the period. In the first period every way equals it.
        guard let full else { return try train(recipe, data, from: nil, number, store) }
        guard let before else { return full }
        func untrained(_ state: State) -> State {
            State(model: state.model, parent: state.parent, steps: 0, seconds: 0)
        }
        switch way {
        case .full: return full
        case .first: return untrained(before)
        case .skipped: return untrained(formerFull ?? full)
        case .continued(let settings):
            var recipe = recipe
            recipe.continuation = settings
            return try train(recipe, data, from: before.parent, number, store)
        }
    }

    private func train(
        _ recipe: Recipe,
        _ data: TrainingData,
        from parent: ParentVersion?,
        _ number: Int,
        _ store: CheckpointStore
    ) throws -> State {
        let job = TrainingJob(recipe: recipe, data: data, seed: seed, model: "simulation", from: parent)
        let trained = try job.train(store: store, resume: false, budget: parent == nil ? budget : TrainingBudget())
        guard let trained else { preconditionFailure("the training stopped, and nothing asked it to") }
        try store.removeTrainingState(model: "simulation")
        let steps = trained.progress.step
        let origin = VersionOrigin(
            model: "simulation",
            version: number + 1,
            fullSteps: parent?.origin.fullSteps ?? steps
        )
        return State(
            model: JudgedModel(
                model: trained.model,
                ids: data.catalogue.ids,
                popularity: PopularityPredictor(
                    sequences: data.split.train.sequences,
                    items: data.catalogue.count
                ).order
            ),
            parent: ParentVersion(trained, of: recipe, on: data, origin: origin),
            steps: steps,
            seconds: trained.progress.seconds
        )
    }
}
