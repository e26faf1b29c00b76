import CKernels

/// Softmax cross-entropy of one positive against a row of negatives, and the products that feed it.
public enum SoftmaxCrossEntropy {
    /// Replaces the logits of negatives by probabilities, row by row.
    ///
    /// `loss_r = -log( exp(positive_r) / (exp(positive_r) + sum_j exp(logits_rj)) )`, shifted by the row's maximum.
    ///
    /// - Parameters:
    ///   - logits: Negatives' logits `[R, M]`; on return their softmax probabilities.
    ///   - positives: The positives' logits, R values.
    ///   - masked: For each row the columns to ignore, or nil.
    /// - Returns: R losses in nats, and the positives' probabilities.
    public static func apply(
        logits: inout Matrix,
        positives: [Float],
        masked: RaggedRows?
    ) -> (losses: [Float], probabilities: [Float]) {
        let (rows, columns) = (logits.rows, logits.columns)
        precondition(positives.count == rows, "\(positives.count) positives for logits \(logits.shape)")
        precondition(masked.map { $0.count == rows } ?? true, "\(masked?.count ?? 0) masks for \(rows) rows")
        var losses = [Float](repeating: 0, count: rows)
        var probabilities = [Float](repeating: 0, count: rows)
        logits.withMutablePointer { base in
            for row in 0..<rows {
                let line = unsafe base + row * columns
                if let masked {
                    for column in masked[row] {
                        precondition(column >= 0 && Int(column) < columns, "masked column \(column) of \(columns)")
                        unsafe line[Int(column)] = -1e9
                    }
                }
                losses[row] = unsafe ck_cross_entropy(line, columns, positives[row], &probabilities[row])
            }
        }
        return (losses, probabilities)
    }
}

extension Matrix {
    /// `<self[i], other[i]>` for every row, as a column `[rows, 1]`.
    public func rowDots(_ other: Matrix) -> Matrix {
        requireShape(other, in: "row dots")
        return Matrix(rows: rows, columns: 1) { out in
            withPointer { a in other.withPointer { unsafe ck_row_dots(a, $0, rows, columns, out) } }
        }
    }

    /// `out[i, j] = <self[i], blocks[i * n + j]>`: every row against its own `n` rows of `blocks`.
    public func blockScores(_ blocks: Matrix) -> Matrix {
        let n = rows == 0 ? 0 : blocks.rows / rows
        precondition(blocks.columns == columns && blocks.rows == rows * n, "blocks \(blocks.shape) for \(shape)")
        return Matrix(rows: rows, columns: n) { out in
            withPointer { q in blocks.withPointer { unsafe ck_block_scores(q, $0, rows, n, columns, out) } }
        }
    }

    /// The gradients of ``blockScores(_:)`` with respect to the rows and their blocks.
    public func blockScoresGradients(_ blocks: Matrix, gradient: Matrix) -> (rows: Matrix, blocks: Matrix) {
        precondition(
            gradient.rows == rows && blocks.rows == rows * gradient.columns && blocks.columns == columns,
            "block gradient \(gradient.shape) for \(shape) and \(blocks.shape)"
        )
        var gradRows = Matrix(rows: rows, columns: columns)
        var gradBlocks = Matrix(rows: blocks.rows, columns: columns)
        gradRows.withMutablePointer { gq in
            gradBlocks.withMutablePointer { gb in
                withPointer { q in
                    blocks.withPointer { b in
                        gradient.withPointer {
                            unsafe ck_block_scores_gradient(q, b, $0, rows, gradient.columns, columns, gq, gb)
                        }
                    }
                }
            }
        }
        return (gradRows, gradBlocks)
    }
}
