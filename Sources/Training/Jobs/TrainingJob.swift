public import CheckpointStore
import Recommenders

/// One training run from data to a published version.
public struct TrainingJob: Sendable {
    let recipe: Recipe
    let data: TrainingData
    let seed: UInt64
    let modelName: String
    let parent: ParentVersion?
    let ranks: Ranks
    let dividesItems: Bool

    /// A run that will publish under a model name.
    ///
    /// - Parameters:
    ///   - recipe: Hyper-parameters.
    ///   - data: The data.
    ///   - seed: Seed of every draw.
    ///   - model: The name.
    ///   - parent: The version to continue from, which fits recipe and data; nil to train from nothing. A system that
    ///     is fitted in closed form is fitted again.
    ///   - ranks: The processes that train together, each with a job of the same arguments; by default this one.
    ///   - dividesItems: Whether each rank keeps only a part of the rows of the item table during the training.
    public init(
        recipe: Recipe,
        data: TrainingData,
        seed: UInt64,
        model: String,
        from parent: ParentVersion? = nil,
        ranks: Ranks = Ranks(),
        dividesItems: Bool = false
    ) {
        self.recipe = recipe
        self.ranks = ranks
        self.dividesItems = dividesItems
        self.data = data
        self.seed = seed
        modelName = model
        self.parent = parent
    }

    /// The results of a finished run.
    public struct Report: Sendable {
        /// The published version.
        public var version: Int
        /// Number of items.
        public var items: Int
        /// Rows of one epoch.
        public var trainRows: Int
        /// Counters and validation metrics.
        public var progress: TrainingProgress
        /// Bytes of the item tables on this rank during the training: weights, best weights and moments; 0 for a system
        /// that is fitted in closed form.
        public var tableBytes: Int
        /// What the validation metrics mean, beside those of simple predictors; a sentence or two each.
        public var findings: [String]
    }

    /// Trains and publishes.
    ///
    /// - Parameters:
    ///   - store: Stores the version and, during training, the state to resume from.
    ///   - resume: Continue from the stored state, if there is one.
    ///   - budget: The limits of the run besides patience.
    ///   - shouldStop: Called before every step; true stops the run.
    ///   - report: Called after every step and validation.
    /// - Returns: The published version; nil when `shouldStop` ended the run and its state is stored.
    /// - Throws: ``ModelNameError``, ``TrainingError``, `CheckpointError`, `IndexError`.
    public func run(
        store: CheckpointStore,
        resume: Bool,
        budget: TrainingBudget = TrainingBudget(),
        shouldStop: () -> Bool = { false },
        report: (TrainingEvent) -> Void = { _ in }
    ) throws -> Report? {
        let trained = try candidate(
            store: store,
            resume: resume,
            budget: budget,
            shouldStop: shouldStop,
            report: report
        )
        guard let (checkpoint, trained) = trained else { return nil }
        let version = try store.publish(checkpoint)
        try store.removeTrainingState(model: modelName)
        return Report(
            version: version,
            items: data.catalogue.count,
            trainRows: trained.trainRows,
            progress: trained.progress,
            tableBytes: trained.tableBytes,
            findings: findings(on: trained.progress)
        )
    }

    /// What the validation metrics mean, beside those of simple predictors on the same rows, and why the training ended.
    private func findings(on progress: TrainingProgress) -> [String] {
        let (train, items) = (data.split.train.sequences, data.catalogue.count)
        let rows = EvaluationRows(
            EvaluationRows(validating: recipe, data.split),
            limit: recipe.data.validationRows
        )
        let predictors = TrivialPredictors(train, items: items, popularity: []).metrics(on: rows, filterHistory: false)
        return EvaluationFindings(
            metrics: progress.best,
            rows: rows.count,
            system: recipe.system,
            predictors: predictors,
            repeatedTargets: rows.repeatedTargets,
            unseenTargets: rows.unseenTargets(in: train, items: items),
            patienceEnd: progress.patienceEnd
        ).sentences
    }

