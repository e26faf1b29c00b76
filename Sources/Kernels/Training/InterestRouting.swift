import CKernels

/// Routing by agreement from the items of a history to K interests.
///
/// Sabour, Frosst and Hinton, NeurIPS 2017, as used by MIND and ComiRec-DR; method, section 3.4. Item `p` votes
/// `u_pk` for interest `k`. Its share for that interest is `w_pk`: a softmax of logits over the **interests**. The
/// logits start at given values, which are 0 where interests vote differently. Each of three rounds computes
/// `z_k = sum_p w_pk u_pk` and `v_k = squash(z_k)`. The first two rounds add `<u_pk, v_k>` to the logits. The interests
/// are the `v_k` of the last round.
public enum InterestRouting {
    /// Computes the shares of the last round.
    ///
    /// The gradient treats them as constants.
    ///
    /// - Parameters:
    ///   - votes: `[P, K d]`, one row per item of a history.
    ///   - histories: Row numbers in `votes`, at most N per history.
    ///   - logits: The initial logits by interest and position, `[K, N]`; the newest item has the last position.
    /// - Returns: `[K, n_i]` of each history, concatenated.
    /// - Complexity: O(total length * K * d).
    public static func weights(of votes: Matrix, histories: RaggedRows, logits: Matrix) -> [Float] {
        let interests = logits.rows
        votes.requireBlocks(histories, interests: interests)
        precondition(
            histories.longest <= logits.columns,
            "a history of \(histories.longest) items for logits \(logits.shape)"
        )
        let d = votes.columns / interests
        var weights = [Float](repeating: 0, count: interests * histories.ids.count)
        var scratch = [Float](repeating: 0, count: (interests + 2) * histories.longest + d)
        votes.withPointer { votes in
            logits.withPointer { logitRows in
                unsafe weights.withUnsafeMutableBufferPointer { weights in
                    unsafe histories.ids.withUnsafeBufferPointer { ids in
                        guard let weights = weights.baseAddress, let ids = ids.baseAddress else { return }
                        for row in 0..<histories.count {
                            let (start, end) = (histories.offsets[row], histories.offsets[row + 1])
                            unsafe ck_routing_weights(
                                votes,
                                ids + start,
                                end - start,
                                interests,
                                d,
                                logitRows + (logits.columns - (end - start)),
                                logits.columns,
                                weights + interests * start,
                                &scratch
                            )
                        }
                    }
                }
            }
        }
        return weights
    }
}

extension Matrix {
    /// Computes weighted sums over histories, one per block of columns.
    ///
    /// - Parameters:
    ///   - weights: `[K, n_i]` of each history, concatenated.
    ///   - histories: Row numbers in this matrix, `[., K d]`.
    ///   - interests: K.
    /// - Returns: `[B, K d]` with `sum_p weights_kp row_p[k d ..< (k + 1) d]` in block k; zero for an empty history.
    public func weightedSums(_ weights: [Float], histories: RaggedRows, interests: Int) -> Matrix {
        requireBlocks(histories, interests: interests, weights: weights)
        guard !histories.ids.isEmpty else { return Matrix(rows: histories.count, columns: columns) }
        return Matrix(rows: histories.count, columns: columns) { out in
            withPointer { rows in
                unsafe forEach(histories, interests, weights) { row, ids, count, weights in
                    let own = unsafe out + row * columns
                    unsafe ck_weighted_sums(rows, ids, count, interests, columns / interests, weights, own)
                }
            }
        }
    }

    /// Adds the gradient of `weightedSums` with respect to its rows, from the gradient of the sums.
    public mutating func addWeightedSumsGradient(
        _ gradient: Matrix,
        weights: [Float],
        histories: RaggedRows,
        interests: Int
    ) {
        requireBlocks(histories, interests: interests, weights: weights)
        precondition(
            gradient.shape == [histories.count, columns],
            "\(gradient.shape) for \(histories.count) histories"
        )
        let columns = columns
        withMutablePointer { rows in
            gradient.withPointer { gradient in
                unsafe forEach(histories, interests, weights) { row, ids, count, weights in
                    let own = unsafe gradient + row * columns
                    unsafe ck_weighted_sums_gradient(ids, count, interests, columns / interests, weights, own, rows)
                }
            }
        }
    }

    /// Multiplies each row by `s / (1 + s) / sqrt(s + 1e-9)`, where `s` is its squared length: the result is shorter
    /// than 1.
    public func squashedRows() -> Matrix {
        Matrix(rows: rows, columns: columns) { out in withPointer { unsafe ck_squash_rows($0, out, rows, columns) } }
    }

    /// Adds the gradient of `squashedRows`.
    public mutating func addSquashedRowsGradient(input: Matrix, gradient: Matrix) {
        requireShape(input, gradient, in: "squash gradient")
        let (rows, columns) = (rows, columns)
        withMutablePointer { out in
            input.withPointer { x in
                gradient.withPointer { unsafe ck_squash_rows_gradient(x, $0, out, rows, columns) }
            }
        }
    }

    fileprivate func requireBlocks(_ histories: RaggedRows, interests: Int, weights: [Float]? = nil) {
        precondition(interests >= 1 && columns % interests == 0, "\(columns) columns in \(interests) blocks")
        let expected = interests * histories.ids.count
        precondition(
            weights.map { $0.count == expected } ?? true,
            "\(weights?.count ?? 0) weights of \(interests) interests and \(histories.ids.count) items"
        )
        for id in histories.ids { precondition(id >= 0 && Int(id) < rows, "row \(id) of \(rows)") }
    }
}

/// Calls `body` with each history's ids and weights.
private func forEach(
    _ histories: RaggedRows,
    _ interests: Int,
    _ weights: [Float],
    _ body: (_ row: Int, UnsafePointer<Int32>, _ count: Int, UnsafePointer<Float>) -> Void
) {
    unsafe weights.withUnsafeBufferPointer { weights in
        unsafe histories.ids.withUnsafeBufferPointer { ids in
            for row in 0..<histories.count {
                let (start, end) = (histories.offsets[row], histories.offsets[row + 1])
                let own = unsafe (weights.baseAddress ?? emptyPointer) + interests * start
                guard let first = ids.baseAddress else { continue }
                unsafe body(row, first + start, end - start, own)
            }
        }
    }
}
