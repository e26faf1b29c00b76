public import ArgumentParser
import Foundation
import Kernels
public import Recommenders
import Serving
import Training

/// `bench inference`: measures guidance and the reverse chain, without index or network.
struct InferenceBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inference",
        abstract: "Measure guidance and all reverse steps on one thread, single users and batches, without index."
    )
    @Option(
        help: "A recipe; its untrained model is measured, and the next four options are ignored.",
        completion: .file()
    )
    var recipe: String?
    @Option(help: "Items of the history.") var historyLength = 50
    @Option(help: "Hidden width of the denoiser.") var hidden = 128
    @Option(help: "The guidance module.") var guidance = GuidanceConfiguration().kind
    @Option(help: "Hidden width of the guidance module.") var guidanceHidden = GuidanceConfiguration().hidden
    @Option(help: "Items of the catalogue.") var items = 100_000
    @Option(help: "Forward passes to measure.") var count = 5000
    @Option(help: "Users of a batch.") var batch = 64
    @Option(help: "Maximum megabytes for the items' attention keys.") var keyMegabytes = 256
    @Flag(help: "Print one JSON object.") var json = false

    /// Histories to use in turn; many, so that the keys of their items do not fit into the CPU's caches.
    private static let histories = 4096
    private static let warmUp = 500

    func validate() throws {
        try ValidationError.require("--history-length", historyLength, in: 1...1000)
        try ValidationError.require("--hidden", hidden, in: 1...8192)
        try ValidationError.require("--guidance-hidden", guidanceHidden, in: 1...8192)
        try ValidationError.require("--items", items, in: 1...10_000_000)
        try ValidationError.require("--count", count, in: 1...10_000_000)
        try ValidationError.require("--batch", batch, in: 1...4096)
        try ValidationError.require("--key-megabytes", keyMegabytes, in: 0...1 << 20)
    }

    /// The recipe's model settings, or those of the options.
    private func model() throws -> DimeRecConfiguration {
        if let recipe {
            let recipe = try Recipe(contentsOf: recipe)
            guard recipe.system == DimeRec.system else {
                throw ValidationError("--recipe is a recipe of '\(recipe.system)'; give one of DimeRec.")
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

    /// Measures whole batches, in microseconds.
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
