public import ArgumentParser
import Foundation
import Kernels
public import Training

/// `tune`: searches the recipe values with the best validation score, with equally many trials for each recipe.
struct Tune: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Search the best values of one or more recipes on the validation part, with equally many trials for each.",
        discussion: """
            SPACES/SYSTEM.json lists the fields that a search may change; without such a file the recipe is the \
            only trial. The folder gets the best recipe and a table of trials for each; `experiment overall --systems all \
            --recipes FOLDER/NAME` compares them. Finished trials are kept: the same command continues after an interruption.
            """
    )

    @OptionGroup(title: "Options that give the recipes") var choice: RecipeOptions
    @OptionGroup(title: "Options that give the data") var files: TrainingDataOptions
    @Option(help: "The folder of results; created if missing.", completion: .directory) var out: String
    @Option(help: "The folder of search spaces.", completion: .directory) var spaces = "models/spaces"
    @Option(help: "Trials of each recipe, including the recipe itself.") var trials = 9
    @Option(help: "random: all trials in full; halving: only the best of each rung continue.") var strategy = Tuning
        .Strategy
        .halving
    @Option(help: "Seed of the draws and of each training.") var seed: UInt64 = 42
    @Option(help: "Maximum number of training steps; overrides the recipe.") var maxSteps: Int?
    @Option(help: "Maximum seconds of each training.") var maxSeconds: Double?
    @Flag(help: "Print one JSON object with the recipes and their validation metrics.") var json = false

    func validate() throws {
        try ValidationError.require("--trials", trials, in: 1...10_000)
        try TrainingBudgetOptions.require(maxSeconds)
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
                Terminal.write("stopped; the folder keeps finished trials, run the same command to continue\n")
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
        try files.targets.apply(to: &recipe.data.targets)
        if let maxSteps { recipe.training.maxSteps = maxSteps }
        let space = try FileManager.default.contents(atPath: "\(spaces)/\(recipe.system).json").map(
            TuningSpace.init(json:)
        )
        return try Tuning(base: recipe, space: space, trials: trials, strategy: strategy, seed: seed)
    }
}

extension Tuning.Strategy: ExpressibleByArgument {}
