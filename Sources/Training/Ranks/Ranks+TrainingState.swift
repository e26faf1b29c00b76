import CheckpointStore
import Foundation
import Kernels

extension Ranks {
    /// The state that rank 0 continues from, on every rank; only rank 0 reads it.
    func shared(_ read: () throws -> TrainingState?) throws -> TrainingState? {
        guard count > 1 else { return try read() }
        let own = isFirst ? try read() : nil
        guard let header = try decided({ own.map(StateHeader.init) }) else { return nil }
        var matrices: [String: Matrix] = [:]
        for shape in header.shapes {
            let matrix = own?.matrices[shape.name]
            let bytes = try communicator.broadcast(matrix?.littleEndianBytes(ofElements: 0..<shape.count) ?? [])
            var reader = LittleEndianReader(bytes)
            matrices[shape.name] = matrix ?? reader.matrix(rows: shape.rows, columns: shape.columns)
            guard matrices[shape.name] != nil else { throw CommunicationError.unreadable(rank: 0) }
        }
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

/// A state without the elements of its matrices.
private struct StateHeader: Codable {
    var recipe: String
    var fingerprint: DataFingerprint
    var seed: UInt64
    var step: Int
    var json: String
    var shapes: [Shape]

    struct Shape: Codable {
        var name: String
        var rows: Int
        var columns: Int
        var count: Int { rows * columns }
    }

    init(_ state: TrainingState) {
        (recipe, fingerprint, seed) = (state.recipe, state.fingerprint, state.seed)
        (step, json) = (state.step, state.json)
        shapes = state.matrices.sorted { $0.key < $1.key }.map { name, matrix in
            Shape(name: name, rows: matrix.rows, columns: matrix.columns)
        }
    }
}
