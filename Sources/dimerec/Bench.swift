import ArgumentParser
import Autodiff
import Foundation
import Kernels
import Recommenders
import Serving
import Training

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure single parts; quote ratios against a peer measured in the same minute.",
        subcommands: [Inference.self, TrainBench.self, IndexBench.self, ImportVectors.self]
    )

    struct Inference: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Guidance and all reverse steps, one user at a time, one thread, no index."
        )
        @Option(help: "Items of the history.") var historyLength = 50
        @Option(help: "Hidden width of the denoiser.") var hidden = 128
        @Option(help: "Items of the catalogue.") var items = 100_000
        @Option(help: "Forward passes counted.") var count = 5000
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            guard 1...1000 ~= historyLength, 1...8192 ~= hidden, 1...10_000_000 ~= items, count >= 1 else {
                throw ValidationError(
                    "--history-length 1...1000, --hidden 1...8192, --items 1...10000000, --count >= 1."
                )
            }
        }

        func run() throws {
            var configuration = DimeRecConfiguration()
            configuration.historyLength = historyLength
            configuration.denoiser.hidden = hidden
            configuration.denoiser.residual = .meanInterest
            let engine = InferenceEngine(DimeRec(configuration, items: items, seed: 1).inferenceWeights)
            let workspace = engine.makeWorkspace()
            let random = CounterBasedGenerator(seed: 1, purpose: .simulation)
            let histories = (0..<256).map { random.integers(below: items, stream: UInt64($0), count: historyLength) }
            var microseconds: [Double] = []
            microseconds.reserveCapacity(count)
            let warmUp = 500
            for pass in 0..<warmUp + count {
                let history = histories[pass % histories.count]
                let start = ContinuousClock.now
                _ = engine.encode(
                    history: history[...],
                    seed: UInt64(pass),
                    steps: configuration.steps,
                    in: workspace
                )
                if pass >= warmUp { microseconds.append((ContinuousClock.now - start) / .microseconds(1)) }
            }
            let percentiles = Percentiles(microseconds)
            let (p50, p99) = (percentiles[0.5], percentiles[0.99])
            guard json else {
                Terminal.print(
                    String(format: "p50 %.1f us  p99 %.1f us  mean %.1f us", p50, p99, percentiles.mean)
                        + "  (\(configuration.steps) steps, history \(historyLength), hidden \(hidden), \(items) items)"
                )
                return
            }
            Terminal.print(
                JSONObject([
                    "p50_us": p50, "p99_us": p99, "mean_us": percentiles.mean, "steps": configuration.steps,
                    "history_length": historyLength, "hidden": hidden, "items": items,
                ]).line
            )
        }
    }

    struct TrainBench: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "train",
            abstract: "Optimiser steps on synthetic batches of 256 with 10 negatives each."
        )
        @Option(help: "Items of the catalogue.") var items = 10_000
        @Option(help: "Items of every history.") var historyLength = 50
        @Option(help: "How long to train.") var seconds = 20.0
        @Flag(help: "Update all rows of the item table at each step, as Adam is published.") var denseAdam = false
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            guard 100...10_000_000 ~= items, 1...1000 ~= historyLength, seconds > 0 else {
                throw ValidationError("--items 100...10000000, --history-length 1...1000, --seconds above 0.")
            }
        }

        func run() throws {
            Allocator.keepFreedMemory()
            var recipe = Recipe()
            recipe.model.historyLength = historyLength
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
                ]).line
            )
        }
    }
}
