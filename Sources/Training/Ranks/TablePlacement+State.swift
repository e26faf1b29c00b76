import CheckpointStore
import Kernels
import Recommenders

// A saved state has whole matrices, whatever the placement and the number of ranks. Rank 0 alone reads and writes the
// store; the rows of divided tables pass through its memory in blocks.

extension TablePlacement {
    /// Calls `body` on rank 0 with matrices to save; all ranks call it.
    ///
    /// - Parameters:
    ///   - own: This rank's matrices.
    ///   - isDivided: Whether ranks have only rows of the matrix of a name.
    ///   - body: Receives the whole matrices, and sources of the others, which read rows from all ranks until it returns.
    /// - Throws: The errors of `body`, and ``CommunicationError``.
    func collecting(
        _ own: [String: Matrix],
        where isDivided: @escaping (String) -> Bool,
        _ body: ([String: Matrix], [String: RowSource]) throws -> Void
    ) throws {
        let parts = own.filter { isDivided($0.key) }
        guard !parts.isEmpty else { return try body(own, [:]) }
        guard ranks.isFirst else {
            while let request: RowRequest = try ranks.decided({ nil }) {
                guard let part = parts[request.name] else { throw CommunicationError.unreadable(rank: 0) }
                _ = try rows(request.lower..<request.upper, of: part)
            }
            return
        }
        let result = Result {
            try body(
                own.filter { !isDivided($0.key) },
                Dictionary(uniqueKeysWithValues: parts.map { name, part in (name, source(of: part, named: name)) })
            )
        }
        let end: RowRequest? = try ranks.decided { nil }
        precondition(end == nil)
        try result.get()
    }

    /// The rows of all ranks of a matrix, of which rank 0 has a part.
    private func source(of part: Matrix, named name: String) -> RowSource {
        RowSource(rows: items, columns: part.columns) { range in
            let request = RowRequest(name: name, lower: range.lowerBound, upper: range.upperBound)
            _ = try ranks.decided { RowRequest?.some(request) }
            guard let rows = try rows(range, of: part) else { throw CommunicationError.unreadable(rank: 0) }
            return rows
        }
    }

    /// The state that rank 0 continues from, on every rank with its own rows; all ranks call it.
    ///
    /// - Parameters:
    ///   - isDivided: Whether ranks keep only rows of the matrix of a name.
    ///   - read: Reads the stored state, nil if there is none; called on rank 0 alone.
    /// - Returns: The state; nil if there is none.
    /// - Throws: The errors of `read`, and ``CommunicationError``.
    func state(
        where isDivided: @escaping (String) -> Bool,
        _ read: ((StoredTrainingState) throws -> TrainingState) throws -> TrainingState?
    ) throws -> TrainingState? {
        guard ranks.isFirst else {
            guard let header: SharedHeader = try ranks.decided({ nil }) else { return nil }
            return TrainingState(header.header, matrices: try matrices(header.shapes, nil, where: isDivided))
        }
        let state = try read { stored in
            _ = try ranks.decided { SharedHeader?.some(SharedHeader(header: stored.header, shapes: stored.shapes)) }
            return TrainingState(stored.header, matrices: try matrices(stored.shapes, stored, where: isDivided))
        }
        if state == nil { _ = try ranks.decided { SharedHeader?.none } }
        return state
    }

    /// This rank's matrices of a state, which rank 0 reads.
    private func matrices(
        _ shapes: [StoredTrainingState.Shape],
        _ stored: StoredTrainingState?,
        where isDivided: @escaping (String) -> Bool
    ) throws -> [String: Matrix] {
        var matrices: [String: Matrix] = [:]
        for shape in shapes {
            matrices[shape.name] =
                isDivided(shape.name)
                ? try ownRows(of: shape, stored) : try sharedMatrix(shape, stored?.matrix(shape.name))
        }
        return matrices
    }

    /// A whole matrix of rank 0, on every rank.
    private func sharedMatrix(_ shape: StoredTrainingState.Shape, _ matrix: Matrix?) throws -> Matrix {
        if let matrix, ranks.count == 1 { return matrix }
        let own = matrix.map { $0.littleEndianBytes(ofElements: 0..<$0.count) }
        let bytes = try ranks.communicator.broadcast(own ?? [])
        var reader = LittleEndianReader(bytes)
        guard let matrix = matrix ?? reader.matrix(rows: shape.rows, columns: shape.columns) else {
            throw CommunicationError.unreadable(rank: 0)
        }
        return matrix
    }

    /// This rank's rows of a matrix that rank 0 reads block by block.
    private func ownRows(of shape: StoredTrainingState.Shape, _ stored: StoredTrainingState?) throws -> Matrix {
        let (blocks, count) = (ItemSpace.blocks(of: shape.rows), ranks.count)
        var elements: [Float] = []
        elements.reserveCapacity(share.places(of: 0..<shape.rows).count * shape.columns)
        func receive(_ messages: [[UInt8]]) throws {
            let bytes = try ranks.allToAll(messages, for: .state)[0]
            var reader = LittleEndianReader(bytes)
            elements += reader.floats(bytes.count / 4) ?? []
        }
        if let stored {
            var start = 0
            try stored.eachRows(of: shape.name, in: blocks) { rows in
                try receive(
                    (0..<count).map { owner in
                        let part = RowShare(first: owner, of: count).taken(from: rows, at: start)
                        return part.littleEndianBytes(ofElements: 0..<part.count)
                    }
                )
                start += rows.rows
            }
        } else {
            for _ in blocks { try receive([[UInt8]](repeating: [], count: count)) }
        }
        let rows = share.places(of: 0..<shape.rows).count
        guard elements.count == rows * shape.columns else { throw CommunicationError.unreadable(rank: 0) }
        return Matrix(rows: rows, columns: shape.columns, elements: elements)
    }
}

/// A request of rank 0 for rows of the others, while it saves.
private struct RowRequest: Codable {
    var name: String
    var lower: Int
    var upper: Int
}

/// The facts about a stored state that every rank must know before it gets the matrices.
private struct SharedHeader: Codable {
    var header: TrainingState.Header
    var shapes: [StoredTrainingState.Shape]
}
