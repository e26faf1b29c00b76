public import ArgumentParser
import CheckpointStore
import Foundation
import Kernels
public import Training

struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a model, evaluate it on the validation part, and write one version to the store."
    )

    @Option(
        help: "Recipe, JSON; see models/. Without one, the program chooses by the data and trains for ten minutes.",
        completion: .file()
    )
    var recipe: String?
    @Option(
        help: "Write the recipe of this run to a file; its maxSteps is not the budget of the run.",
        completion: .file()
    )
    var recipeOut: String?
    @OptionGroup(title: "Options that give the data") var files: TrainingDataOptions
    @Option(help: "The store (SQLite); created if missing.") var store: String
    @Option(help: "Name in the store; the recipe's file name by default, 'model' without a recipe.") var model: String?
    @Option(help: "Seed of every draw.") var seed: UInt64 = 42
    @Flag(help: "Continue an interrupted run of the same recipe, data and seed.") var resume = false
    @OptionGroup(title: "Options that end the training") var limits: TrainingBudgetOptions
    @Option(help: "Afterwards remove old versions except this many of the newest and those in use.") var keep: Int?
    @Flag(help: "Print one JSON object at the end.") var json = false

    func validate() throws {
        if let keep, keep < 1 { throw ValidationError("--keep must be at least 1.") }
    }

    func run() throws {
        Allocator.keepFreedMemory()
        var given = try recipe.map(Recipe.init(contentsOf:))
        if let split = files.split { given?.data.split = split }
        let name = model ?? recipe.map { URL(filePath: $0).deletingPathExtension().lastPathComponent } ?? "model"
        try ModelName.require(name)
        let data = try files.load(given?.data)
        var recipe = given ?? chosenRecipe(for: data)
        if let split = data.splitKind { recipe.data.split = split }
        try files.targets.apply(to: &recipe.data.targets)
        if let recipeOut { try recipe.write(to: recipeOut) }
        let store = try CheckpointStore(path: store)
        let interruption = Interruption()
        var view = TrainingProgressView()
        var samplesPerSecond = 0.0
        let report = try TrainingJob(recipe: recipe, data: data, seed: seed, model: name).run(
            store: store,
            resume: resume,
            budget: budget(hasRecipe: given != nil),
            shouldStop: { interruption.wasRequested },
            report: { event in
                if case .step(_, _, _, let rate) = event { samplesPerSecond = rate }
                view.show(event)
            }
        )
        guard let report else {
            Terminal.write("stopped; the store keeps the state, continue with --resume\n")
            throw ExitCode.interrupted
        }
        if let keep { _ = try store.prune(model: name, keeping: keep) }
        print(report, name: name, split: data.fingerprint.split, samplesPerSecond: samplesPerSecond)
    }

    /// The recipe that suits the data, after telling why.
    private func chosenRecipe(for data: TrainingData) -> Recipe {
        let choice = RecipeChoice(for: data)
        Terminal.write(notes: choice.reasons.map { "chosen: \($0)" })
        return choice.recipe
    }

    /// What ends the training; without a recipe and options, ten minutes.
    private func budget(hasRecipe: Bool) -> TrainingBudget {
        hasRecipe || limits.budget != TrainingBudget() ? limits.budget : TrainingBudget(seconds: 600)
    }

    private func print(_ report: TrainingJob.Report, name: String, split: String, samplesPerSecond: Double) {
        if json {
            let fields: [String: Any] = [
                "model": name, "version": report.version, "split": split, "items": report.items,
                "train_rows": report.trainRows,
                "seconds": report.progress.seconds, "samples_per_s": samplesPerSecond.rounded(),
                "steps": report.progress.step, "best_step": report.progress.bestStep, "seed": seed,
                "validation": report.progress.best,
            ]
            Terminal.print(JSONObject(fields).line)
            return
        }
        var table = MetricsTable(title: "\(name) version \(report.version)")
        table.add("validation", report.progress.best)
        Terminal.print(table.text)
        let seconds = String(format: "%.1f", report.progress.seconds)
        Terminal.print("best of step \(report.progress.bestStep) of \(report.progress.step), \(seconds) s")
    }
}

extension SplitKind: ExpressibleByArgument {}
extension SplitPart: ExpressibleByArgument {
    /// Nobody is judged on what they learnt from.
    public static var allValueStrings: [String] { [SplitPart.validation, .test].map(\.rawValue) }
}
extension EvaluationProtocol: ExpressibleByArgument {}
