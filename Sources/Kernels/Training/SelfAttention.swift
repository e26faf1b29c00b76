import CKernels

/// Multi-head self-attention of ragged sequences (Vaswani et al., 2017), with a bias for each distance in place of
/// positions (Shaw et al., 2018; Raffel et al., 2020).
///
/// `w_pj = softmax_j(<q_p, k_j> / sqrt(d / h) + bias_{p - j})`, `o_p = sum_j w_pj v_j`, for each head. `j` runs over
/// the positions that `p` sees: itself and earlier positions if causal, otherwise its whole sequence. Only distances
/// count, so a prefix of a sequence gives the same causal rows as the whole sequence.
public enum SelfAttention {
    /// Queries, keys and values of all positions, sequence after sequence, and the bias of each distance.
    public struct Inputs: Sendable {
        /// `[P, d]`.
        public var queries: Matrix
        /// `[P, d]`.
        public var keys: Matrix
        /// `[P, d]`.
        public var values: Matrix
        /// Biases by head and falling distance: `[h, N]`, N - 1 to 0, if causal; else `[h, 2N - 1]`, N - 1 to -(N - 1).
        public var reversedBias: Matrix
        /// Whether a position sees only itself and earlier positions.
        public var isCausal: Bool

        /// The length of the longest sequence that has biases (N).
        public var longest: Int { isCausal ? reversedBias.columns : (reversedBias.columns + 1) / 2 }

        /// Groups the inputs.
        ///
        /// - Precondition: Shapes agree, and the number of heads divides the width.
        public init(queries: Matrix, keys: Matrix, values: Matrix, reversedBias: Matrix, isCausal: Bool) {
            precondition(
                queries.shape == keys.shape && keys.shape == values.shape && reversedBias.rows > 0
                    && queries.columns % reversedBias.rows == 0 && (isCausal || reversedBias.columns % 2 == 1),
                "attention: queries \(queries.shape), keys \(keys.shape), values \(values.shape), "
                    + "bias \(reversedBias.shape)"
            )
            self.queries = queries
            self.keys = keys
            self.values = values
            self.reversedBias = reversedBias
            self.isCausal = isCausal
        }
    }

    /// Computes the outputs of all positions, and the weights for the gradient.
    ///
    /// - Parameters:
    ///   - inputs: Rows of all positions.
    ///   - offsets: The start of each sequence, and the end of the last.
    /// - Returns: Outputs `[P, d]`; weights `[h, n, n]` of each sequence of n positions, one after another.
    /// - Complexity: O(d * sum of n^2).
    public static func forward(_ inputs: Inputs, offsets: [Int]) -> (output: Matrix, weights: [Float]) {
        let starts = weightStarts(inputs, offsets)
        let (heads, d, longest) = (inputs.reversedBias.rows, inputs.queries.columns, inputs.longest)
        var weights = [Float](repeating: 0, count: starts[starts.count - 1])
        var scratch = [Float](repeating: 0, count: d / heads * longest)
        let output = Matrix(rows: inputs.queries.rows, columns: d) { out in
            unsafe inputs.withPointers { q, k, v, bias in
                unsafe weights.withUnsafeMutableBufferPointer { weights in
                    guard let weights = weights.baseAddress else { return }
                    for sequence in 0..<offsets.count - 1 {
                        let (start, count) = (offsets[sequence], offsets[sequence + 1] - offsets[sequence])
                        let first = start * d
                        unsafe ck_self_attention(
                            q + first,
                            k + first,
                            v + first,
                            bias,
                            count,
                            longest,
                            inputs.isCausal ? 1 : 0,
                            d,
                            heads,
                            weights + starts[sequence],
                            out + first,
                            &scratch
                        )
                    }
                }
            }
        }
        return (output, weights)
    }

    /// Computes the gradients of the four matrices from the gradient of the output.
    public static func gradients(_ inputs: Inputs, offsets: [Int], weights: [Float], gradient: Matrix) -> Inputs {
        let starts = weightStarts(inputs, offsets)
        let (heads, d, longest) = (inputs.reversedBias.rows, inputs.queries.columns, inputs.longest)
        precondition(gradient.shape == inputs.queries.shape, "\(gradient.shape) for \(inputs.queries.shape)")
        let zero = Matrix(rows: gradient.rows, columns: d)
        var result = Inputs(
            queries: zero,
            keys: zero,
            values: zero,
            reversedBias: Matrix(rows: heads, columns: inputs.reversedBias.columns),
            isCausal: inputs.isCausal
        )
        var scratch = [Float](repeating: 0, count: (d / heads + 1) * longest)
        unsafe inputs.withPointers { q, k, v, _ in
            unsafe result.withMutablePointers { gq, gk, gv, gradBias in
                gradient.withPointer { gradient in
                    unsafe weights.withUnsafeBufferPointer { weights in
                        guard let weights = weights.baseAddress else { return }
                        for sequence in 0..<offsets.count - 1 {
                            let (start, count) = (offsets[sequence], offsets[sequence + 1] - offsets[sequence])
                            let first = start * d
                            unsafe ck_self_attention_gradient(
                                q + first,
                                k + first,
                                v + first,
                                weights + starts[sequence],
                                count,
                                longest,
                                inputs.isCausal ? 1 : 0,
                                d,
                                heads,
                                gradient + first,
                                gq + first,
                                gk + first,
                                gv + first,
                                gradBias,
                                &scratch
                            )
                        }
                    }
                }
            }
        }
        return result
    }

    /// The start of each sequence's weights, and the total number of weights.
    private static func weightStarts(_ inputs: Inputs, _ offsets: [Int]) -> [Int] {
        precondition(
            offsets.first == 0 && offsets.last == inputs.queries.rows,
            "sequences end at \(offsets.last ?? -1) of \(inputs.queries.rows) positions"
        )
        var starts = [0]
        starts.reserveCapacity(offsets.count)
        for (start, end) in zip(offsets, offsets.dropFirst()) {
            precondition(
                end - start <= inputs.longest,
                "a sequence of \(end - start) positions with biases for \(inputs.longest)"
            )
            starts.append(starts[starts.count - 1] + inputs.reversedBias.rows * (end - start) * (end - start))
        }
        return starts
    }
}

extension SelfAttention.Inputs {
    fileprivate func withPointers(
        _ body: (UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>) -> Void
    ) {
        queries.withPointer { a in
            keys.withPointer { b in
                values.withPointer { c in reversedBias.withPointer { d in unsafe body(a, b, c, d) } }
            }
        }
    }

    fileprivate mutating func withMutablePointers(
        _ body: (
            UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>,
            UnsafeMutablePointer<Float>
        ) -> Void
    ) {
        queries.withMutablePointer { a in
            keys.withMutablePointer { b in
                values.withMutablePointer { c in reversedBias.withMutablePointer { d in unsafe body(a, b, c, d) } }
            }
        }
    }
}
