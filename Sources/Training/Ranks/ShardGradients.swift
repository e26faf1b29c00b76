package import Autodiff
import Kernels

/// The gradients of one shard of a step or of several, and their loss terms.
package struct ShardGradients: Sendable {
    /// The gradients.
    package var gradients = Gradients()
    /// The loss terms; empty for no shard.
    package var terms: [(name: String, value: Float)] = []

    /// Gradients and terms.
    package init(gradients: Gradients = Gradients(), terms: [(name: String, value: Float)] = []) {
        self.gradients = gradients
        self.terms = terms
    }

    /// The sum of some shards in their order, which decides the rounding.
    package static func sum(_ shards: [ShardGradients]) -> ShardGradients {
        var sum = ShardGradients()
        for shard in shards {
            sum.gradients.add(shard.gradients)
            sum.terms =
                sum.terms.isEmpty ? shard.terms : zip(sum.terms, shard.terms).map { ($0.name, $0.value + $1.value) }
        }
        return sum
    }
}

// MARK: Messages

extension LittleEndianWriter {
    /// Adds gradients and terms.
    mutating func append(_ shard: ShardGradients) {
        append(UInt32(shard.terms.count))
        for term in shard.terms {
            append(text: term.name)
            append(term.value.bitPattern)
        }
        append(UInt32(shard.gradients.dense.count))
        for (name, matrix) in shard.gradients.dense.sorted(by: { $0.key < $1.key }) {
            append(text: name)
            append(withShape: matrix)
        }
        append(UInt32(shard.gradients.rows.count))
        for (name, parts) in shard.gradients.rows.sorted(by: { $0.key < $1.key }) {
            append(text: name)
            append(UInt32(parts.count))
            for part in parts {
                append(withShape: part.gradient)
                append(part.rows)
            }
        }
    }

    private mutating func append(withShape matrix: Matrix) {
        append(UInt64(matrix.rows))
        append(UInt64(matrix.columns))
        append(matrix)
    }
}

extension LittleEndianReader {
    /// The next gradients and terms; nil if they are not whole.
    mutating func shardGradients() -> ShardGradients? {
        var shard = ShardGradients()
        guard let terms = integer(UInt32.self) else { return nil }
        for _ in 0..<terms {
            guard let name = text(), let bits = integer(UInt32.self) else { return nil }
            shard.terms.append((name, Float(bitPattern: bits)))
        }
        guard let matrices = integer(UInt32.self) else { return nil }
        for _ in 0..<matrices {
            guard let name = text(), let matrix = matrixWithShape() else { return nil }
            shard.gradients.dense[name] = matrix
        }
        guard let tables = integer(UInt32.self) else { return nil }
        for _ in 0..<tables {
            guard let name = text(), let parts = integer(UInt32.self) else { return nil }
            shard.gradients.rows[name] = []
            for _ in 0..<parts {
                guard let gradient = matrixWithShape(), let rows = int32s(gradient.rows) else { return nil }
                shard.gradients.rows[name]?.append(RowGradient(rows: rows, gradient: gradient))
            }
        }
        return shard
    }

    private mutating func matrixWithShape() -> Matrix? {
        guard let rows = count(), let columns = count() else { return nil }
        return matrix(rows: rows, columns: columns)
    }
}
