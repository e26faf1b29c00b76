public import ArgumentParser
import CheckpointStore
import Foundation
import Kernels
import MessagePassing
import Recommenders
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
        help: "Write the recipe of this run to a file; it does not hold the limits of this command.",
        completion: .file()
    )
    var recipeOut: String?
    @OptionGroup(title: "Options that give the data") var files: TrainingDataOptions
    @Flag(
        help: """
            Hold out no test part, so that the version learns from all events: for a version that you serve, once an \
            evaluation has chosen its recipe. Only newer events can test it.
            """
    )
    var withoutTestPart = false
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
    @Flag(
        help: """
            With mpirun: divide the rows of the item table over the ranks, for a table that one machine cannot hold during \
            the training.
            """
    )
    var divideItems = false
    @Option(help: "Afterwards remove old versions except this many of the newest and those in use.") var keep: Int?
    @Flag(help: "Print one JSON object at the end.") var json = false

    func validate() throws {
        try ValidationError.require("--keep", keep, in: 1...)
        guard from != nil || !logMayShrink else { throw ValidationError("--log-may-shrink needs --from.") }
    }

    func run() throws {
        Allocator.keepFreedMemory()
        let communicator = try MessagePassing.connect()
        let ranks = Ranks(communicator)
        let prepared = Result { try prepare(ranks) }
        let isReady = try ranks.agreed(on: prepared.map(\.job)) != nil
        var isFinished = true
        if ranks.isFirst {
            isFinished = try train(prepared.get(), ranks)
        } else if isReady {
            try assist(prepared.get(), ranks)
        }
        MessagePassing.disconnect(communicator)
        guard isFinished else { throw ExitCode.interrupted }
    }

    /// A training that is ready to start.
    private struct Prepared {
        var job: TrainingJob
        var name: String
        var split: String
        var hasRecipe: Bool
        var parent: ParentVersion?
        /// Nil on other ranks than the first.
        var store: CheckpointStore?
    }

    /// Reads everything that the training needs; only the first rank writes.
    private func prepare(_ ranks: Ranks) throws -> Prepared {
        let store = try from.map { _ in try CheckpointStore(path: requireStore(), readOnly: !ranks.isFirst) }
        let parent = try from.flatMap { from in try store.map { try from.load(from: $0) } }
        var given = try recipe.map(Recipe.init(contentsOf:)) ?? parent?.recipe
        if let split = files.split { given?.data.split = split }
        let file = recipe.map { URL(filePath: $0).deletingPathExtension().lastPathComponent }
        let name = model ?? from?.model ?? file ?? "model"
        try ModelName.require(name)
        let data = try files.load(
            given?.data,
            continuing: parent,
            holdingOutTest: !withoutTestPart,
            showsNotes: ranks.isFirst
        )
        func finished(_ recipe: Recipe) throws -> Recipe {
            var recipe = recipe
            if let split = data.splitKind { recipe.data.split = split }
            try files.targets.apply(to: &recipe.data.targets)
            return recipe
        }
        // Other ranks have no store, so all of several ranks choose by the options alone.
        let begun = given == nil && ranks.count == 1 ? try begunRecipe(of: name, for: data, finished) : nil
        let recipe = try begun ?? finished(given ?? chosenRecipe(for: data, isTold: ranks.isFirst))
        if let recipeOut, ranks.isFirst { try recipe.write(to: recipeOut) }
        try parent?.require(recipe, data, logMayShrink: logMayShrink)
        if ranks.isFirst, let note = parent?.noteOfJudging(by: data) { Terminal.write(notes: [note]) }
        return Prepared(
            job: TrainingJob(
                recipe: recipe,
                data: data,
                seed: seed,
                model: name,
                from: parent,
                ranks: ranks,
                dividesItems: divideItems
            ),
            name: name,
            split: data.fingerprint.split,
            hasRecipe: given != nil,
            parent: parent,
            store: ranks.isFirst ? try store ?? CheckpointStore(path: self.store) : nil
        )
    }

    /// The path of the store, which must exist.
    private func requireStore() throws -> String {
        guard FileManager.default.fileExists(atPath: store) else { throw CheckpointError.notFound(path: store) }
        return store
    }

    /// Trains, publishes and tells the result: the work of a process alone, and of the first rank.
    ///
    /// - Returns: False when a signal stopped it.
    private func train(_ prepared: Prepared, _ ranks: Ranks) throws -> Bool {
        guard let store = prepared.store else { preconditionFailure("the first rank opened no store") }
        let interruption = Interruption()
        var view = TrainingProgressView()
        var samplesPerSecond = 0.0
        if ranks.count > 1 { Terminal.write("dimerec: \(ranks.count) ranks, \(CPU.cores) threads on the first\n") }
        let report = try prepared.job.run(
            store: store,
            resume: resume,
            budget: budget(hasRecipe: prepared.hasRecipe),
            shouldStop: { interruption.wasRequested },
            report: { event in
                if case .step(_, _, _, let rate) = event { samplesPerSecond = rate }
                view.show(event)
            }
        )
        guard let report else {
            Terminal.write("stopped; the store keeps the state, continue with --resume\n")
            return false
        }
        if let keep { _ = try store.prune(model: prepared.name, keeping: keep) }
        print(report, of: prepared, samplesPerSecond: samplesPerSecond, traffic: try ranks.traffic(), ranks.count)
        return true
    }

    /// Trains with the first rank, which tells the result and the errors that all ranks have.
    private func assist(_ prepared: Prepared, _ ranks: Ranks) throws {
        let interruption = Interruption(isAnnounced: false)
        defer { withExtendedLifetime(interruption) {} }
        do {
            guard try prepared.job.assist(resume: resume, budget: budget(hasRecipe: prepared.hasRecipe)) else { return }
            _ = try ranks.traffic()
        } catch is TrainingError {}
    }

    /// The chosen recipe of the run that --resume continues; nil for a new run, and for a run whose recipe was given.
    private func begunRecipe(
        of name: String,
        for data: TrainingData,
        _ finished: (Recipe) throws -> Recipe
    ) throws -> Recipe? {
        guard resume, FileManager.default.fileExists(atPath: store) else { return nil }
        let store = try CheckpointStore(path: store, readOnly: true)
        let begun = try RecipeChoice.begun(in: store, model: name, for: data, finished: finished)
        if begun != nil { Terminal.write("dimerec: the recipe is the one that the interrupted run had chosen\n") }
        return begun
    }

    /// The recipe that suits the data and the budget, after telling why.
    private func chosenRecipe(for data: TrainingData, isTold: Bool) -> Recipe {
        let choice = RecipeChoice(for: data, budget: budget(hasRecipe: false))
        if isTold { Terminal.write(notes: choice.reasons.map { "chosen: \($0)" }) }
        return choice.recipe
    }

    /// The limits of the training; without a recipe and options, ten minutes.
    private func budget(hasRecipe: Bool) -> TrainingBudget { limits.budget.completed(hasRecipe: hasRecipe) }

    private func print(
        _ report: TrainingJob.Report,
        of prepared: Prepared,
        samplesPerSecond: Double,
        traffic: Ranks.Traffic,
        _ ranks: Int
    ) {
        if json {
            var fields: [String: Any] = [
                "model": prepared.name, "version": report.version, "split": prepared.split, "items": report.items,
                "train_rows": report.trainRows,
                "seconds": report.progress.seconds, "samples_per_s": samplesPerSecond.rounded(),
                "steps": report.progress.step, "best_step": report.progress.bestStep, "seed": seed,
                "validation": report.progress.best, "findings": report.findings,
            ]
            if let origin = prepared.parent?.origin {
                fields["from"] = ["model": origin.model, "version": origin.version]
            }
            if ranks > 1 {
                fields["ranks"] = ranks
                fields["exchanged_bytes"] = traffic.bytes
                fields["exchanged_steps"] = traffic.steps
                fields["validation_bytes"] = traffic.validationBytes
                fields["table_bytes"] = report.tableBytes
            }
            Terminal.print(JSONObject(fields).line)
            return
        }
        var table = MetricsTable(title: "\(prepared.name) version \(report.version)")
        table.add("validation", report.progress.best)
        Terminal.print(table.text)
        let seconds = String(format: "%.1f", report.progress.seconds)
        Terminal.print("best of step \(report.progress.bestStep) of \(report.progress.step), \(seconds) s")
        for finding in report.findings { Terminal.print(finding) }
        if ranks > 1 {
            let mean = traffic.bytes / max(1, traffic.steps)
            Terminal.print("\(ranks) ranks exchanged \(traffic.bytes) bytes, \(mean) a step")
        }
    }
}

extension SplitKind: ExpressibleByArgument {}
extension SplitPart: ExpressibleByArgument {
    /// No system is judged on rows that it learnt from.
    public static var allValueStrings: [String] { [SplitPart.validation, .test].map(\.rawValue) }
}
extension EvaluationProtocol: ExpressibleByArgument {}
