import ArgumentParser
import Autodiff
import Foundation
import Kernels
import Recommenders
import Training

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure single parts; compare only with a peer measured in the same minute.",
        subcommands: [InferenceBench.self, TrainBench.self, IndexBench.self, ImportVectors.self, FloorBench.self]
    )

    struct TrainBench: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "train",
            abstract: "Optimiser steps on synthetic batches of 256 with 10 negatives each."
        )
        @Option(help: "Items of the catalogue.") var items = 10_000
        @Option(help: "Items of every history.") var historyLength = 50
        @Option(help: "The guidance module.") var guidance = GuidanceConfiguration().kind
        @Option(help: "How long to train.") var seconds = 20.0
        @Flag(help: "Update all rows of the item table at each step, as in the original Adam.") var denseAdam = false
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            guard 100...10_000_000 ~= items, 1...1000 ~= historyLength, seconds > 0, seconds <= 86_400 else {
                throw ValidationError(
                    "--items must be 100 to 10000000, --history-length 1 to 1000, --seconds above 0 and at most 86400."
                )
            }
        }

        func run() throws {
            Allocator.keepFreedMemory()
            var recipe = Recipe()
            recipe.model.historyLength = historyLength
            recipe.model.guidance.kind = guidance
            recipe.model.denoiser.hidden = 128
            recipe.training.negatives.kind = .perRow
            recipe.training.negatives.count = 10
            recipe.training.tableUpdate = denseAdam ? .dense : .lazy
            let bench = TrainingBenchmark(recipe: recipe, items: items, seed: 1)
            let milliseconds = Percentiles(try bench.stepDurations(seconds: seconds).map { $0 / .milliseconds(1) })
            let step = milliseconds[0.5]
            let rate = Double(recipe.training.batchSize) / step * 1000
            guard json else {
                Terminal.print(String(format: "%.0f samples/s  %.2f ms a step (median)", rate, step))
                return
            }
            Terminal.print(
                JSONObject([
                    "samples_per_s": rate.rounded(), "step_ms": step, "items": items, "history_length": historyLength,
                    "guidance": guidance.rawValue,
                ]).line
            )
        }
    }
}
