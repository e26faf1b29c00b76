import CheckpointStore
import Foundation
import Kernels
import Recommenders

/// One training of a grid: a recipe and a seed, on the data of the experiment.
public struct ExperimentCell: Sendable {
    /// The row of the cell.
    public var variant: Experiment.Variant
    /// The seed of every draw.
    public var seed: UInt64
    /// The limit of training time in seconds; nil for none.
    public var maxSeconds: Double?

    /// A training of a row with one seed.
    public init(variant: Experiment.Variant, seed: UInt64, maxSeconds: Double? = nil) {
        self.variant = variant
        self.seed = seed
        self.maxSeconds = maxSeconds
    }

    /// The recipe without its tuning record, because that does not change the weights.
    var trainedRecipe: Recipe {
        var recipe = variant.recipe
        recipe.tuning = TuningRecord()
        return recipe
    }

    /// Identifies the training: equal recipes, data, seeds and time limits give equal keys.
    ///
    /// Names of the row and of the experiment and the recipe's tuning record do not matter.
    func key(_ data: DataFingerprint) -> String {
        let digests = data.digests.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: "\n")
        var parts = [trainedRecipe.json, data.split, "\(data.splitSeed)", digests, "\(seed)"]
        if let maxSeconds { parts.append("at most \(maxSeconds) s") }
        let text = parts.joined(separator: "\n")
        return String(ContentDigest.hexadecimal(of: text).prefix(32))
    }
}

/// The result of training and measuring a cell.
public struct CellResult: Codable, Sendable, Equatable {
    /// Counters, losses and validation metrics of the training; up to the last validation when it diverged.
    public var progress: TrainingProgress
    /// Why the training diverged; nil when it did not, and there is a model to measure.
    public var divergence: String?
    /// Rows of one epoch.
    public var trainRows: Int
    /// The program build that trained it.
    public var build: String
    /// The measurements; empty when training diverged.
    public var points: [MeasuredPoint]

    /// The result of a training.
    public init(
        progress: TrainingProgress,
        divergence: String?,
        trainRows: Int,
        build: String,
        points: [MeasuredPoint] = []
    ) {
        self.progress = progress
        self.divergence = divergence
        self.trainRows = trainRows
        self.build = build
        self.points = points
    }

    /// The values of the cell as a whole, repeated in each of its rows of the results.
    var values: [String: Double] {
        var values = [
            "train_steps": Double(progress.step), "best_step": Double(progress.bestStep),
            "train_seconds": progress.seconds, "train_rows": Double(trainRows),
        ]
        for (name, value) in progress.best { values["validation_\(name)"] = value }
        return values
    }
}

extension CellResult {
    /// Reads the result of a file; nil when there is no file.
    init?(contentsOf path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        do {
            self = try JSONDecoder().decode(CellResult.self, from: data)
        } catch {
            throw ExperimentError.unusableFile(path, reason: "it is not a result file; remove it (\(error)).")
        }
    }

    /// Writes the result atomically.
    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try DurableFile.write(encoder.encode(self), to: path)
    }
}

extension DurableFile {
    /// Writes a file atomically and replaces any file of that name.
    static func write(_ content: Data, to path: String) throws {
        let part = path + ".part"
        do {
            try content.write(to: URL(filePath: part))
        } catch {
            throw ExperimentError.unusableFile(part, reason: error.localizedDescription)
        }
        try move(part, to: path)
    }
}

/// SHA-256 of text.
enum ContentDigest {
    /// In hexadecimal.
    static func hexadecimal(of text: String) -> String {
        SHA256.hash(Array(text.utf8).span).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
