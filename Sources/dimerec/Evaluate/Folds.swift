import ArgumentParser
import Foundation
import Kernels
import Recommenders
import Training

/// `folds`: how well a recipe does from one time to the next.
struct Folds: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train and test a recipe at several points in time, on the past alone; prints mean and spread.",
        discussion: """
            The newer half of the events is divided into windows, one a fold. Each fold is trained on the events before its \
            window and tested on every event in it. Nothing is published. The folder keeps finished folds: the same command \
            continues after an interruption.
            """
    )

    @Option(help: "Recipe, JSON; without one, the program chooses by the first fold.", completion: .file())
    var recipe: String?
    @Option(help: "The log; what --events of train takes.", completion: .file()) var events: [String]
    @Option(help: "Items (CSV: item, optional title, categories and attributes).", completion: .file())
    var items: String?
    @OptionGroup var columns: ColumnOptions
    @OptionGroup var itemColumns: ItemColumnOptions
    @OptionGroup var targets: TargetOptions
    @Option(help: "How many folds.") var folds = 5
    @Option(help: "The folder of results; created if missing.", completion: .directory) var out: String
    @Option(help: "Seed of each training.") var seed: UInt64 = 42
    @OptionGroup(title: "Options that end each training") var limits: TrainingBudgetOptions
    @Flag(help: "Remove a row's history from its ranking.") var filterHistory = false
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        try ValidationError.require("--folds", folds, in: 1...100)
    }

    func run() throws {
        Allocator.keepFreedMemory()
        var given = try recipe.map(Recipe.init(contentsOf:))
        var chosen = given?.data.targets ?? TargetConfiguration()
        try targets.apply(to: &chosen)
        let origins = try RollingOrigin(
            events: EventSource(events),
            columns: itemColumns.added(to: columns.names),
            targets: chosen,
            folds: folds,
            items: items
        )
        Terminal.write(notes: origins.notes)
        if given == nil {
            let choice = RecipeChoice(for: origins.folds[0].data, budget: limits.budget)
            Terminal.write(notes: choice.reasons.map { "chosen: \($0)" })
            given = choice.recipe
        }
        guard var recipe = given else { preconditionFailure("no recipe was given or chosen") }
        recipe.data.split = .time
        recipe.data.evaluation = .allPrefixes
        recipe.data.targets = chosen
        if let maxSteps = limits.maxSteps { recipe.training.maxSteps = maxSteps }
        let interruption = Interruption()
        var results: [Result] = []
        for (number, fold) in origins.folds.enumerated() {
            Terminal.write(
                "fold \(number + 1) of \(folds): validates from \(fold.validationStartText), tests from "
                    + "\(fold.testStartText)\n"
            )
            guard let result = try result(of: fold, recipe, interruption) else {
                Terminal.write("stopped; the folder keeps finished folds, run the same command to continue\n")
                throw ExitCode.interrupted
            }
            results.append(result)
        }
        print(results)
    }

    /// The figures of one fold.
    private struct Result {
        let start: String
        let rows: Int
        let served: [String: Double]
        let predictors: [(name: String, values: [String: Double])]
    }

    /// Trains and tests a fold; nil when it was interrupted.
    private func result(
        of fold: RollingOrigin.Fold,
        _ recipe: Recipe,
        _ interruption: Interruption
    ) throws -> Result? {
        let evaluation = try ExperimentEvaluation(
            data: fold.data,
            part: .test,
            protocol: .allPrefixes,
            filterHistory: filterHistory
        )
        let cell = ExperimentCell(
            variant: Experiment.Variant(name: recipe.system, recipe: recipe),
            seed: seed,
            maxSeconds: limits.budget.seconds
        )
        var view = ExperimentProgressView()
        let found = try ExperimentRunner(folder: out, data: fold.data, evaluation: evaluation).run(
            [cell],
            measuring: { _ in .readOuts },
            shouldStop: { interruption.wasRequested },
            report: { view.show($0) }
        )
        guard let found = found?.first else { return nil }
        if let divergence = found.divergence { throw ValidationError("The training diverged: \(divergence)") }
        let floors = evaluation.floors(dimension: 1).filter { $0.values["hr@20"] != nil }
        return Result(
            start: fold.testStartText,
            rows: evaluation.count,
            served: found.points[0].values,
            predictors: floors.map { ($0.name, $0.values) }
        )
    }

    private func print(_ results: [Result]) {
        let names = results[0].served.keys.filter { $0.contains("@") }
        let served = RollingFigures(results.map(\.served), names: names)
        guard !json else {
            let folds: [[String: Any]] = results.map { result in
                [
                    "from": result.start, "rows": result.rows, "served": result.served,
                    "predictors": Dictionary(uniqueKeysWithValues: result.predictors.map { ($0.name, $0.values) }),
                ]
            }
            Terminal.print(JSONObject(["folds": folds, "mean": served.mean, "sd": served.deviation]).line)
            return
        }
        var table = MetricsTable(title: "\(results.count) folds by time")
        for result in results { table.add("\(result.start), \(result.rows) rows", result.served) }
        table.add("mean", served.mean)
        table.add("standard deviation", served.deviation)
        for (place, predictor) in results[0].predictors.enumerated() {
            let values = results.map { $0.predictors[place].values }
            table.add("\(predictor.name), mean", RollingFigures(values, names: names).mean)
        }
        Terminal.print(table.text)
    }
}

/// Mean and standard deviation of figures over folds.
private struct RollingFigures {
    var (mean, deviation): ([String: Double], [String: Double]) = ([:], [:])

    init(_ values: [[String: Double]], names: some Sequence<String>) {
        for name in names {
            let own = values.map { $0[name, default: 0] }
            let mean = own.reduce(0, +) / Double(own.count)
            let squares = own.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            self.mean[name] = mean
            deviation[name] = (squares / Double(max(1, own.count - 1))).squareRoot()
        }
    }
}
