import Autodiff
import CheckpointStore
import Foundation
import Kernels
import Recommenders
import Testing
import Training

@Suite("TrainingJob") struct TrainingJobTests {
    private static var recipe: Recipe {
        var recipe = Recipe()
        recipe.model.dimension = 8
        recipe.model.historyLength = 5
        recipe.model.guidance.hidden = 8
        recipe.model.denoiser.hidden = 8
        recipe.training.batchSize = 32
        recipe.training.negatives.count = 16
        recipe.training.maxSteps = 12
        recipe.training.validateEvery = 6
        return recipe
    }

    /// Runs a body with a store and an events file in a temporary folder.
    private func withStore(_ body: (_ store: String, _ events: String) throws -> Void) throws {
        try withFile(RandomLog.csv, name: "events.csv") { events in
            try body(URL(filePath: events).deletingLastPathComponent().appending(path: "store.sqlite").path, events)
        }
    }

    private func job(_ events: String, seed: UInt64 = 1, _ recipe: Recipe = recipe) throws -> TrainingJob {
        let data = try TrainingData(events: events, split: recipe.data.split, seed: recipe.data.splitSeed, items: nil)
        return TrainingJob(recipe: recipe, data: data, seed: seed, model: "m")
    }

    @Test("a published version has the trained model")
    func publishes() throws {
        try withStore { path, events in
            let store = try CheckpointStore(path: path)
            let report = try #require(try job(events).run(store: store, resume: false))
            let checkpoint = try store.load(model: "m")
            #expect(report.version == 1 && checkpoint.manifest.version == 1)
            #expect(checkpoint.catalogue.count == report.items && checkpoint.popularity.count == report.items)
            #expect(checkpoint.manifest.metrics == report.progress.best)
            #expect(try Recipe(json: Data(checkpoint.manifest.recipe.utf8)) == Self.recipe)
            _ = try DimeRec(Self.recipe.model, stored: checkpoint.parameters)
            #expect(try store.trainingState(model: "m") == nil)
        }
    }

    @Test("a report compares the model with the best simple predictor, and a simple system with another one")
    func findings() throws {
        try withStore { path, events in
            let store = try CheckpointStore(path: path)
            let report = try #require(try job(events).run(store: store, resume: false))
            #expect(report.findings.first?.contains("simple predictor") == true, "\(report.findings)")
            for system in ["popularity", "transitions"] {
                let recipe = try Recipe(ModelRegistry.system(named: system))
                let own = try #require(try job(events, recipe).run(store: store, resume: false)).findings
                #expect(own.first?.contains("simple predictor") == true, "\(own)")
                #expect(!own.contains { $0.contains(system) || $0.lowercased().contains("train longer") }, "\(own)")
            }
        }
    }

    @Test("item rows begin where the recipe says", arguments: ItemStart.allCases)
    func itemStart(_ start: ItemStart) throws {
        try withStore { path, events in
            var recipe = Self.recipe
            (recipe.training.itemStart, recipe.training.refit) = (start, false)
            // Too small to move anything.
            (recipe.training.learningRate, recipe.training.maxSteps) = (1e-8, 1)
            let store = try CheckpointStore(path: path)
            _ = try job(events, recipe).run(store: store, resume: false)
            let rows = try #require(try store.load(model: "m").parameters[ItemTable.name])
            let data = try TrainingData(
                events: events,
                split: recipe.data.split,
                seed: recipe.data.splitSeed,
                items: nil
            )
            let fresh = DimeRec(recipe.model, items: rows.rows, seed: 1).parameters[ItemTable.name]
            for other in ItemStart.allCases {
                let expected = other.rows(from: fresh, sequences: data.split.train.sequences).normalisedRows().unit
                let differences = zip(rows.normalisedRows().unit.elements, expected.elements).map { abs($0 - $1) }
                #expect(((differences.max() ?? 1) < 1e-4) == (other == start), "\(other)")
            }
        }
    }

    @Test("a stopped run publishes nothing, and after resuming it publishes the same weights")
    func resumes() throws {
        try withStore { path, events in
            let store = try CheckpointStore(path: path)
            _ = try job(events).run(store: store, resume: false)
            var step = 0
            let stopped = try job(events).run(
                store: store,
                resume: false,
                shouldStop: { step == 7 },
                report: { if case .step(let taken, _, _, _) = $0 { step = taken } }
            )
            #expect(stopped == nil)
            #expect(try store.versions(of: "m").count == 1)
            #expect(throws: TrainingError.self) { try job(events, seed: 2).run(store: store, resume: true) }
            _ = try job(events).run(store: store, resume: true)
            #expect(try store.load(model: "m", version: 2).parameters == store.load(model: "m", version: 1).parameters)
        }
    }

    /// Starts a run, and stops it after a step.
    private func stop(_ job: TrainingJob, after last: Int, in store: CheckpointStore) throws {
        var step = 0
        _ = try job.run(
            store: store,
            resume: false,
            shouldStop: { step == last },
            report: { if case .step(let taken, _, _, _) = $0 { step = taken } }
        )
    }

