import Autodiff
public import CheckpointStore
import Foundation
import Kernels
import Recommenders
import VectorIndex

/// One training run from data to a published version.
public struct TrainingJob: Sendable {
    private let recipe: Recipe
    private let data: TrainingData
    private let seed: UInt64
    private let modelName: String
    private let parent: ParentVersion?
    private let ranks: Ranks
    private let dividesItems: Bool

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
    }

    /// Trains and publishes.
    ///
    /// - Parameters:
    ///   - store: Stores the version and, during training, the state to resume from.
    ///   - resume: Continue from the stored state, if there is one.
    ///   - budget: What ends the run besides patience.
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
            tableBytes: trained.tableBytes
        )
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
    ///   - budget: What ends the run besides patience.
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

    /// The settings that the training learns by: those of the recipe, or fewer steps when it continues from a version.
    private var learntRecipe: Recipe {
        parent.map { recipe.continued(fullSteps: $0.origin.fullSteps) } ?? recipe
    }

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
            if ranks.isFirst { try trained.addCounts(recipe, data, report: report) }
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

    private func learn<Model: TrainedRecommender>(
        _ system: Model.Type,
        tables: TablePlacement,
        store: CheckpointStore?,
        resume: Bool,
        budget: TrainingBudget,
        shouldStop: () -> Bool,
        report: (TrainingEvent) -> Void
    ) throws -> Trained? {
        let seed = parent?.seed(seed) ?? seed
        var budget = budget
        // A time limit does not make a continued training longer.
        if parent != nil, budget.steps == nil { budget.steps = learntRecipe.training.maxSteps }
        var model = Model(
            Model.own(recipe.configuration),
            items: data.catalogue.count,
            seed: seed,
            share: parent == nil && recipe.training.itemStart == .random ? tables.share : .all
        )
        let sequences = data.split.train.sequences
        if let parent {
            try model.adopt(parent, ids: data.catalogue.ids, sequences: sequences)
            tables.keepOwnRows(of: &model)
        } else if recipe.training.itemStart != .random {
            model.start(recipe.training.itemStart, sequences: sequences)
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
        trainer.progress.origin = parent?.origin
        if resume {
            let stored = try tables.state(where: trainer.isDivided) { body in
                try store?.readTrainingState(model: modelName, body)
            }
            if let stored { try restore(&trainer, stored) }
        }
        let outcome = try trainer.run(
            budget: budget,
            shouldStop: shouldStop,
            save: { try save($0, in: store) },
            report: report
        )
        guard outcome.isFinished else { return nil }
        if Refit.share(recipe, data.split) > 0 {
            // A refit may be interrupted; the training before it is not to be repeated then.
            try trainer.saveState { try save($0, in: store) }
        }
        return Trained(
            model: CountedRecommender(outcome.model),
            progress: outcome.progress,
            trainRows: trainer.trainRows,
            tableBytes: trainer.tableBytes
        )
    }

    /// Validation rows whose user vectors tune the index, because requests search with user vectors.
    private static let tuningRows = 256

    /// The checkpoint to publish for a trained model, including its index.
    func checkpoint(of trained: Trained) throws -> Checkpoint {
        let popularity = PopularityPredictor(
            sequences: recipe.training.refit ? data.split.sequencesBeforeTest : data.split.train.sequences,
            items: data.catalogue.count
        )
        let space = SearchSpace(trained.model.system.itemSpace)
        var manifest = CheckpointManifest(
            model: modelName,
            system: recipe.system,
            recipe: recipe.json,
            seed: seed,
            build: Build.description,
            dimension: space.dimension,
            items: data.catalogue.count,
            trainRows: trained.trainRows,
            seconds: trained.progress.seconds,
            metrics: trained.progress.best,
            data: data.fingerprint
        )
        manifest.origin = parent?.origin
        manifest.log = data.log
        manifest.curve = trained.progress.history.map { interval in
            ValidationPoint(
                step: interval.step,
                seconds: interval.seconds,
                hitRate: interval.metrics["hr@20"] ?? 0,
                reciprocalRank: interval.metrics["mrr@20"] ?? 0
            )
        }
        return Checkpoint(
            manifest: manifest,
            parameters: trained.model.matrices,
            catalogue: data.catalogue,
            popularity: popularity.order,
            index: try index(of: trained.model.system, in: space).serialised()
        )
    }

    private func index(of model: any Recommender, in space: SearchSpace) throws -> any VectorIndex {
        guard model.itemSpace.vectors != nil else { return ScoreIndex(count: space.dimension) }
        return try IndexFormat.build(
            vectors: space.items,
            configuration: recipe.index,
            queries: EvaluationRows(
                data.split.validation,
                protocol: recipe.data.evaluation.suited(to: data.split.validation.targets)
            ).userVectors(of: model, limit: Self.tuningRows)
        )
    }

    // MARK: State to resume from

    private func save<Model>(_ state: Trainer<Model>.State, in store: CheckpointStore?) throws {
        let header = TrainingState.Header(
            recipe: recipe.json,
            fingerprint: data.fingerprint,
            seed: seed,
            step: state.progress.step,
            json: String(decoding: try JSONEncoder().encode(state.progress), as: UTF8.self)
        )
        try store?.saveTrainingState(
            model: modelName,
            state: TrainingState(header, matrices: state.matrices),
            with: state.sources
        )
    }

    private func restore<Model>(_ trainer: inout Trainer<Model>, _ stored: TrainingState) throws {
        let header = stored.header
        guard header.recipe == recipe.json else { throw TrainingError.stateMismatch("the recipe") }
        guard header.fingerprint == data.fingerprint else { throw TrainingError.stateMismatch("the data") }
        guard header.seed == seed else { throw TrainingError.stateMismatch("the seed (it was \(header.seed))") }
        let progress: TrainingProgress
        do {
            progress = try JSONDecoder().decode(TrainingProgress.self, from: Data(header.json.utf8))
        } catch {
            throw TrainingError.unusableState("its progress does not decode (\(error))")
        }
        guard progress.origin == parent?.origin else {
            let was = progress.origin.map { "version \($0.version) of '\($0.model)'" } ?? "no version"
            throw TrainingError.stateMismatch("the version to continue from (it was \(was))")
        }
        try trainer.restore(Trainer<Model>.State(progress: progress, matrices: stored.matrices))
    }
}

/// The build of this program.
public enum Build {
    /// Semantic version.
    public static let version = "0.1.0"

    /// The build as recorded in a version's manifest.
    static var description: String {
        let products = Precision.hasBfloat16 ? Precision.bfloat16 : .float32
        return "dimerec \(version), kernels \(CPU.kernelLevel), \(products) products, BLAS \(BLAS.coreName)"
    }
}
