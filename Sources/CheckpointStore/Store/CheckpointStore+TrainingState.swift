import Foundation
import GRDB
public import Kernels

/// The state of a stopped training run, complete enough to resume with the same result.
public struct TrainingState: Sendable, Equatable {
    /// The complete recipe, as JSON text.
    public var recipe: String
    /// The training data.
    public var fingerprint: DataFingerprint
    /// The seed that training started from.
    public var seed: UInt64
    /// How many steps are done.
    public var step: Int
    /// Further state of the trainer, as JSON text.
    public var json: String
    /// Parameters, optimizer moments and the best weights so far, by the trainer's names.
    public var matrices: [String: Matrix]

    /// Groups the parts of a state.
    public init(
        recipe: String,
        fingerprint: DataFingerprint,
        seed: UInt64,
        step: Int,
        json: String,
        matrices: [String: Matrix]
    ) {
        self.recipe = recipe
        self.fingerprint = fingerprint
        self.seed = seed
        self.step = step
        self.json = json
        self.matrices = matrices
    }
}

extension CheckpointStore {
    /// Stores a model's training state and replaces the earlier one, in one transaction.
    public func saveTrainingState(model: String, state: TrainingState) throws(CheckpointError) {
        try requireName(model)
        try write { db in
            let former = try trainingBundle(of: model, in: db)
            let header = TrainingHeader(
                model: model,
                recipe: state.recipe,
                fingerprint: state.fingerprint,
                seed: state.seed,
                step: state.step,
                json: state.json
            )
            let bundle = try Bundle.insert(
                kind: .trainingState,
                header: encoded(header),
                blobs: state.matrices.mapValues(BlobContent.matrix),
                chunkBytes: chunkBytes,
                into: db
            )
            try db.execute(
                sql: """
                    INSERT INTO training_state (model, bundle) VALUES (?, ?)
                    ON CONFLICT (model) DO UPDATE SET bundle = excluded.bundle
                    """,
                arguments: [model, bundle]
            )
            if let former { try Bundle.delete(former, from: db) }
        }
    }

    /// A model's training state, verified against its digests, or nil when none is stored.
    public func trainingState(model: String) throws(CheckpointError) -> TrainingState? {
        try read { db in
            guard let id = try trainingBundle(of: model, in: db) else { return nil }
            let location = "training state of '\(model)'"
            let bundle = try Bundle(id: id, kind: .trainingState, location: location, from: db)
            let header = try JSONDecoder().decode(TrainingHeader.self, from: bundle.header)
            guard header.model == model else {
                throw CheckpointError.corrupted(what: "it belongs to '\(header.model)'", location: location)
            }
            var matrices: [String: Matrix] = [:]
            for name in bundle.names { matrices[name] = try bundle.matrix(name, from: db) }
            return TrainingState(
                recipe: header.recipe,
                fingerprint: header.fingerprint,
                seed: header.seed,
                step: header.step,
                json: header.json,
                matrices: matrices
            )
        }
    }

    /// Removes a model's training state, if there is one.
    public func removeTrainingState(model: String) throws(CheckpointError) {
        try write { db in
            guard let id = try trainingBundle(of: model, in: db) else { return }
            try db.execute(sql: "DELETE FROM training_state WHERE model = ?", arguments: [model])
            try Bundle.delete(id, from: db)
        }
    }

    private func trainingBundle(of model: String, in db: Database) throws -> Int? {
        try Row.fetchOne(db, sql: "SELECT bundle FROM training_state WHERE model = ?", arguments: [model])?
            .integer(0, "bundle of training state")
    }
}

/// A state without its matrices, as it is stored.
private struct TrainingHeader: Codable {
    var model: String
    var recipe: String
    var fingerprint: DataFingerprint
    var seed: UInt64
    var step: Int
    var json: String
}
