import ArgumentParser
import CheckpointStore
import Foundation
import Kernels
import Training

/// `bench learning`: the validation figures of a training by seconds and by targets.
struct LearningBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "learning",
        abstract: "Train, and print validation HR@20 by seconds and by targets.",
        discussion: """
            Nothing is published. A run with --max-seconds plans its learning rate for that time; run it with several limits \
            in turn to compare them.
            """
    )

    @Option(help: "Recipe, JSON; see models/.", completion: .file()) var recipe: String
    @OptionGroup(title: "Options that give the data") var files: TrainingDataOptions
    @OptionGroup(title: "Options that end the training") var limits: TrainingBudgetOptions
    @Option(help: "Seed of every draw.") var seed: UInt64 = 42
    @Option(help: "Write the curve to this CSV file.", completion: .file()) var out: String?
    @Option(help: "A CSV file of an earlier run to compare with.", completion: .file()) var against: String?
    @Option(help: "Write a plot to this SVG file.", completion: .file()) var plot: String?

    func run() throws {
        Allocator.keepFreedMemory()
        let earlier = try against.map(LearningCurve.init(contentsOf:))
        var recipe = try Recipe(contentsOf: recipe)
        if let split = files.split { recipe.data.split = split }
        let data = try files.load(recipe.data)
        let folder = FileManager.default.temporaryDirectory.appending(path: "dimerec-learning-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try CheckpointStore(path: folder.appending(path: "store.sqlite").path)
        let name = URL(filePath: self.recipe).deletingPathExtension().lastPathComponent
        var view = TrainingProgressView()
        let progress = try TrainingJob(recipe: recipe, data: data, seed: seed, model: "learning").progress(
            store: store,
            budget: limits.budget,
            report: { view.show($0) }
        )
        let curve = LearningCurve(name: name, progress: progress)
        show(curve, beside: earlier)
        if let out { try curve.write(to: out) }
        if let plot {
            try LearningCurve.plot([curve] + (earlier.map { [$0] } ?? []), title: "Learning: \(name)", to: plot)
        }
    }

    private func show(_ curve: LearningCurve, beside earlier: LearningCurve?) {
        var header = "  seconds     targets     step    hr@20   mrr@20"
        if let earlier { header += "   \(earlier.name)" }
        Terminal.print(header)
        for point in curve.points {
            var line = String(
                format: "%9.1f %11d %8d %8.4f %8.4f",
                point.seconds,
                point.targets,
                point.step,
                point.hitRate,
                point.reciprocalRank
            )
            if let earlier {
                line += earlier.best(within: point.seconds).map { String(format: "   %.4f", $0) } ?? "   -"
            }
            Terminal.print(line)
        }
    }
}
