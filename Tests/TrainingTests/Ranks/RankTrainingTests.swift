import Autodiff
import CheckpointStore
import Foundation
import Kernels
import Recommenders
import Testing
import Training

@Suite("Training on several ranks") struct RankTrainingTests {
    private static let items = 60

    private static var recipe: Recipe {
        var recipe = Recipe()
        recipe.model.dimension = 8
        recipe.model.historyLength = 5
        recipe.model.steps = 5
        recipe.model.guidance.hidden = 8
        recipe.model.denoiser.hidden = 8
        recipe.training.batchSize = 900  // four shards
        recipe.training.negatives.count = 32
        recipe.training.maxSteps = 6
        recipe.training.validateEvery = 3
        recipe.data.evaluation = .allPrefixes
        return recipe
    }

    private static let csv: String = {
        var lines = ["user,item,timestamp"]
        let numbers = CounterBasedGenerator(seed: 6, purpose: .simulation)
        for user in 0..<150 {
            for (time, item) in numbers.integers(below: items, stream: UInt64(user), count: 12).enumerated() {
                lines.append("u\(user),i\(item),\(time)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }()

    private static func data(_ recipe: Recipe) throws -> TrainingData {
        try withFile(csv, name: "events.csv") { events in
            try TrainingData(events: events, split: recipe.data.split, seed: recipe.data.splitSeed, items: nil)
        }
    }

    /// Runs a body with the path of a new store.
    private func withStore<Value>(_ body: (String) throws -> Value) throws -> Value {
        try withFile("", name: "empty") { file in
            try body(URL(filePath: file).deletingLastPathComponent().appending(path: "store.sqlite").path)
        }
    }

    /// Trains on some ranks, and returns the version that rank 0 published; nil when it stopped after `stop` steps.
    private func train(
        ranks: Int,
        _ recipe: Recipe,
        in path: String,
        seed: UInt64 = 1,
        resume: Bool = false,
        budget: TrainingBudget = TrainingBudget(),
        stop: Int? = nil,
        divides: Bool = false
    ) throws -> Checkpoint? {
        let data = try Self.data(recipe)
        let finished = try onRanks(ranks) { ranks, _ in
            let job = TrainingJob(
                recipe: recipe,
                data: data,
                seed: seed,
                model: "m",
                ranks: ranks,
                dividesItems: divides
            )
            guard ranks.isFirst else { return try job.assist(resume: resume, budget: budget) }
            var taken = 0
            let report = try job.run(
                store: CheckpointStore(path: path),
                resume: resume,
                budget: budget,
                shouldStop: { taken == stop },
                report: { if case .step(let step, _, _, _) = $0 { taken = step } }
            )
            return report != nil
        }
        #expect(Set(finished).count == 1, "ranks disagree about the end")
        return finished[0] ? try CheckpointStore(path: path).load(model: "m") : nil
    }

    private static let systems = [
        "dimerec", "dimerec on the catalogue", "dimerec with its own negatives", "sasrec", "dimerec with a refit",
    ]

    private func recipe(_ name: String) throws -> Recipe {
        var recipe = Self.recipe
        switch name {
        case "dimerec on the catalogue":
            recipe.training.negatives.kind = .catalogue
            recipe.training.tableUpdate = .dense
        case "dimerec with its own negatives":
            (recipe.training.negatives.kind, recipe.training.negatives.count) = (.perRow, 5)
        case "sasrec":
            let text = #"{"system":"sasrec","training":{"maxSteps":6,"validateEvery":3,"batchSize":900}}"#
            recipe = try Recipe(json: Data(text.utf8))
        case "dimerec with a refit": recipe.training.refit = true
        case "dimerec with two tables and a refit":
            recipe.model.tiedItems = false
            recipe.model.loss.sharedNegatives = false
            recipe.training.tableUpdate = .dense
            recipe.training.refit = true
            recipe.counts.enabled = true
        default: break
        }
        return recipe
    }

    @Test("2, 3 and 4 ranks publish the weights and metrics of a process alone", arguments: systems)
    func equal(name: String) throws {
        let recipe = try recipe(name)
        let expected = try withStore { try #require(try train(ranks: 1, recipe, in: $0)) }
        for ranks in 2...4 {
            let version = try withStore { try #require(try train(ranks: ranks, recipe, in: $0)) }
            #expect(version.parameters == expected.parameters, "\(ranks) ranks")
            #expect(version.manifest.metrics == expected.manifest.metrics)
            #expect(version.manifest.curve?.map(\.hitRate) == expected.manifest.curve?.map(\.hitRate))
            #expect(version.index == expected.index)
        }
    }

    @Test("a stopped run continues on another number of ranks", arguments: [(2, 3), (3, 1), (1, 4)])
    func resumes(first: Int, then: Int) throws {
        let expected = try withStore { try #require(try train(ranks: 1, Self.recipe, in: $0)) }
        try withStore { path in
            #expect(try train(ranks: first, Self.recipe, in: path, stop: 4) == nil)
            #expect(try CheckpointStore(path: path).trainingState(model: "m")?.header.step == 4)
            let version = try #require(try train(ranks: then, Self.recipe, in: path, resume: true))
            #expect(version.parameters == expected.parameters)
        }
    }

    @Test(
        "ranks that keep a part of the item table publish the weights and metrics of a process alone",
        arguments: [
            "dimerec", "dimerec with its own negatives", "sasrec", "dimerec with two tables and a refit",
        ]
    )
    func divided(name: String) throws {
        let recipe = try recipe(name)
        let expected = try withStore { try #require(try train(ranks: 1, recipe, in: $0)) }
        for ranks in 1...4 {
            let version = try withStore { try #require(try train(ranks: ranks, recipe, in: $0, divides: true)) }
            #expect(version.parameters == expected.parameters, "\(ranks) ranks")
            #expect(version.manifest.metrics == expected.manifest.metrics)
            #expect(version.manifest.curve?.map(\.reciprocalRank) == expected.manifest.curve?.map(\.reciprocalRank))
            #expect(version.index == expected.index)
        }
    }

    @Test(
        "a stopped run continues with another placement of the item table",
        arguments: [(2, true, 3, true), (3, true, 1, false), (1, false, 4, true)]
    )
    func resumesDivided(first: Int, divides: Bool, then: Int, dividesThen: Bool) throws {
        let expected = try withStore { try #require(try train(ranks: 1, Self.recipe, in: $0)) }
        try withStore { path in
            #expect(try train(ranks: first, Self.recipe, in: path, stop: 4, divides: divides) == nil)
            let state = try #require(try CheckpointStore(path: path).trainingState(model: "m"))
            for name in ["current.items", "best.items", "adam.first.items", "adam.second.items"] {
                #expect(state.matrices[name]?.rows == expected.catalogue.count, "\(name)")
            }
            let version = try train(ranks: then, Self.recipe, in: path, resume: true, divides: dividesThen)
            #expect(version?.parameters == expected.parameters)
        }
    }

    @Test("a table that a step reads whole cannot be divided", arguments: ["dimerec on the catalogue", "mult-vae"])
    func indivisible(name: String) throws {
        let recipe = name == "mult-vae" ? try Recipe(json: Data(#"{"system":"mult-vae"}"#.utf8)) : try recipe(name)
        let error = try withStore { path in
            try #require(throws: TrainingError.self) { try train(ranks: 1, recipe, in: path, divides: true) }
        }
        guard case .indivisibleTable(let reason) = error else {
            Issue.record("another error: \(error)")
            return
        }
        #expect(reason.contains(name == "mult-vae" ? "mult-vae" : "training.negatives.kind"))
    }

    @Test("with a time limit the clock of rank 0 decides for all") func timed() throws {
        var recipe = Self.recipe
        recipe.training.schedule = .trapezoidal
        recipe.training.patience = 100_000
        // Ranks that ended at different steps would wait for each other. How many steps half a second holds is no
        // matter: under a sanitizer it may hold none.
        let version = try withStore { path in
            try train(ranks: 3, recipe, in: path, budget: TrainingBudget(seconds: 0.5))
        }
        #expect(version != nil)
    }

    @Test("a training that diverges ends on every rank") func diverges() throws {
        var recipe = Self.recipe
        recipe.training.learningRate = 1e30
        let data = try Self.data(recipe)
        let errors = try withStore { path in
            try onRanks(2) { [recipe] ranks, _ -> TrainingError? in
                let job = TrainingJob(recipe: recipe, data: data, seed: 1, model: "m", ranks: ranks)
                do {
                    if ranks.isFirst {
                        _ = try job.run(store: CheckpointStore(path: path), resume: false)
                    } else {
                        _ = try job.assist(resume: false, budget: TrainingBudget())
                    }
                    return nil
                } catch let error as TrainingError {
                    return error
                }
            }
        }
        guard case .diverged = errors[0] else {
            Issue.record("no divergence, but \(String(describing: errors[0]))")
            return
        }
        #expect(errors == [errors[0], errors[0]])
    }

    @Test("ranks with other data, seeds or errors do not start") func disagreement() throws {
        let recipe = Self.recipe
        let data = try Self.data(recipe)
        struct Missing: Error, CustomStringConvertible { var description = "no events here" }
        func agreement(_ seeds: [UInt64?]) throws -> [RankError?] {
            try onRanks(seeds.count) { ranks, communicator -> RankError? in
                let prepared: Result<TrainingJob, any Error> =
                    if let seed = seeds[communicator.rank] {
                        .success(TrainingJob(recipe: recipe, data: data, seed: seed, model: "m", ranks: ranks))
                    } else {
                        .failure(Missing())
                    }
                do {
                    let job = try ranks.agreed(on: prepared)
                    #expect((job == nil) == (Set(seeds).count > 1))
                    return nil
                } catch let error as RankError {
                    return error
                }
            }
        }
        #expect(try agreement([1, 1, 1]) == [nil, nil, nil])
        let differs = RankError.differs("The seed", rank: 2, machine: "thread-2", first: "1", own: "2")
        #expect(try agreement([1, 1, 2]) == [differs, nil, nil])
        let failed = RankError.failed(rank: 1, machine: "thread-1", reason: "no events here")
        #expect(try agreement([1, nil]) == [failed, nil])
        #expect(throws: Missing.self) { try agreement([nil, 1]) }
    }
}