    @Test("a stopped run publishes its best weights, when it goes on to the step of these at most")
    func publishesBest() throws {
        try withStore { path, events in
            let store = try CheckpointStore(path: path)
            try stop(job(events), after: 7, in: store)
            let report = try #require(try job(events).run(store: store, resume: true, budget: TrainingBudget(steps: 6)))
            #expect(report.version == 1 && report.progress.step == 7 && report.progress.bestStep >= 6)
            let advice = "\(TrainingError.diverged(step: 8, term: "loss", bestStep: 6))"
            #expect(advice.contains("publish them with --resume --max-steps 6, or lower training.learningRate"))
        }
    }

    @Test("a resumed run keeps a recipe that the program chose, with any time limit, and not one that was given")
    func begunRecipe() throws {
        try withStore { path, events in
            let store = try CheckpointStore(path: path)
            let data = try TrainingData(events: events, split: .users, seed: 1, items: nil)
            func begun(finished: (Recipe) throws -> Recipe = { $0 }) throws -> Recipe? {
                try RecipeChoice.begun(in: store, model: "m", for: data, finished: finished)
            }
            func stop(_ recipe: Recipe) throws {
                let job = TrainingJob(recipe: recipe, data: data, seed: 1, model: "m")
                #expect(try job.run(store: store, resume: false, shouldStop: { true }) == nil)
            }
            #expect(try begun() == nil)
            for seconds in [nil, 1e-3] {
                let chosen = RecipeChoice(for: data, budget: TrainingBudget(seconds: seconds)).recipe
                try stop(chosen)
                #expect(try begun() == chosen)
                #expect(
                    try begun { recipe in
                        var recipe = recipe
                        recipe.data.validationRows = 7
                        return recipe
                    } == nil
                )
            }
            try stop(Self.recipe)
            #expect(try begun() == nil)
        }
    }

    @Test("a training gets ten minutes only if nobody gave a limit or a recipe")
    func budget() {
        for budget in [TrainingBudget(), TrainingBudget(steps: 3), TrainingBudget(seconds: 4)] {
            #expect(budget.completed(hasRecipe: true) == budget)
            #expect(budget.completed(hasRecipe: false) == (budget == TrainingBudget() ? .withoutRecipe : budget))
        }
        var settings = RetrainingConfiguration()
        #expect(settings.budget == TrainingBudget())
        settings.maxSeconds = 5
        #expect(settings.budget == TrainingBudget(seconds: 5))
    }

    @Test(
        "impossible counters are rejected",
        arguments: [#""termSteps":9223372036854775807"#, #""termSteps":"x""#]
    )
    func refusesCounters(field: String) throws {
        try withStore { path, events in
            let store = try CheckpointStore(path: path)
            try stop(job(events), after: 7, in: store)
            var state = try #require(try store.trainingState(model: "m"))
            #expect(state.header.json.contains(#""termSteps":1"#))
            state.header.json = state.header.json.replacing(#""termSteps":1"#, with: field)
            try store.saveTrainingState(model: "m", state: state)
            let error = try #require(throws: TrainingError.self) { try job(events).run(store: store, resume: true) }
            guard case .unusableState = error else {
                Issue.record("another error: \(error)")
                return
            }
        }
    }

    @Test("when only last items are targets, validation uses them, whatever the recipe's protocol")
    func lastItems() throws {
        try withStore { path, events in
            var recipe = Self.recipe
            (recipe.data.split, recipe.data.evaluation) = (.leaveOneOut, .fiveCuts)
            let report = try job(events, recipe).run(store: CheckpointStore(path: path), resume: false)
            #expect(report?.progress.best["hr@20"] != nil)
        }
    }

    @Test("a model without the sphere is not published")
    func euclidean() throws {
        try withStore { path, events in
            var recipe = Self.recipe
            recipe.model.geometry = .euclidean
            let store = try CheckpointStore(path: path)
            #expect(throws: ConfigurationError.self) { try job(events, recipe).run(store: store, resume: false) }
        }
    }

    @Test("held-out users are never training users")
    func heldOut() throws {
        try withStore { path, events in
            let store = try CheckpointStore(path: path)
            _ = try job(events).run(store: store, resume: false)
            let checkpoint = try store.load(model: "m")
            func data(_ kind: SplitKind, _ part: SplitPart = .test) throws -> HeldOutData {
                try HeldOutData(
                    events: EventSource(file: events),
                    split: kind,
                    part: part,
                    manifest: checkpoint.manifest,
                    catalogue: checkpoint.catalogue
                )
            }
            var vocabulary = ItemVocabulary()
            let dataset = try InteractionDataset.load(events: events, vocabulary: &vocabulary)
            let split = DataSplit(dataset, by: .users, seed: Self.recipe.data.splitSeed)
            #expect(try data(.users).part.userIDs == split.test.userIDs)
            #expect(Set(try data(.users).part.userIDs).isDisjoint(with: split.train.userIDs))
            #expect(throws: HeldOutError.otherSplit(asked: "time", trained: "users", version: 1)) { try data(.time) }
            #expect(throws: HeldOutError.trainingFile(role: "events", version: 1)) {
                try HeldOutData(
                    test: events,
                    train: nil,
                    manifest: checkpoint.manifest,
                    catalogue: checkpoint.catalogue
                )
            }
        }
    }
}
