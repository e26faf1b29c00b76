import Autodiff
import CheckpointStore
import Foundation
import Kernels
import Recommenders

/// Trains and measures the cells of a grid one after another, and keeps the results in a folder.
///
/// Recipe, data and seed identify a cell. The folder's store keeps its trained weights, so it is trained once for all
/// experiments. A JSON file keeps its measurements, so it is evaluated on the test part once. Each validation stores
/// the training state, so a killed grid continues and ends with the same values.
public struct ExperimentRunner: Sendable {
    private let folder: String
    private let data: TrainingData
    private let evaluation: ExperimentEvaluation
    private let store: CheckpointStore

    /// A runner over a folder; creates the folder if it is missing.
    ///
    /// - Throws: ``ExperimentError/unusableFile(_:reason:)``, or `CheckpointError`.
    public init(folder: String, data: TrainingData, evaluation: ExperimentEvaluation) throws {
        self.folder = folder
        self.data = data
        self.evaluation = evaluation
        do {
            try FileManager.default.createDirectory(atPath: folder + "/cells", withIntermediateDirectories: true)
        } catch {
            throw ExperimentError.unusableFile(folder, reason: error.localizedDescription)
        }
        store = try CheckpointStore(path: folder + "/cells/weights.sqlite")
    }

    /// Progress of a grid.
    public enum Event: Sendable {
        /// A cell starts; `secondsLeft` estimates the rest of the grid from the cells done in this run.
        case started(ExperimentCell, number: Int, of: Int, secondsLeft: Double?)
        /// The cell trains.
        case training(TrainingEvent)
        /// The cell is trained; its evaluation starts.
        case measuring
        /// The cell is done; `isStored` when its result was already stored.
        case finished(CellResult, isStored: Bool)
    }

    /// Runs a grid.
    ///
    /// - Parameters:
    ///   - cells: The grid; results have the same order.
    ///   - measurement: The measurement of each cell's model.
    ///   - shouldStop: Called before every training step; true stores the state and returns.
    ///   - report: Receives progress.
    /// - Returns: One result for each cell, also when its training diverged; nil when `shouldStop` ended the run.
    /// - Throws: ``ExperimentError``, `CheckpointError`, or any error of a training except divergence.
    public func run(
        _ cells: [ExperimentCell],
        measuring measurement: (Recipe) -> CellMeasurement,
        shouldStop: () -> Bool = { false },
        report: (Event) -> Void = { _ in }
    ) throws -> [CellResult]? {
        let files = cells.map { file(of: $0, measurement($0.variant.recipe)) }
        var pending = Set(files.filter { !FileManager.default.fileExists(atPath: $0) })
        var (results, spent, done): ([CellResult], Double, Int) = ([], 0, 0)
        for (index, (cell, file)) in zip(cells, files).enumerated() {
            let secondsLeft = done == 0 ? nil : spent / Double(done) * Double(pending.count)
            report(.started(cell, number: index + 1, of: cells.count, secondsLeft: secondsLeft))
            if let stored = try CellResult(contentsOf: file) {
                report(.finished(stored, isStored: true))
                results.append(stored)
                continue
            }
            if shouldStop() { return nil }
            let start = ContinuousClock.now
            guard let training = try training(of: cell, shouldStop, report) else { return nil }
            report(.measuring)
            var result = training.result
            if result.divergence == nil {
                let recipe = cell.variant.recipe
                let model = try recipe.model(stored: training.weights, items: data.catalogue.count)
                result.points = try evaluation.points(of: model, measurement(recipe)) {
                    try TrainingJob(recipe: recipe, data: data, seed: cell.seed, model: recipe.system).checkpoint(
                        of: TrainingJob.Trained(
                            model: model,
                            progress: result.progress,
                            trainRows: result.trainRows
                        )
                    )
                }
            }
            try result.write(to: file)
            pending.remove(file)
            (spent, done) = (spent + (ContinuousClock.now - start) / .seconds(1), done + 1)
            report(.finished(result, isStored: false))
            results.append(result)
        }
        return results
    }

