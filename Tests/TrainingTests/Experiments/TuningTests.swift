import Foundation
import Kernels
import Recommenders
import Testing
import Training

@Suite("TuningSpace") struct TuningSpaceTests {
    private static let json = """
        {"training.learningRate": {"logarithmic": [0.0001, 0.1]}, "model.hidden": {"choices": [16, 32, 64]},
         "model.logitScale": {"uniform": [5, 20]}, "training.schedule": {"choices": ["constant", "cosine"]}}
        """

    private func space(_ json: String = json) throws -> TuningSpace { try TuningSpace(json: Data(json.utf8)) }

    @Test("draws are within their bounds, spread over them, and depend on trial and seed")
    func draws() throws {
        let space = try space()
        let samples = (0..<3000).map { space.sample(trial: $0, seed: 5) }
        func numbers(_ key: String) -> [Double] {
            samples.compactMap { if case .number(let number) = $0[key] { number } else { nil } }
        }
        let (rates, scales) = (numbers("training.learningRate"), numbers("model.logitScale"))
        #expect(rates.count == 3000 && rates.allSatisfy { 0.0001...0.1 ~= $0 })
        #expect(scales.count == 3000 && scales.allSatisfy { 5...20 ~= $0 })
        // The logarithm of a rate is uniform: a third of the draws in each decade.
        for decade in [0.0001, 0.001, 0.01] {
            #expect(abs(rates.count { decade..<10 * decade ~= $0 } - 1000) < 130)
        }
        #expect(abs(scales.reduce(0, +) / 3000 - 12.5) < 0.3)
        for hidden in [16, 32, 64] {
            #expect(abs(samples.count { $0["model.hidden"] == .integer(hidden) } - 1000) < 130)
        }
        #expect(samples[17] == space.sample(trial: 17, seed: 5) && samples[17] != space.sample(trial: 17, seed: 6))
    }

    @Test("a drawn value is set in the recipe, and other values do not change")
    func sets() throws {
        var expected = Recipe(GRU4Rec.self)
        let recipe = try expected.setting([
            "training.learningRate": .number(0.02), "model.hidden": .integer(48), "training.schedule": .text("cosine"),
        ])
        expected.training.learningRate = 0.02
        expected.training.schedule = .cosine
        var model = GRU4Rec.own(expected.configuration)
        model.hidden = 48
        expected.configuration = model
        #expect(recipe == expected)
    }

