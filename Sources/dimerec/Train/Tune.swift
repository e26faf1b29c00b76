public import ArgumentParser
import Foundation
import Kernels
public import Training

/// `tune`: the values of recipes that do best on validation, with the same number of trials for each.
struct Tune: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Search the values of one or more recipes, the same number of trials for each, by the validation part.",
        discussion: """
            What each system may change stands in SPACES/SYSTEM.json; a system without such a file has its recipe as its \
            only trial. The folder gets a recipe for each, and the table of its trials; `experiment overall --systems all \
            --recipes FOLDER/NAME` compares them. Finished trials are kept: the same command goes on after an interruption.
            """
    )

    @OptionGroup var choice: RecipeOptions
    @OptionGroup var files: TrainingDataOptions
    @Option(help: "The folder of results; made when missing.", completion: .directory) var out: String
    @Option(help: "The folder of what may change.", completion: .directory) var spaces = "models/spaces"
    @Option(help: "Trials of each recipe, the recipe itself among them.") var trials = 9
    @Option(help: "random: all train in full; halving: only the best of each rung go on.") var strategy = Tuning
        .Strategy
        .halving
    @Option(help: "Seed of the draws and of each training.") var seed: UInt64 = 42
    @Option(help: "Training steps at most; overrides the recipe.") var maxSteps: Int?
    @Option(help: "Seconds of each training at most.") var maxSeconds: Double?
    @Flag(help: "Print one JSON object with the recipes and their validation metrics.") var json = false

    func validate() throws {
        guard 1...10_000 ~= trials else { throw ValidationError("--trials 1...10000.") }
        if let maxSeconds, !(maxSeconds > 0) { throw ValidationError("--max-seconds is above 0.") }
    }

    func run() throws {
        Allocator.keepFreedMemory()
        let recipes = try choice.load(dataset: files.name)
        let searches = try recipes.map { try ($0.name, tuning($0.recipe)) }
        let data = try files.load(searches[0].1.base.data)
        let evaluation = try ExperimentEvaluation(
            data: data,
            part: .validation,
            protocol: searches[0].1.base.data.evaluation.suited(to: data.split.validation.targets),
            filterHistory: false
        )
        let runner = try ExperimentRunner(folder: out, data: data, evaluation: evaluation)
        let interruption = Interruption()
        var view = ExperimentProgressView()
        var found: [String: Any] = [:]
        for (name, tuning) in searches {
            Terminal.write("\(name): \(tuning.trials.count) trials, rungs of \(tuning.rungs) steps\n")
            let outcomes = try tuning.run(
                with: runner,
                maxSeconds: maxSeconds,
                shouldStop: { interruption.wasRequested },
                report: { view.show($0) }
            )
            guard let outcomes else {
                Terminal.write("stopped; what is done is kept in the folder, the same command goes on\n")
                throw ExitCode.interrupted
            }
            let report = TuningReport(name: name, tuning: tuning, outcomes: outcomes)
            let path = try report.write(to: out)
            found[name] = ["recipe": path, "validation": outcomes[0].result.progress.best] as [String: Any]
            if !json { Terminal.print(report.markdown + path) }
        }
        if json { Terminal.print(JSONObject(found).line) }
    }

    private func tuning(_ recipe: Recipe) throws -> Tuning {
        var recipe = recipe
        if let split = files.split { recipe.data.split = split }
        if let maxSteps { recipe.training.maxSteps = maxSteps }
        let space = try FileManager.default.contents(atPath: "\(spaces)/\(recipe.system).json").map(
            TuningSpace.init(json:)
        )
        return try Tuning(base: recipe, space: space, trials: trials, strategy: strategy, seed: seed)
    }
}

extension Tuning.Strategy: ExpressibleByArgument {}
