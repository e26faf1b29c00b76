import CheckpointStore
import Kernels
import Recommenders

/// The last part of a training: the best weights learn from the validation part too.
///
/// The validation part has then decided when to stop and which weights to keep. Its rows are often the newest of a log,
/// and most like the rows to come. Half of the targets of a refit are from the validation part and half from the training
/// part, so nothing is forgotten. The refit lasts until the validation part has been seen about as often as the training
/// part was. Afterwards only the test part can judge the result.
struct Refit {
    /// The settings: fewer steps, half of the training's learning rate, a warm-up because Adam's moments form again, then
    /// a fall to 0.
    ///
    /// Validations choose nothing here, because the refit learns from their rows.
    let recipe: Recipe
    /// The data: the training part, and the validation part repeated until both have about as many targets.
    let split: DataSplit

    /// Makes the draws of a refit differ from those of the training.
    private static let otherDraws: UInt64 = 0x4ef1_7000_0000_0001
    /// The most steps, as a share of those of the training.
    private static let mostShare = 0.5
    /// The least validation targets for each training target with which a refit is worth its time.
    private static let leastRatio = 0.01

    /// Steps of a refit as a share of those of the training; 0 if there is none.
    ///
    /// A user whose sequence continues in the validation part has one new target there: too few to learn from.
    static func share(_ recipe: Recipe, _ split: DataSplit) -> Double {
        guard recipe.training.refit, split.validation.targets == .any else { return 0 }
        let ratio = Double(split.validation.targetCount) / Double(max(1, split.train.targetCount))
        return ratio < leastRatio ? 0 : min(mostShare, 2 * ratio)
    }

    /// The refit of a training; nil if there is none.
    ///
    /// - Parameters:
    ///   - recipe: The settings of the training.
    ///   - split: Its data.
    ///   - steps: How many steps led to its best weights.
    init?(_ recipe: Recipe, _ split: DataSplit, steps: Int) {
        let share = Self.share(recipe, split)
        guard share > 0 else { return nil }
        var settings = recipe
        settings.training.maxSteps = max(1, Int((share * Double(steps)).rounded()))
        settings.training.validateEvery = TrainingPlan.mostSteps
        settings.training.learningRate *= 0.5
        settings.training.warmupSteps = settings.training.maxSteps / 20
        settings.training.schedule = .trapezoidal
        settings.training.decayShare = 0.9
        settings.training.patience = 100_000
        self.recipe = settings
        let (train, validation) = (split.train, split.validation)
        let times = max(1, train.targetCount / max(1, validation.targetCount))
        let isWeighted = !train.weights.isEmpty || !validation.weights.isEmpty
        func weights(_ part: DataPart) -> [Float] {
            guard isWeighted, part.weights.isEmpty else { return part.weights }
            return [Float](repeating: 1, count: part.sequences.ids.count)
        }
        var (users, sequences, all) = (train.userIDs, train.sequences, weights(train))
        for _ in 0..<times {
            users += validation.userIDs
            for row in 0..<validation.sequences.count { sequences.append(validation.sequences[row]) }
            all += weights(validation)
        }
        self.split = DataSplit(
            train: DataPart(userIDs: users, sequences: sequences, weights: all),
            validation: validation,
            test: split.test
        )
    }

    /// Trains further from the best weights of a training.
    ///
    /// - Parameters:
    ///   - model: The best weights.
    ///   - items: Size of the catalogue.
    ///   - seed: Seed of the training.
    ///   - tables: Where the rows of item tables are.
    ///   - seconds: The time that is left; nil for no limit.
    ///   - shouldStop: Called before every step; true stops the refit.
    ///   - report: Called after every step.
    /// - Returns: The weights after the last step, with their metrics of the validation part; nil when `shouldStop`
    ///   ended it.
    /// - Throws: ``TrainingError``.
    func run<Model: TrainedRecommender>(
        from model: Model,
        items: Int,
        seed: UInt64,
        tables: TablePlacement,
        seconds: Double?,
        shouldStop: () -> Bool,
        report: (TrainingEvent) -> Void
    ) throws -> (model: any TrainedRecommender, metrics: [String: Double])? {
        var trainer = try Trainer(
            model: model,
            recipe: recipe,
            split: split,
            items: items,
            seed: seed ^ Self.otherDraws,
            tables: tables
        )
        let outcome = try trainer.run(
            budget: TrainingBudget(steps: recipe.training.maxSteps, seconds: seconds),
            shouldStop: shouldStop,
            report: { event in
                if case .step(let step, let total, let terms, let rate) = event {
                    report(.refit(step, of: total ?? recipe.training.maxSteps, terms: terms, samplesPerSecond: rate))
                }
            }
        )
        return outcome.isFinished ? (trainer.model, outcome.progress.history.last?.metrics ?? [:]) : nil
    }
}

extension TrainingJob.Trained {
    /// Lets the best weights learn from the validation part too; keeps them as they were if the refit diverges, or if
    /// the validation rows, which it has just learnt, got worse by it.
    ///
    /// - Parameters:
    ///   - recipe: The recipe of the training.
    ///   - data: Its data.
    ///   - seed: Its seed.
    ///   - tables: Where the rows of its item tables are.
    ///   - plain: The validation metrics of the weights, without counts.
    ///   - limit: The time limit of the training and the refit together, in seconds; nil for none.
    ///   - shouldStop: Called before every step; true stops the refit.
    ///   - report: Receives the steps.
    /// - Returns: False when `shouldStop` ended it.
    /// - Throws: ``TrainingError``.
    mutating func refit(
        _ recipe: Recipe,
        _ data: TrainingData,
        seed: UInt64,
        tables: TablePlacement,
        better plain: [String: Double],
        limit: Double?,
        shouldStop: () -> Bool,
        report: (TrainingEvent) -> Void
    ) throws -> Bool {
        guard let refit = Refit(recipe, data.split, steps: progress.bestStep),
            let system = model.system as? any TrainedRecommender,
            system.weighsTargets || refit.split.train.weights.isEmpty
        else { return true }
        let start = ContinuousClock.now
        let refitted: (model: any TrainedRecommender, metrics: [String: Double])?
        do {
            refitted = try refit.run(
                from: system,
                items: data.catalogue.count,
                seed: seed,
                tables: tables,
                seconds: limit.map { max(1, $0 - progress.seconds) },
                shouldStop: shouldStop,
                report: report
            )
        } catch TrainingError.diverged {
            // The weights before the refit are still good.
            return true
        }
        guard let (refitted, metrics) = refitted else { return false }
        progress.seconds += (ContinuousClock.now - start) / .seconds(1)
        if metrics["hr@20", default: 0] >= plain["hr@20", default: 0] { model.system = refitted }
        return true
    }

    /// Gives rank 0 the whole model; other ranks keep their rows.
    mutating func collect(_ tables: TablePlacement) throws {
        guard let system = model.system as? any TrainedRecommender else { return }
        model.system = try tables.whole(system)
    }
}
