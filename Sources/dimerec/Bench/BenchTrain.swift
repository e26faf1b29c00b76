import ArgumentParser
import Autodiff
import CheckpointStore
import Foundation
import Kernels
import Recommenders
import Training

/// `bench train`: optimiser steps a second, without validations.
struct TrainBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Measure optimiser steps of a recipe on its data, or of DimeRec on synthetic batches of 256."
    )
    @Option(help: "A recipe whose steps are measured on --data or --events.", completion: .file()) var recipe: String?
    @Option(help: "With --recipe: a folder of data, as for `train`.", completion: .directory) var data: String?
    @Option(help: "With --recipe: one file of interactions, as for `train`.", completion: .file()) var events: String?
    @Option(help: "Without --recipe: items of the catalogue.") var items = 10_000
    @Option(help: "Without --recipe: items of every history.") var historyLength = 50
    @Option(help: "Without --recipe: the guidance module.") var guidance = GuidanceConfiguration().kind
    @Option(help: "How long to train.") var seconds = 20.0
    @Flag(help: "Update all rows of the item table at each step, as in the original Adam.") var denseAdam = false
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        try ValidationError.require("--items", items, in: 100...10_000_000)
        try ValidationError.require("--history-length", historyLength, in: 1...1000)
        try ValidationError.requirePositive("--seconds", seconds, atMost: 86_400)
        guard (recipe == nil) == (data == nil && events == nil) else {
            throw ValidationError("--recipe needs --data or --events, and they need --recipe.")
        }
    }

    func run() throws {
        Allocator.keepFreedMemory()
        let (steps, fields) = try recipe.map { try stepsOfRecipe($0) } ?? syntheticSteps()
        guard json else {
            Terminal.print(
                String(
                    format: "%.0f targets/s  %.2f ms a step (median) of %.0f targets",
                    steps.targetsPerSecond,
                    steps.medianSeconds * 1000,
                    steps.meanTargets
                )
            )
            return
        }
        var object = JSONObject(fields)
        object["samples_per_s"] = steps.targetsPerSecond.rounded()
        object["targets_per_step"] = steps.meanTargets.rounded()
        object["step_ms"] = steps.medianSeconds * 1000
        Terminal.print(object.line)
    }

    private func stepsOfRecipe(_ path: String) throws -> ([TrainingBenchmark.Step], [String: Any]) {
        var recipe = try Recipe(contentsOf: path)
        if denseAdam { recipe.training.tableUpdate = .dense }
        var arguments = data.map { ["--data", $0] } ?? []
        if let events { arguments += ["--events", events] }
        let data = try TrainingDataOptions.parse(arguments).load(recipe.data)
        let steps = try TrainingBenchmark.steps(of: recipe, on: data, seconds: seconds)
        return (steps, ["recipe": path, "items": data.catalogue.count])
    }

    private func syntheticSteps() throws -> ([TrainingBenchmark.Step], [String: Any]) {
        var recipe = Self.syntheticRecipe
        recipe.model.historyLength = historyLength
        recipe.model.guidance.kind = guidance
        recipe.training.tableUpdate = denseAdam ? .dense : .lazy
        let bench = TrainingBenchmark(recipe: recipe, items: items, seed: 1)
        let fields: [String: Any] = [
            "items": items, "history_length": historyLength, "guidance": guidance.rawValue,
        ]
        return (try bench.steps(seconds: seconds), fields)
    }

    /// DimeRec's default shape with ten private negatives, for synthetic batches.
    static var syntheticRecipe: Recipe {
        var recipe = Recipe()
        recipe.model.historyLength = 50
        recipe.model.denoiser.hidden = 128
        recipe.training.negatives.kind = .perRow
        recipe.training.negatives.count = 10
        recipe.training.tableUpdate = .lazy
        return recipe
    }
}

extension [TrainingBenchmark.Step] {
    var meanTargets: Double { Double(reduce(0) { $0 + $1.targets }) / Double(count) }
    var medianSeconds: Double { Percentiles(map { $0.duration / .seconds(1) })[0.5] }
    var targetsPerSecond: Double { meanTargets / medianSeconds }
}
