public import ArgumentParser
import Foundation
import Kernels
public import Recommenders
import Serving
import Training

/// `bench inference`: guidance and the reverse chain, without index or network.
struct InferenceBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inference",
        abstract: "Guidance and all reverse steps, one user at a time and in batches, one thread, no index."
    )
    @Option(
        help: "A recipe whose model is measured, untrained, in place of the next four options.",
        completion: .file()
    )
    var recipe: String?
    @Option(help: "Items of the history.") var historyLength = 50
    @Option(help: "Hidden width of the denoiser.") var hidden = 128
    @Option(help: "The guidance module.") var guidance = GuidanceConfiguration().kind
    @Option(help: "Hidden width of the guidance module.") var guidanceHidden = GuidanceConfiguration().hidden
    @Option(help: "Items of the catalogue.") var items = 100_000
    @Option(help: "Forward passes counted.") var count = 5000
    @Option(help: "Users of a batch.") var batch = 64
    @Option(help: "The most megabytes that the items' attention keys may take.") var keyMegabytes = 256
    @Flag(help: "Print one JSON object.") var json = false

    /// Histories asked in turn: so many that their items' keys do not stay in a cache.
    private static let histories = 4096
    private static let warmUp = 500

    func validate() throws {
        guard 1...1000 ~= historyLength, 1...8192 ~= hidden, 1...8192 ~= guidanceHidden, 1...10_000_000 ~= items,
            1...10_000_000 ~= count, 1...4096 ~= batch, 0...1 << 20 ~= keyMegabytes
        else {
            throw ValidationError(
                "--history-length 1...1000, --hidden 1...8192, --guidance-hidden 1...8192, --items 1...10000000, "
                    + "--count 1...10000000, --batch 1...4096, --key-megabytes 0...1048576."
            )
        }
    }

    /// The recipe's model, or the one that the options describe.
    private func model() throws -> DimeRecConfiguration {
        if let recipe {
            let recipe = try Recipe(contentsOf: recipe)
            guard recipe.system == DimeRec.system else {
                throw ValidationError("--recipe is one of '\(recipe.system)'; only DimeRec's forward pass is measured.")
            }
            return recipe.model
        }
        var model = DimeRecConfiguration()
        model.historyLength = historyLength
        model.guidance.kind = guidance
        model.guidance.hidden = guidanceHidden
        model.denoiser.hidden = hidden
        model.denoiser.residual = .meanInterest
        return model
    }

    func run() throws {
        let model = try model()
        let (historyLength, guidance, hidden) = (model.historyLength, model.guidance.kind, model.denoiser.hidden)
        let weights = DimeRec(model, items: items, seed: 1).inferenceWeights(keyBytes: keyMegabytes << 20)
        let engine = InferenceEngine(weights)
        let random = CounterBasedGenerator(seed: 1, purpose: .simulation)
        let histories = (0..<Self.histories).map {
            random.integers(below: items, stream: UInt64($0), count: historyLength)
        }
        let single = measure(engine, histories, users: 1)
        let batched = measure(engine, histories, users: batch)
        let perUser = batched.total[0.5] / Double(batch)
        guard json else {
            Terminal.print(
                String(
                    format: "p50 %.1f us  p99 %.1f us  mean %.1f us  (guidance %.1f, diffusion %.1f)",
                    single.total[0.5],
                    single.total[0.99],
                    single.total.mean,
                    single.guidance[0.5],
                    single.diffusion[0.5]
                )
                    + "  (\(engine.maxSteps) steps, \(guidance.rawValue) guidance, history \(historyLength), hidden \(hidden), "
                    + "\(items) items)"
            )
            Terminal.print(String(format: "in batches of \(batch): %.1f us a user", perUser))
            return
        }
        Terminal.print(
            JSONObject([
                "p50_us": single.total[0.5], "p99_us": single.total[0.99], "mean_us": single.total.mean,
                "guidance_p50_us": single.guidance[0.5], "diffusion_p50_us": single.diffusion[0.5],
                "steps": engine.maxSteps, "guidance": guidance.rawValue, "history_length": historyLength,
                "hidden": hidden, "items": items,
                "batch": batch, "batch_us_per_user": perUser,
                "batch_guidance_us_per_user": batched.guidance[0.5] / Double(batch),
                "batch_diffusion_us_per_user": batched.diffusion[0.5] / Double(batch),
            ]).line
        )
    }

    private struct Times {
        var guidance: Percentiles
        var diffusion: Percentiles
        var total: Percentiles
    }

    /// Microseconds of whole batches.
    private func measure(_ engine: InferenceEngine, _ histories: [[Int32]], users: Int) -> Times {
        let workspace = engine.makeWorkspace()
        let passes = max(20, count / users)
        let warmUp = max(5, Self.warmUp / users)
        var guidance: [Double] = []
        var diffusion: [Double] = []
        var total: [Double] = []
        for pass in 0..<warmUp + passes {
            let start = ContinuousClock.now
            workspace.removeAll()
            for user in pass * users..<(pass + 1) * users {
                let history = histories[user % histories.count][...]
                engine.add(history: history, seed: UInt64(user), steps: engine.maxSteps, samples: 1, to: workspace)
            }
            let extracted = ContinuousClock.now
            engine.generate(in: workspace)
            let end = ContinuousClock.now
            guard pass >= warmUp else { continue }
            guidance.append((extracted - start) / .microseconds(1))
            diffusion.append((end - extracted) / .microseconds(1))
            total.append((end - start) / .microseconds(1))
        }
        return Times(guidance: Percentiles(guidance), diffusion: Percentiles(diffusion), total: Percentiles(total))
    }
}

extension GuidanceConfiguration.Kind: ExpressibleByArgument {}