    /// Measures the merged lists of each seed's models (``Experiment/blend``).
    ///
    /// - Parameters:
    ///   - cells: The grid, which ``run(_:measuring:shouldStop:report:)`` has trained.
    ///   - lengths: The lengths of lists.
    /// - Returns: The points of each seed; none for a seed with fewer than two models that did not diverge.
    /// - Throws: `CheckpointError`, or any error of making a model.
    public func mergedLists(_ cells: [ExperimentCell], lengths: [Int]) throws -> [(
        seed: UInt64, points: [MeasuredPoint]
    )] {
        var seeds: [UInt64] = []
        for cell in cells where !seeds.contains(cell.seed) { seeds.append(cell.seed) }
        return try seeds.map { seed in
            let models = try cells.filter { $0.seed == seed }.compactMap { cell in
                try store.trainingState(model: finished(cell)).flatMap { stored in
                    stored.matrices.isEmpty
                        ? nil
                        : (
                            name: cell.variant.name,
                            model: try cell.variant.recipe.model(stored: stored.matrices, items: data.catalogue.count)
                        )
                }
            }
            return (seed, models.count > 1 ? evaluation.mergedPoints(of: models, lengths: lengths) : [])
        }
    }

    private func file(of cell: ExperimentCell, _ measurement: CellMeasurement) -> String {
        let measured = ContentDigest.hexadecimal(of: evaluation.identity(of: measurement)).prefix(16)
        return "\(folder)/cells/\(cell.key(data.fingerprint))-\(measured).json"
    }

    // MARK: Training

    /// A finished training: its result without points, and its best weights; none when it diverged.
    private struct Training {
        var result: CellResult
        var weights: [String: Matrix]
    }

    /// The name of a finished training in the store.
    private func finished(_ cell: ExperimentCell) -> String { cell.key(data.fingerprint) + " finished" }

    /// Trains the cell, or loads a finished training from the store; nil when it was stopped.
    private func training(
        of cell: ExperimentCell,
        _ shouldStop: () -> Bool,
        _ report: (Event) -> Void
    ) throws -> Training? {
        let running = cell.key(data.fingerprint)
        let finished = finished(cell)
        if let stored = try store.trainingState(model: finished) {
            let result = try JSONDecoder().decode(CellResult.self, from: Data(stored.header.json.utf8))
            return Training(result: result, weights: stored.matrices)
        }
        guard let training = try train(cell, as: running, shouldStop, report) else { return nil }
        try store.saveTrainingState(
            model: finished,
            state: TrainingState(
                TrainingState.Header(
                    recipe: cell.variant.recipe.json,
                    fingerprint: data.fingerprint,
                    seed: cell.seed,
                    step: training.result.progress.bestStep,
                    json: String(decoding: try JSONEncoder().encode(training.result), as: UTF8.self)
                ),
                matrices: training.weights
            )
        )
        try store.removeTrainingState(model: running)
        return training
    }

    private func train(
        _ cell: ExperimentCell,
        as name: String,
        _ shouldStop: () -> Bool,
        _ report: (Event) -> Void
    ) throws -> Training? {
        let job = TrainingJob(recipe: cell.trainedRecipe, data: data, seed: cell.seed, model: name)
        var result = CellResult(
            progress: TrainingProgress(),
            divergence: nil,
            trainRows: 0,
            build: Build.description
        )
        do {
            let trained = try job.train(
                store: store,
                resume: true,
                budget: TrainingBudget(steps: cell.trainedRecipe.training.maxSteps, seconds: cell.maxSeconds),
                shouldStop: shouldStop
            ) { report(.training($0)) }
            guard let trained else { return nil }
            result.progress = trained.progress
            result.trainRows = trained.trainRows
            return Training(result: result, weights: trained.model.matrices)
        } catch TrainingError.diverged(let step, let term, _) {
            if let state = try store.trainingState(model: name) {
                result.progress = try JSONDecoder().decode(TrainingProgress.self, from: Data(state.header.json.utf8))
            }
            result.divergence = "diverged at step \(step): \(term) is not finite"
            return Training(result: result, weights: [:])
        }
    }
}