    @Test(
        "the error of an invalid search space names the field",
        arguments: [
            (#"{"model.hidden": {"choices": []}}"#, "model.hidden"), (#"{"a": {"uniform": [2, 1]}}"#, "'a'"),
            (#"{"b": {"logarithmic": [0, 1]}}"#, "above 0"), (#"{"c": {"between": [0, 1]}}"#, "'c'"),
            (#"{"d": {"choices": [1], "uniform": [0, 1]}}"#, "'d'"), ("[", "JSON"),
        ]
    )
    func refusals(json: String, part: String) throws {
        let error = try #require(throws: ConfigurationError.self) { try space(json) }
        #expect("\(error)".contains(part), "\(error)")
    }

    @Test("an unknown field or an invalid value is rejected")
    func badFields() throws {
        #expect(throws: ConfigurationError.self) { try Recipe(GRU4Rec.self).setting(["model.depth": .integer(2)]) }
        #expect(throws: ConfigurationError.self) { try Recipe(GRU4Rec.self).setting(["model.hidden": .integer(0)]) }
    }
}

@Suite("Tuning") struct TuningTests {
    private static var recipe: Recipe {
        var recipe = Recipe(GRU4Rec.self)
        var model = GRU4Rec.own(recipe.configuration)
        (model.dimension, model.hidden, model.historyLength) = (8, 8, 5)
        recipe.configuration = model
        recipe.training.batchSize = 32
        recipe.training.negatives.count = 16
        recipe.training.maxSteps = 9
        recipe.training.validateEvery = 4
        // Rows that begin at their neighbours answer these made-up data alike whatever a trial does.
        recipe.training.itemStart = .random
        return recipe
    }

    private static func space() throws -> TuningSpace {
        try TuningSpace(json: Data(#"{"training.learningRate": {"logarithmic": [0.00001, 0.5]}}"#.utf8))
    }

    private func data() throws -> TrainingData {
        var lines = ["user,item,timestamp"]
        for user in 0..<60 {
            for time in 0..<8 { lines.append("u\(user),i\((user * 7 + time * (1 + user % 3)) % 200),\(time)") }
        }
        return try withFile(lines.joined(separator: "\n") + "\n", name: "events.csv") {
            try TrainingData(events: $0, split: .users, seed: 1, items: nil)
        }
    }

    /// Runs a search in a folder and counts its training steps.
    private func run(
        _ tuning: Tuning,
        in folder: String,
        stopAfter limit: Int = .max
    ) throws -> (outcomes: [Tuning.Outcome]?, steps: Int) {
        let data = try data()
        let evaluation = try ExperimentEvaluation(
            data: data,
            part: .validation,
            protocol: .fiveCuts,
            filterHistory: false
        )
        var steps = 0
        let outcomes = try tuning.run(
            with: ExperimentRunner(folder: folder, data: data, evaluation: evaluation),
            shouldStop: { steps >= limit },
            report: { if case .training(.step) = $0 { steps += 1 } }
        )
        return (outcomes, steps)
    }

    private func withFolder(_ body: (String) throws -> Void) throws {
        try withFile("", name: "x") { try body(URL(filePath: $0).deletingLastPathComponent().path + "/results") }
    }

    @Test("a recipe with a value out of range is rejected", arguments: [-5, 0])
    func badRecipe(maxSteps: Int) {
        var recipe = Self.recipe
        recipe.training.maxSteps = maxSteps
        #expect(throws: ConfigurationError.self) {
            try Tuning(base: recipe, space: nil, trials: 3, strategy: .halving, seed: 3)
        }
    }

    @Test("every trial trains in full, the recipe itself first, and the best validation score wins")
    func random() throws {
        let tuning = try Tuning(base: Self.recipe, space: Self.space(), trials: 4, strategy: .random, seed: 3)
        #expect(tuning.trials.count == 4 && tuning.trials[0].recipe == Self.recipe && tuning.rungs == [9])
        try withFolder { folder in
            let (outcomes, steps) = try run(tuning, in: folder)
            let found = try #require(outcomes)
            #expect(steps == 36 && found.count == 4 && found.allSatisfy { $0.steps == 9 })
            #expect(found.map(\.score) == found.map(\.score).sorted(by: >) && Set(found.map(\.score)).count > 1)
            var best = found[0].trial.recipe
            best.tuning.trials = 4
            #expect(tuning.best(of: found) == best)
            #expect(try Recipe(json: Data(best.json.utf8)) == best)
        }
    }

    @Test("halving gives the best third and the recipe three times the steps, and continues when interrupted")
    func halving() throws {
        let tuning = try Tuning(base: Self.recipe, space: Self.space(), trials: 9, strategy: .halving, seed: 3)
        #expect(tuning.rungs == [1, 3, 9])
        try withFolder { whole in
            let (outcomes, steps) = try run(tuning, in: whole)
            let found = try #require(outcomes)
            let rungs = tuning.rungs.map { steps in found.filter { $0.steps == steps }.map(\.trial.number) }
            #expect(steps == rungs[0].count + 3 * rungs[1].count + 9 * rungs[2].count)
            // Survivors are the best of their rung, and the recipe itself.
            #expect(Set(rungs[0]) == Set(0..<9))
            #expect(Set(rungs[1]) == Set(rungs[0].prefix(3) + [0]) && Set(rungs[2]) == Set(rungs[1].prefix(1) + [0]))
            #expect(found.map(\.steps) == found.map(\.steps).sorted(by: >))
            try withFolder { folder in
                #expect(try run(tuning, in: folder, stopAfter: 11).outcomes == nil)
                let resumed = try run(tuning, in: folder)
                #expect(resumed.steps == steps - 11)
                #expect(try #require(resumed.outcomes).map(\.score) == found.map(\.score))
            }
        }
    }

    @Test("systems in closed form and recipes without a space have no rungs")
    func single() throws {
        let none = try Tuning(base: Self.recipe, space: nil, trials: 9, strategy: .halving, seed: 3)
        #expect(none.trials.count == 1 && none.rungs == [9])
        let space = try TuningSpace(json: Data(#"{"model.neighbours": {"choices": [5, 10, 20]}}"#.utf8))
        let fitted = try Tuning(base: Recipe(ItemKNN.self), space: space, trials: 9, strategy: .halving, seed: 3)
        #expect(fitted.rungs.count == 1 && (2...4).contains(fitted.trials.count))
    }

    @Test("the report has a recipe that training reads, and a line for each trial")
    func report() throws {
        let tuning = try Tuning(base: Self.recipe, space: Self.space(), trials: 3, strategy: .random, seed: 3)
        try withFolder { folder in
            let outcomes = try #require(try run(tuning, in: folder).outcomes)
            let report = TuningReport(name: "tiny", tuning: tuning, outcomes: outcomes)
            let path = try report.write(to: folder)
            #expect(try Recipe(contentsOf: path) == tuning.best(of: outcomes))
            #expect(report.csv.split(separator: "\n").count == 4)
            #expect(report.csv.hasPrefix("trial,steps,hr@20,mrr@20,seconds,status,training.learningRate\n"))
            #expect(report.csv.contains("as given") && report.markdown.contains("| 0 |"))
        }
    }
}
