import Foundation
import GRDB
public import Kernels

/// The state of a stopped training run, complete enough to resume with the same result.
public struct TrainingState: Sendable, Equatable {
    /// Everything but the matrices.
    public var header: Header
    /// Parameters, optimizer moments and the best weights so far, by the trainer's names.
    public var matrices: [String: Matrix]

    /// Groups the parts of a state.
    public init(_ header: Header, matrices: [String: Matrix]) {
        self.header = header
        self.matrices = matrices
    }

    /// A state without its matrices.
    public struct Header: Sendable, Equatable, Codable {
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

        /// Groups the parts of a header.
        public init(recipe: String, fingerprint: DataFingerprint, seed: UInt64, step: Int, json: String) {
            self.recipe = recipe
            self.fingerprint = fingerprint
            self.seed = seed
            self.step = step
            self.json = json
        }
    }
}

/// A matrix that the store gets some rows at a time, so that it need not be whole in memory.
public struct RowSource: Sendable {
    let rows: Int
    let columns: Int
    let read: @Sendable (Range<Int>) throws -> Matrix

    /// A matrix of a shape.
    ///
    /// - Parameters:
    ///   - rows: Its number of rows.
    ///   - columns: Its number of columns.
    ///   - read: Gives some consecutive rows; the store asks for ranges in ascending order, which may share a row.
    public init(rows: Int, columns: Int, read: @escaping @Sendable (Range<Int>) throws -> Matrix) {
        (self.rows, self.columns, self.read) = (rows, columns, read)
    }
}

/// A stored state while it is read, with its matrices still in the store.
public struct StoredTrainingState {
    /// Everything but the matrices.
    public let header: TrainingState.Header
    /// The names and shapes of the matrices, sorted by name.
    public let shapes: [Shape]
    private let bundle: Bundle
    private let db: Database

    /// The name and the shape of a matrix.
    public struct Shape: Codable, Sendable {
        /// The trainer's name of the matrix.
        public let name: String
        /// Its number of rows.
        public let rows: Int
        /// Its number of columns.
        public let columns: Int
    }

    fileprivate init(_ bundle: Bundle, _ header: TrainingState.Header, _ db: Database) {
        (self.header, self.bundle, self.db) = (header, bundle, db)
        shapes = bundle.shapes.map { Shape(name: $0.name, rows: $0.rows, columns: $0.columns) }
    }

    /// One matrix, verified against its digest.
    public func matrix(_ name: String) throws -> Matrix { try bundle.matrix(name, from: db) }

    /// Reads one matrix some rows at a time.
    ///
    /// - Parameters:
    ///   - name: The name of the matrix.
    ///   - ranges: Consecutive ranges that cover its rows.
    ///   - body: Receives the rows of each range in order; they are verified against the digest at the end.
    /// - Throws: ``CheckpointError``, and the errors of `body`.
    public func eachRows(of name: String, in ranges: [Range<Int>], _ body: (Matrix) throws -> Void) throws {
        try bundle.eachRows(of: name, in: ranges, from: db, body)
    }
}

extension CheckpointStore {
    /// Stores a model's training state and replaces the earlier one, in one transaction.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - state: The state.
    ///   - sources: Further matrices, which are read while they are written.
    /// - Throws: ``CheckpointError``, also for an error of a source.
    public func saveTrainingState(
        model: String,
        state: TrainingState,
        with sources: [String: RowSource] = [:]
    ) throws(CheckpointError) {
        try requireName(model)
        try write { db in
            let former = try trainingBundle(of: model, in: db)
            let bundle = try Bundle.insert(
                kind: .trainingState,
                header: encoded(StoredHeader(model: model, header: state.header)),
                blobs: state.matrices.mapValues(BlobContent.matrix)
                    .merging(sources.mapValues(BlobContent.rows)) { $1 },
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
        try readTrainingState(model: model) { stored in
            var matrices: [String: Matrix] = [:]
            for shape in stored.shapes { matrices[shape.name] = try stored.matrix(shape.name) }
            return TrainingState(stored.header, matrices: matrices)
        }
    }

    /// Reads a model's training state matrix by matrix.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - body: Receives the state, which is readable until the call returns.
    /// - Returns: The result of `body`; nil when no state is stored.
    /// - Throws: ``CheckpointError``, also for an error of `body`.
    public func readTrainingState<Value>(
        model: String,
        _ body: (StoredTrainingState) throws -> Value
    ) throws(CheckpointError) -> Value? {
        try read { db in
            guard let id = try trainingBundle(of: model, in: db) else { return nil }
            let location = "training state of '\(model)'"
            let bundle = try Bundle(id: id, kind: .trainingState, location: location, from: db)
            let stored = try JSONDecoder().decode(StoredHeader.self, from: bundle.header)
            guard stored.model == model else {
                throw CheckpointError.corrupted(what: "it belongs to '\(stored.model)'", location: location)
            }
            return try body(StoredTrainingState(bundle, stored.header, db))
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

/// The header of a state as it is stored: with the model that it belongs to.
private struct StoredHeader: Codable {
    var model: String
    var header: TrainingState.Header

    private enum CodingKeys: CodingKey {
        case model
    }

    init(model: String, header: TrainingState.Header) { (self.model, self.header) = (model, header) }

    init(from decoder: any Decoder) throws {
        model = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .model)
        header = try TrainingState.Header(from: decoder)
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(model, forKey: .model)
        try header.encode(to: encoder)
    }
}
