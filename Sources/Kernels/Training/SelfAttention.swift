import CKernels

/// Multi-head self-attention of ragged sequences (Vaswani et al., 2017), with a bias for each distance in place of
/// positions (Shaw et al., 2018; Raffel et al., 2020).
///
/// `w_pj = softmax_j(<q_p, k_j> / sqrt(d / h) + bias_{p - j})`, `o_p = sum_j w_pj v_j`, for each head. `j` runs over
/// the positions that `p` sees: itself and earlier positions if causal, otherwise its whole sequence. Only distances
/// count, so a prefix of a sequence gives the same causal rows as the whole sequence.
///
/// Pointwise attention (HSTU; Zhai et al., ICML 2024) has `w_pj = silu(logit_pj) / n_p` instead, with `n_p` the number
/// of positions that `p` sees: a weight does not depend on the others, so the sums keep how strong a taste is.
public enum SelfAttention {
    /// How logits become weights.
    public enum Weighting: Sendable {
        /// By a softmax over the positions seen.
        case softmax
        /// Each by itself, as `silu(logit) / n`.
        case pointwise
    }

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
        /// How logits become weights.
        public var weighting: Weighting

        /// The length of the longest sequence that has biases (N).
        public var longest: Int { isCausal ? reversedBias.columns : (reversedBias.columns + 1) / 2 }

        /// Groups the inputs.
        ///
        /// - Precondition: Shapes agree, and the number of heads divides the width.
        public init(
            queries: Matrix,
            keys: Matrix,
            values: Matrix,
            reversedBias: Matrix,
            isCausal: Bool,
            weighting: Weighting = .softmax
        ) {
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
            self.weighting = weighting
        }
    }

    /// The values of a forward pass that the gradient needs.
    public struct Trace: Sendable {
        /// `[P, d]`.
        var output: Matrix
        /// The largest logit of each head and position, `[h, P]`.
        var largest: Matrix
        /// The sum over the positions seen of `exp(logit - largest)`, `[h, P]`.
        var sums: Matrix
    }

    /// Computes the outputs of all positions, and the trace for the gradient.
    ///
    /// - Parameters:
    ///   - inputs: Rows of all positions.
    ///   - offsets: The start of each sequence, and the end of the last.
    /// - Returns: Outputs `[P, d]`, and the trace.
    /// - Complexity: O(d * sum of n^2) time; the n^2 weights of a sequence are never stored.
    public static func forward(_ inputs: Inputs, offsets: [Int]) -> (output: Matrix, trace: Trace) {
        forward(inputs, offsets: offsets, level: .wide)
    }

    /// Computes the gradients of the four matrices from the gradient of the output.
    public static func gradients(_ inputs: Inputs, offsets: [Int], trace: Trace, gradient: Matrix) -> Inputs {
        gradients(inputs, offsets: offsets, trace: trace, gradient: gradient, level: .wide)
    }

    /// The outputs by the kernels of one CPU level.
    package static func forward(
        _ inputs: Inputs,
        offsets: [Int],
        level: TileLevel
    ) -> (output: Matrix, trace: Trace) {
        require(offsets, for: inputs)
        let (rows, d, heads) = (inputs.queries.rows, inputs.queries.columns, inputs.reversedBias.rows)
        var trace = Trace(
            output: Matrix(rows: rows, columns: d) { _ in },
            largest: Matrix(rows: heads, columns: rows) { _ in },
            sums: Matrix(rows: heads, columns: rows) { _ in }
        )
        inputs.withSequences(offsets) { sequences, scratch in
            unsafe inputs.withPointers { q, k, v, bias in
                trace.output.withMutablePointer { out in
                    trace.largest.withMutablePointer { largest in
                        trace.sums.withMutablePointer { sums in
                            unsafe ck_self_attention(
                                sequences,
                                q,
                                k,
                                v,
                                bias,
                                largest,
                                sums,
                                out,
                                scratch,
                                level.rawValue
                            )
                        }
                    }
                }
            }
        }
        return (trace.output, trace)
    }

    /// The gradients by the kernels of one CPU level.
    package static func gradients(
        _ inputs: Inputs,
        offsets: [Int],
        trace: Trace,
        gradient: Matrix,
        level: TileLevel
    ) -> Inputs {
        require(offsets, for: inputs)
        precondition(gradient.shape == inputs.queries.shape, "\(gradient.shape) for \(inputs.queries.shape)")
        func empty(like other: Matrix) -> Matrix { Matrix(rows: other.rows, columns: other.columns) { _ in } }
        var result = Inputs(
            queries: empty(like: gradient),
            keys: empty(like: gradient),
            values: empty(like: gradient),
            reversedBias: empty(like: inputs.reversedBias),
            isCausal: inputs.isCausal,
            weighting: inputs.weighting
        )
        inputs.withSequences(offsets) { sequences, scratch in
            unsafe inputs.withPointers { q, k, v, bias in
                unsafe result.withMutablePointers { gradQ, gradK, gradV, gradBias in
                    trace.output.withPointer { out in
                        trace.largest.withPointer { largest in
                            trace.sums.withPointer { sums in
                                gradient.withPointer { gradient in
                                    unsafe ck_self_attention_gradient(
                                        sequences,
                                        q,
                                        k,
                                        v,
                                        bias,
                                        largest,
                                        sums,
                                        out,
                                        gradient,
                                        gradQ,
                                        gradK,
                                        gradV,
                                        gradBias,
                                        scratch,
                                        level.rawValue
                                    )
                                }
                            }
                        }
                    }
                }
            }
        }
        return result
    }

    private static func require(_ offsets: [Int], for inputs: Inputs) {
        precondition(
            offsets.first == 0 && offsets.last == inputs.queries.rows,
            "sequences end at \(offsets.last ?? -1) of \(inputs.queries.rows) positions"
        )
        for (start, end) in zip(offsets, offsets.dropFirst()) {
            precondition(
                start <= end && end - start <= inputs.longest,
                "a sequence of \(end - start) positions with biases for \(inputs.longest)"
            )
        }
    }
}

extension SelfAttention.Inputs {
    /// The sequences as kernels take them, and scratch memory.
    @safe fileprivate func withSequences(
        _ offsets: [Int],
        _ body: (UnsafePointer<ck_sequences>, UnsafeMutablePointer<Float>) -> Void
    ) {
        unsafe offsets.withUnsafeBufferPointer { offsets in
            var sequences = unsafe ck_sequences(
                offsets: offsets.baseAddress,
                count: offsets.count - 1,
                longest: longest,
                d: queries.columns,
                heads: reversedBias.rows,
                causal: isCausal ? 1 : 0,
                pointwise: weighting == .pointwise ? 1 : 0
            )
            let scratch = unsafe ck_self_attention_scratch(&sequences)
            withScratch(floats: scratch) { unsafe body(&sequences, $0) }
        }
    }

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
