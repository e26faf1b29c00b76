import Autodiff
import CheckpointStore
import Kernels
import Recommenders

// From the data to a trained model: gradients or a closed form, then counts, then the refit.

extension TrainingJob {
    /// A trained model with the record of its training.
    struct Trained {
        /// The model with its best weights, and its counts.
        var model: CountedRecommender
        /// Counters and validation metrics.
        var progress: TrainingProgress
        /// Rows of one epoch.
        var trainRows: Int
        /// Bytes of the item tables on this rank during the training.
        var tableBytes = 0
    }

    /// Trains without publishing; the state to resume from stays in the store, which other ranks than 0 do not have.
    ///
    /// - Returns: The trained model, with counts on rank 0 alone; nil when `shouldStop` ended the run.
    func train(
        store: CheckpointStore?,
        resume: Bool,
        budget: TrainingBudget = TrainingBudget(),
        shouldStop: () -> Bool = { false },
        report: (TrainingEvent) -> Void = { _ in }
    ) throws -> Trained? {
        let system = try ModelRegistry.system(named: recipe.system)
        if let system = system as? any FittedRecommender.Type { return try fit(system, report: report) }
        guard let system = system as? any TrainedRecommender.Type else {
            preconditionFailure("'\(recipe.system)' learns neither by gradients nor in closed form")
        }
        let tables = try placement(system)
        // The refit gets its share of a time limit.
        var own = budget
        own.seconds = budget.seconds.map { $0 / (1 + Refit.share(recipe, data.split)) }
        guard
            var trained = try learn(
                system,
                tables: tables,
                store: store,
                resume: resume,
                budget: own,
                shouldStop: shouldStop,
                report: report
            )
        else { return nil }
        let plain = trained.progress.best
        if recipe.counts.enabled {
            let own = trained.model.system
            try trained.collect(tables)
            if ranks.isFirst { try trained.addCounts(recipe, data, continuing: parent, report: report) }
            trained.model.system = own
        }
        let isDone = try trained.refit(
            learntRecipe,
            data,
            seed: parent?.seed(seed) ?? seed,
            tables: tables,
            better: plain,
            limit: budget.seconds,
            shouldStop: shouldStop,
            report: report
        )
        guard isDone else { return nil }
        try trained.collect(tables)
        return trained
    }

    /// Where the rows of the item tables of a system are.
    private func placement<Model: TrainedRecommender>(_ system: Model.Type) throws -> TablePlacement {
        guard dividesItems else { return TablePlacement(on: ranks) }
        return try TablePlacement(
            dividedOver: ranks,
            of: Model(Model.own(recipe.configuration), parameters: ParameterSet()),
            recipe,
            items: data.catalogue.count
        )
    }

    /// Fits a model in closed form and evaluates it on the validation part.
    private func fit<Model: FittedRecommender>(
        _ system: Model.Type,
        report: (TrainingEvent) -> Void
    ) throws -> Trained {
        let start = ContinuousClock.now
        let train = data.split.train
        let rows = train.sequences.lengths.reduce(0) { $0 + max(0, $1 - 1) }
        guard rows > 0 else { throw TrainingError.nothingToLearn }
        let evaluator = try Evaluator(
            validating: recipe,
            split: data.split,
            items: data.catalogue.count,
            historyLength: recipe.configuration.historyLength
        )
        let model = try Model(
            Model.own(recipe.configuration),
            fitting: train.sequences,
            items: data.catalogue.count
        )
        var progress = TrainingProgress()
        progress.best =
            evaluator.evaluate(
                model,
                readOut: .served,
                noiseSeed: Evaluator.validationNoiseSeed
            ).metrics.values
        progress.seconds = (ContinuousClock.now - start) / .seconds(1)
        report(.validation(0, metrics: progress.best, isBest: true))
        guard recipe.training.refit else {
            return Trained(model: CountedRecommender(model), progress: progress, trainRows: rows)
        }
        let refitted = try Model(
            Model.own(recipe.configuration),
            fitting: data.split.sequencesBeforeTest,
            items: data.catalogue.count
        )
        return Trained(model: CountedRecommender(refitted), progress: progress, trainRows: rows)
    }

    /// Learns by gradients until the budget or patience ends it; nil when `shouldStop` ended the run.
    func learn<Model: TrainedRecommender>(
        _ system: Model.Type,
        tables: TablePlacement,
        store: CheckpointStore?,
        resume: Bool,
        budget: TrainingBudget,
        shouldStop: () -> Bool,
        report: (TrainingEvent) -> Void
    ) throws -> Trained? {
        var budget = budget
        // A time limit does not make a continued training longer.
        if parent != nil, budget.steps == nil { budget.steps = learntRecipe.training.maxSteps }
        var trainer = try trainer(system, tables: tables, store: store, resume: resume)
        let outcome = try trainer.run(
            budget: budget,
            shouldStop: shouldStop,
            save: { try save($0, in: store) },
            report: report
        )
        guard outcome.isFinished else { return nil }
        if Refit.share(recipe, data.split) > 0 {
            // If the refit is interrupted, the training before it need not be repeated.
            try trainer.saveState { try save($0, in: store) }
        }
        return Trained(
            model: CountedRecommender(outcome.model),
            progress: outcome.progress,
            trainRows: trainer.trainRows,
            tableBytes: trainer.tableBytes
        )
    }

    /// A trainer before its first step, or at the step of the stored state.
    ///
    /// The time that the start of the weights takes is a part of the training's.
    private func trainer<Model: TrainedRecommender>(
        _ system: Model.Type,
        tables: TablePlacement,
        store: CheckpointStore?,
        resume: Bool
    ) throws -> Trainer<Model> {
        let begin = ContinuousClock.now
        func isDivided(_ name: String) -> Bool { Trainer<Model>.isDivided(name, by: tables) }
        let stored =
            try resume
            ? tables.state(where: isDivided) { body in try store?.readTrainingState(model: modelName, body) } : nil
        let seed = parent?.seed(seed) ?? seed
        let startsWhole = stored == nil && (parent != nil || recipe.training.itemStart != .random)
        var model = Model(
            Model.own(recipe.configuration),
            items: data.catalogue.count,
            seed: seed,
            share: startsWhole ? .all : tables.share
        )
        if startsWhole {
            let sequences = data.split.train.sequences
            if let parent {
                try model.adopt(parent, ids: data.catalogue.ids, sequences: sequences)
            } else {
                model.start(recipe.training.itemStart, sequences: sequences)
            }
            tables.keepOwnRows(of: &model)
        }
        var trainer = try Trainer(
            model: model,
            recipe: learntRecipe,
            split: data.split,
            items: data.catalogue.count,
            seed: seed,
            tables: tables
        )
        trainer.progress.origin = origin
        // The earlier version has learnt the events that validate, so they prefer weights that have hardly moved.
        trainer.keepsLastWeights = parent != nil && data.learntUntil == nil
        if let stored {
            try restore(&trainer, stored)
        } else {
            trainer.progress.seconds = (ContinuousClock.now - begin) / .seconds(1)
        }
        return trainer
    }
}
