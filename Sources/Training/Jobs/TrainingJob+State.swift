import CheckpointStore
import Foundation
import Recommenders

// The state from which a stopped training goes on.

extension TrainingJob {
    /// Stores a trainer's state; other ranks than 0 have no store.
    func save<Model>(_ state: Trainer<Model>.State, in store: CheckpointStore?) throws {
        let header = TrainingState.Header(
            recipe: recipe.json,
            fingerprint: data.fingerprint,
            seed: seed,
            step: state.progress.step,
            json: String(decoding: try JSONEncoder().encode(state.progress), as: UTF8.self)
        )
        try store?.saveTrainingState(
            model: modelName,
            state: TrainingState(header, matrices: state.matrices),
            with: state.sources
        )
    }

    /// Lets a trainer continue from a stored state.
    ///
    /// - Throws: ``TrainingError`` if the state is damaged, or of another recipe, data, seed or parent.
    func restore<Model>(_ trainer: inout Trainer<Model>, _ stored: TrainingState) throws {
        let header = stored.header
        guard header.recipe == recipe.json else { throw TrainingError.stateMismatch("the recipe") }
        guard header.fingerprint == data.fingerprint else { throw TrainingError.stateMismatch("the data") }
        guard header.seed == seed else { throw TrainingError.stateMismatch("the seed (it was \(header.seed))") }
        let progress: TrainingProgress
        do {
            progress = try JSONDecoder().decode(TrainingProgress.self, from: Data(header.json.utf8))
        } catch {
            throw TrainingError.unusableState("its progress does not decode (\(error))")
        }
        guard progress.origin == origin else {
            if let was = progress.origin, let origin, (was.model, was.version) == (origin.model, origin.version) {
                throw TrainingError.stateMismatch("the events that validate it")
            }
            let was = progress.origin.map { "version \($0.version) of '\($0.model)'" } ?? "no version"
            throw TrainingError.stateMismatch("the version to continue from (it was \(was))")
        }
        try trainer.restore(Trainer<Model>.State(progress: progress, matrices: stored.matrices))
    }
}
