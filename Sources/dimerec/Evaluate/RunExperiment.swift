public import ArgumentParser
import Foundation
import Kernels
import Recommenders
import Serving
public import Training

/// `experiment`: a table or figure of the paper on given data.
struct RunExperiment: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "experiment",
        abstract:
            "Train and evaluate the rows of an experiment, such as a table of the paper; writes CSV, Markdown, SVG.",
        discussion: """
            The folder keeps finished cells. The same command continues after an interruption, and experiments share \
            cells with equal recipe, data and seed.
            """
    )

    @Argument(help: "\(Experiment.allCases.map(\.rawValue).joined(separator: ", ")).") var experiment: Experiment
    @OptionGroup(title: "Options that give the recipes") var choice: RecipeOptions
    @OptionGroup(title: "Options that give the data") var files: TrainingDataOptions
    @Option(
        help: "all-prefixes, next-after-80, five-cuts or last-item, for validation too; the first recipe's by default."
    )
    var `protocol`: EvaluationProtocol?
    @Option(help: "The folder of results; created if missing.", completion: .directory) var out: String
    @Option(help: "Number of trainings of each row.") var seeds = 3
    @Option(help: "The first seed; the next ones count up from it.") var firstSeed: UInt64 = 42
    @Option(help: "Maximum number of training steps; overrides the recipe.") var maxSteps: Int?
    @Option(help: "Maximum seconds of each training; the best weights so far are evaluated.") var maxSeconds: Double?
    @Option(
        help: "Values of lambda, mu or max-step, reverse steps of steps, or list lengths of blend, separated by commas."
    )
    var values: String?
    @Option(help: "The part to evaluate on: validation or test.") var part: SplitPart = .test
    @Flag(help: "Remove a row's history from its ranking.") var filterHistory = false
    @Flag(help: "Print one JSON object with the paths of the files.") var json = false

    func validate() throws {
        try ValidationError.require("--seeds", seeds, in: 1...10_000)
        guard part != .train else { throw ValidationError("--part must be validation or test; got 'train'.") }
        guard ![.reranking, .blend].contains(experiment) || part == .test else {
            throw ValidationError("\(experiment.rawValue) learns from the validation part and needs --part test.")
        }
        try TrainingBudgetOptions.require(maxSeconds)
        _ = try sweptValues()
    }

    private func sweptValues() throws -> [Double]? {
        try values?.split(separator: ",", omittingEmptySubsequences: false).map { text in
            guard let value = Double(text.trimmingCharacters(in: .whitespaces)), value.isFinite else {
                throw ValidationError("--values: '\(text)' is not a number; give for example 0.01,0.1,1.")
            }
            return value
        }
    }

    func run() throws {
        Allocator.keepFreedMemory()
        let values = try sweptValues()
        let recipes = try recipes()
        var variants = try experiment.variants(of: recipes.map { ($0.name, $0.recipe) }, values: values)
        // The validation part judges the models, or trains the re-ranker or weights, so no model may have learnt from it.
        if part == .validation || [.reranking, .blend].contains(experiment) {
            for place in variants.indices { variants[place].recipe.training.refit = false }
        }
        let judge = recipes[0].recipe.data
        let dimension = recipes.lazy.compactMap { ($0.recipe.configuration as? DimeRecConfiguration)?.dimension }.first
        let data = try files.load(judge)
        let evaluation = try ExperimentEvaluation(
            data: data,
            part: part,
            protocol: `protocol` ?? judge.evaluation.suited(to: data.split[part].targets),
            filterHistory: filterHistory,
            clock: .ofService
        )
        let runner = try ExperimentRunner(folder: out, data: data, evaluation: evaluation)
        let seeds = (0..<UInt64(seeds)).map { firstSeed &+ $0 }
        // Train seed by seed, so that an unfinished grid has all variants of a seed to compare.
        let cells = seeds.flatMap { seed in
            variants.map { ExperimentCell(variant: $0, seed: seed, maxSeconds: maxSeconds) }
        }
        let interruption = Interruption()
        var view = ExperimentProgressView()
        let results = try runner.run(
            cells,
            measuring: { experiment.measurement(of: $0, values: values) },
            shouldStop: { interruption.wasRequested },
            report: { view.show($0) }
        )
        guard let results else {
            Terminal.write("stopped; the folder keeps finished cells, run the same command to continue\n")
            throw ExitCode.interrupted
        }
        let found = ExperimentResults(
            experiment,
            cells: cells,
            results: results,
            merged: experiment == .blend
                ? try runner.mergedLists(cells, lengths: experiment.listLengths(values)) : [],
            floors: evaluation.floors(
                dimension: dimension ?? DimeRecConfiguration().dimension,
                withPredictors: !recipes.contains { Self.isFitted($0.recipe) }
            ),
            bootstrap: evaluation.bootstrap
        )
        let report = ExperimentReport(
            found,
            command: Self.command,
            data: data.fingerprint,
            evaluation: evaluation,
            seeds: seeds,
            builds: results.map(\.build)
        )
        print(report, try report.write(to: out))
    }

    /// Whether the system learns in closed form; the simple predictors are examples of such systems.
    private static func isFitted(_ recipe: Recipe) -> Bool {
        (try? ModelRegistry.system(named: recipe.system)) is any FittedRecommender.Type
    }

    /// The recipes by the names of their files, with the overrides of the command line.
    private func recipes() throws -> [(name: String, recipe: Recipe)] {
        try choice.load(dataset: files.name).map { name, recipe in
            var recipe = recipe
            if let split = files.split { recipe.data.split = split }
            try files.targets.apply(to: &recipe.data.targets)
            if let `protocol` { recipe.data.evaluation = `protocol` }
            if let maxSteps { recipe.training.maxSteps = maxSteps }
            try recipe.validate(prefix: "")
            return (name, recipe)
        }
    }

    private func print(_ report: ExperimentReport, _ paths: ExperimentReport.Paths) {
        guard json else {
            Terminal.print(report.markdown)
            Terminal.print("\(paths.csv), \(paths.markdown), \(paths.svg)")
            return
        }
        let fields: [String: Any] = [
            "experiment": experiment.rawValue, "csv": paths.csv, "markdown": paths.markdown, "svg": paths.svg,
            "diverged": report.results.divergences.count,
        ]
        Terminal.print(JSONObject(fields).line)
    }

    /// The user's command line, for the report.
    private static var command: String {
        let words = CommandLine.arguments.dropFirst().map { word in
            word.contains(where: \.isWhitespace) ? "'\(word)'" : word
        }
        return (["dimerec"] + words).joined(separator: " ")
    }
}

extension Experiment: ExpressibleByArgument {}
