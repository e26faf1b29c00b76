import CKernels

/// The self-attentive read-out of a history (method, equations 16 and 17), fused over its positions.
///
/// With `x_p` the item rows of a history and `z_p` their projections `x_p W1 + b1`:
/// `A = softmax_p(tanh(z_p + P_p) W2)`, `G = A X`. Values carry no position. Empty histories give zero interests.
public enum AdditiveAttention {
    /// Shapes: `items` [U, d], `projection` [U, a], `position` [N, a], `heads` [K, a] (that is, W2 transposed).
    public struct Inputs: Sendable {
        /// Item rows that histories index, `[U, d]`.
        public var items: Matrix
        /// The items' projections, `[U, a]`.
        public var projection: Matrix
        /// The projected positional table, `[N, a]`.
        public var position: Matrix
        /// One row of weights per head, `[K, a]`.
        public var heads: Matrix

        /// Groups the four tables.
        ///
        /// - Precondition: Their widths agree.
        public init(items: Matrix, projection: Matrix, position: Matrix, heads: Matrix) {
            precondition(
                items.rows == projection.rows && projection.columns == position.columns
                    && heads.columns == position.columns,
                "attention: items \(items.shape), projection \(projection.shape), position \(position.shape), "
                    + "heads \(heads.shape)"
            )
            self.items = items
            self.projection = projection
            self.position = position
            self.heads = heads
        }
    }

    /// Computes the interests of every history, and the attention weights for the gradient.
    ///
    /// - Parameters:
    ///   - inputs: The four tables.
    ///   - histories: Row numbers in `inputs.items`.
    ///   - firstPosition: The positional row of each history's oldest item; later items take the rows after it.
    /// - Returns: Interests `[B, K d]`, head after head; weights `[K, n_i]` of each history, concatenated.
    /// - Complexity: O(total length * a * (K + 1)).
    public static func forward(
        _ inputs: Inputs,
        histories: RaggedRows,
        firstPosition: [Int]
    ) -> (interests: Matrix, weights: [Float]) {
        require(inputs, histories, firstPosition)
        let (heads, width, d) = (inputs.heads.rows, inputs.heads.columns, inputs.items.columns)
        var weights = [Float](repeating: 0, count: heads * histories.ids.count)
        var scratch = [Float](repeating: 0, count: width)
        let interests = Matrix(rows: histories.count, columns: heads * d) { out in
            unsafe inputs.withPointers { items, projection, position, headRows in
                unsafe weights.withUnsafeMutableBufferPointer { weights in
                    unsafe histories.ids.withUnsafeBufferPointer { ids in
                        for row in 0..<histories.count {
                            let start = histories.offsets[row]
                            let length = histories.offsets[row + 1] - start
                            guard length > 0 else {
                                unsafe (out + row * heads * d).update(repeating: 0, count: heads * d)
                                continue
                            }
                            unsafe ck_attention(
                                items,
                                projection,
                                ids.baseAddress.unsafelyUnwrapped + start,
                                length,
                                position + firstPosition[row] * width,
                                headRows,
                                heads,
                                width,
                                d,
                                weights.baseAddress.unsafelyUnwrapped + heads * start,
                                out + row * heads * d,
                                &scratch
                            )
                        }
                    }
                }
            }
        }
        return (interests, weights)
    }

    /// Computes the gradients of the four tables from the gradient of the interests.
    ///
    /// Recomputes the hidden layer, which would take 13 MB at batch 256 and 50 positions.
    public static func gradients(
        _ inputs: Inputs,
        histories: RaggedRows,
        firstPosition: [Int],
        weights: [Float],
        gradient: Matrix
    ) -> Inputs {
        require(inputs, histories, firstPosition)
        let (heads, width, d) = (inputs.heads.rows, inputs.heads.columns, inputs.items.columns)
        var result = Inputs(
            items: Matrix(rows: inputs.items.rows, columns: d),
            projection: Matrix(rows: inputs.projection.rows, columns: width),
            position: Matrix(rows: inputs.position.rows, columns: width),
            heads: Matrix(rows: heads, columns: width)
        )
        var scratch = [Float](repeating: 0, count: width + heads * histories.longest)
        unsafe inputs.withPointers { items, projection, position, headRows in
            unsafe result.withMutablePointers { gradItems, gradProjection, gradPosition, gradHeads in
                gradient.withPointer { gradient in
                    for row in 0..<histories.count {
                        let start = histories.offsets[row]
                        let length = histories.offsets[row + 1] - start
                        guard length > 0 else { continue }
                        unsafe histories.ids.withUnsafeBufferPointer { ids in
                            unsafe weights.withUnsafeBufferPointer { weights in
                                unsafe ck_attention_gradient(
                                    items,
                                    projection,
                                    ids.baseAddress.unsafelyUnwrapped + start,
                                    length,
                                    position + firstPosition[row] * width,
                                    headRows,
                                    heads,
                                    width,
                                    d,
                                    weights.baseAddress.unsafelyUnwrapped + heads * start,
                                    gradient + row * heads * d,
                                    gradItems,
                                    gradProjection,
                                    gradPosition + firstPosition[row] * width,
                                    gradHeads,
                                    &scratch
                                )
                            }
                        }
                    }
                }
            }
        }
        return result
    }

    private static func require(_ inputs: Inputs, _ histories: RaggedRows, _ firstPosition: [Int]) {
        precondition(firstPosition.count == histories.count, "\(firstPosition.count) starts, \(histories.count) rows")
        for (row, first) in firstPosition.enumerated() {
            let end = first + histories.offsets[row + 1] - histories.offsets[row]
            precondition(
                first >= 0 && end <= inputs.position.rows,
                "history \(row) needs positions \(first)..<\(end) of \(inputs.position.rows)"
            )
        }
        for id in histories.ids {
            precondition(id >= 0 && Int(id) < inputs.items.rows, "item row \(id) of \(inputs.items.rows)")
        }
    }
}

extension AdditiveAttention.Inputs {
    fileprivate func withPointers(
        _ body: (UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>) -> Void
    ) {
        items.withPointer { a in
            projection.withPointer { b in
                position.withPointer { c in heads.withPointer { d in unsafe body(a, b, c, d) } }
            }
        }
    }

    fileprivate mutating func withMutablePointers(
        _ body: (
            UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>,
            UnsafeMutablePointer<Float>
        ) -> Void
    ) {
        items.withMutablePointer { a in
            projection.withMutablePointer { b in
                position.withMutablePointer { c in heads.withMutablePointer { d in unsafe body(a, b, c, d) } }
            }
        }
    }
}