    /// Takes part in the training that rank 0 runs with ``run(store:resume:budget:shouldStop:report:)``.
    ///
    /// - Parameters:
    ///   - resume: As on rank 0, which alone reads the stored state.
    ///   - budget: As on rank 0.
    /// - Returns: Whether the training was finished rather than stopped.
    /// - Throws: ``TrainingError`` where rank 0 throws it too, and other errors of this rank alone.
    public func assist(resume: Bool, budget: TrainingBudget) throws -> Bool {
        guard try ModelRegistry.system(named: recipe.system) is any TrainedRecommender.Type else { return true }
        return try train(store: nil, resume: resume, budget: budget) != nil
    }

    /// Something that must be the same on all ranks.
    struct Trait: Codable {
        var name: String
        var value: String
    }

    /// Everything that decides the weights besides the budget.
    var traits: [Trait] {
        let digests = data.fingerprint.digests.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        return [
            Trait(name: "The build", value: Build.description),
            Trait(name: "The recipe", value: recipe.json),
            Trait(name: "The split", value: "\(data.fingerprint.split), seed \(data.fingerprint.splitSeed)"),
            Trait(name: "The data", value: digests.joined(separator: ", ")),
            Trait(name: "The seed", value: "\(seed)"),
            Trait(
                name: "The version to continue from",
                value: parent.map { "version \($0.origin.version) of \($0.origin.model)" } ?? "none"
            ),
            Trait(name: "The placement of the item table", value: dividesItems ? "divided" : "whole"),
        ]
    }

    /// Trains without publishing; the state to resume from stays in the store.
    ///
    /// - Returns: The version to publish; nil when `shouldStop` ended the run.
    func candidate(
        store: CheckpointStore,
        resume: Bool,
        budget: TrainingBudget,
        shouldStop: () -> Bool,
        report: (TrainingEvent) -> Void
    ) throws -> (checkpoint: Checkpoint, trained: Trained)? {
        try ModelName.require(modelName)
        guard (recipe.configuration as? DimeRecConfiguration)?.geometry != .euclidean else {
            throw ConfigurationError.invalidValue(
                key: "model.geometry",
                reason: "only vectors on the sphere can be served; 'euclidean' is for `dimerec experiment`."
            )
        }
        let trained = try train(
            store: store,
            resume: resume,
            budget: budget,
            shouldStop: shouldStop,
            report: report
        )
        guard let trained else { return nil }
        return (try checkpoint(of: trained), trained)
    }

    /// Trains without publishing, counts and refit, for the record of the training alone.
    ///
    /// - Parameters:
    ///   - store: Stores the state during training.
    ///   - budget: The limits of the run besides patience.
    ///   - report: Called after every step and validation.
    /// - Returns: Counters and validation metrics.
    /// - Throws: ``ConfigurationError`` for a system that is fitted in closed form, ``TrainingError``, `CheckpointError`.
    public func progress(
        store: CheckpointStore,
        budget: TrainingBudget,
        report: (TrainingEvent) -> Void = { _ in }
    ) throws -> TrainingProgress {
        let system = try TrainingBenchmark.trainedSystem(of: recipe)
        let trained = try learn(
            system,
            tables: TablePlacement(on: ranks),
            store: store,
            resume: false,
            budget: budget,
            shouldStop: { false },
            report: report
        )
        guard let trained else { preconditionFailure("the training stopped, and nothing asked it to") }
        try store.removeTrainingState(model: modelName)
        return trained.progress
    }

    /// The version that the training continues from, as its own version names it.
    var origin: VersionOrigin? {
        var origin = parent?.origin
        origin?.learntUntil = data.learntUntil
        return origin
    }

    /// The settings that the training learns by: those of the recipe, or fewer steps when it continues from a version.
    var learntRecipe: Recipe {
        parent.map { recipe.continued(fullSteps: $0.origin.fullSteps) } ?? recipe
    }
}
