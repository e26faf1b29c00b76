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
    @Option(
        help: """
            Continue from a version of the store: MODEL, MODEL@active or MODEL@VERSION. Items keep their vectors by id; a new item \
            starts near its neighbours. Give the whole log, old events too.
            """
    )
    var from: ParentOption?
    @Flag(help: "With --from: the log may have fewer events than that of the version, because it is a moving window.")
    var logMayShrink = false
    @Flag(help: "Continue an interrupted run of the same recipe, data and seed.") var resume = false
    @OptionGroup(title: "Options that end the training") var limits: TrainingBudgetOptions
    @Option(help: "Afterwards remove old versions except this many of the newest and those in use.") var keep: Int?
    @Flag(help: "Print one JSON object at the end.") var json = false

    func validate() throws {
        if let keep, keep < 1 { throw ValidationError("--keep must be at least 1.") }
        guard from != nil || !logMayShrink else { throw ValidationError("--log-may-shrink needs --from.") }
    }

    func run() throws {
        Allocator.keepFreedMemory()
        let store = try from.map { _ in try CheckpointStore(path: requireStore()) }
        let parent = try from.flatMap { from in try store.map { try from.load(from: $0) } }
        var given = try recipe.map(Recipe.init(contentsOf:)) ?? parent?.recipe
        if let split = files.split { given?.data.split = split }
        let file = recipe.map { URL(filePath: $0).deletingPathExtension().lastPathComponent }
        let name = model ?? from?.model ?? file ?? "model"
        try ModelName.require(name)
        let data = try files.load(given?.data)
        var recipe = given ?? chosenRecipe(for: data)
        if let split = data.splitKind { recipe.data.split = split }
        try files.targets.apply(to: &recipe.data.targets)
        if let recipeOut { try recipe.write(to: recipeOut) }
        try parent?.require(recipe, data, logMayShrink: logMayShrink)
        try train(recipe, data, from: parent, hasRecipe: given != nil, name, store ?? CheckpointStore(path: self.store))
    }

    /// The path of the store, which must exist.
    private func requireStore() throws -> String {
        guard FileManager.default.fileExists(atPath: store) else { throw CheckpointError.notFound(path: store) }
        return store
    }

    private func train(
        _ recipe: Recipe,
        _ data: TrainingData,
        from parent: ParentVersion?,
        hasRecipe: Bool,
        _ name: String,
        _ store: CheckpointStore
    ) throws {
        let interruption = Interruption()
        var view = TrainingProgressView()
        var samplesPerSecond = 0.0
        let report = try TrainingJob(recipe: recipe, data: data, seed: seed, model: name, from: parent).run(
            store: store,
            resume: resume,
            budget: budget(hasRecipe: hasRecipe),
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
        print(report, name: name, split: data.fingerprint.split, samplesPerSecond: samplesPerSecond, from: parent)
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

    private func print(
        _ report: TrainingJob.Report,
        name: String,
        split: String,
        samplesPerSecond: Double,
        from parent: ParentVersion?
    ) {
        if json {
            var fields: [String: Any] = [
                "model": name, "version": report.version, "split": split, "items": report.items,
                "train_rows": report.trainRows,
                "seconds": report.progress.seconds, "samples_per_s": samplesPerSecond.rounded(),
                "steps": report.progress.step, "best_step": report.progress.bestStep, "seed": seed,
                "validation": report.progress.best,
            ]
            if let origin = parent?.origin { fields["from"] = ["model": origin.model, "version": origin.version] }
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
