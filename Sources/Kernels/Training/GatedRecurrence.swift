import CKernels

/// A gated recurrent unit over ragged sequences (Cho et al., 2014), with the reset gate applied after the product.
///
/// `r, z = sigmoid(x + h U + b)`, `c = tanh(x_c + r o (h U_c + b_c))`, `h' = (1 - z) o c + z o h`, from a zero state.
public enum GatedRecurrence {
    /// The values of a forward pass that the gradient needs.
    public struct Trace: Sendable {
        /// The order in which positions were computed.
        var steps: Steps
        /// Reset, update, candidate and the candidate's recurrent part, `[P, 4 d]`, by row of the steps.
        var gates: Matrix
        /// Hidden states, `[P + 3, d]`, by row of the steps.
        var states: Matrix
    }

    /// The positions of all sequences, step by step.
    ///
    /// First come the first positions of all sequences, then the second positions, and so on. Longer sequences come
    /// first, so that the rows of a step continue the first rows of the one before.
    struct Steps: Sendable {
        /// Where the rows of each step start, and the end of the last.
        var starts = [0]
        /// The position of each row.
        var positions: [Int32] = []

        init(offsets: [Int]) {
            let lengths = zip(offsets, offsets.dropFirst()).map { $1 - $0 }
            precondition(lengths.allSatisfy { $0 >= 0 }, "sequences of lengths \(lengths)")
            let order = lengths.indices.sorted { (-lengths[$0], $0) < (-lengths[$1], $1) }
            positions.reserveCapacity(offsets.last ?? 0)
            var active = order[...]
            for step in 0..<(order.first.map { lengths[$0] } ?? 0) {
                while let last = active.last, lengths[last] <= step { active.removeLast() }
                for sequence in active { positions.append(Int32(offsets[sequence] + step)) }
                starts.append(positions.count)
            }
        }

        /// Rows of the first step, which have no state before them.
        var first: Int { starts.count > 1 ? starts[1] : 0 }

        @safe fileprivate func withPointer(_ body: (UnsafePointer<ck_steps>) -> Void) {
            unsafe starts.withUnsafeBufferPointer { starts in
                unsafe positions.withUnsafeBufferPointer { positions in
                    var steps = unsafe ck_steps(
                        starts: starts.baseAddress,
                        count: starts.count - 1,
                        positions: positions.baseAddress
                    )
                    unsafe body(&steps)
                }
            }
        }
    }

    /// Rows after the last one that a tile may read.
    private static let tail = 3

    /// Computes the hidden states of all positions.
    ///
    /// The order of the sequences changes no state and no input gradient; it changes the sums of the other gradients
    /// by their rounding.
    ///
    /// - Parameters:
    ///   - inputs: The inputs' terms of the three gates reset, update and candidate, `[P, 3 d]`.
    ///   - recurrent: U, `[d, 3 d]`.
    ///   - bias: b, `[1, 3 d]`.
    ///   - offsets: The start of each sequence, and the end of the last.
    /// - Returns: States `[P, d]`, and the trace for the gradient.
    /// - Complexity: O(P d^2), one matrix product for each step of the longest sequence.
    public static func forward(
        _ inputs: Matrix,
        recurrent: Matrix,
        bias: Matrix,
        offsets: [Int]
    ) -> (states: Matrix, trace: Trace) {
        forward(inputs, recurrent: recurrent, bias: bias, offsets: offsets, level: .wide)
    }

    /// Computes the gradients of inputs, recurrent weights and bias from the gradient of the states.
    public static func gradients(
        _ trace: Trace,
        recurrent: Matrix,
        gradient: Matrix
    ) -> (inputs: Matrix, recurrent: Matrix, bias: Matrix) {
        gradients(trace, recurrent: recurrent, gradient: gradient, level: .wide)
    }

    /// The states by the kernels of one CPU level.
    package static func forward(
        _ inputs: Matrix,
        recurrent: Matrix,
        bias: Matrix,
        offsets: [Int],
        level: TileLevel
    ) -> (states: Matrix, trace: Trace) {
        let (rows, d) = (inputs.rows, recurrent.rows)
        require(inputs, recurrent, bias, offsets)
        var trace = Trace(
            steps: Steps(offsets: offsets),
            gates: Matrix(rows: rows, columns: 4 * d) { _ in },
            states: Matrix(rows: rows + tail, columns: d) { states in
                for index in rows * d..<(rows + tail) * d { unsafe states[index] = 0 }
            }
        )
        var states = Matrix(rows: rows, columns: d) { _ in }
        trace.steps.withPointer { steps in
            withScratch(floats: unsafe ck_gru_scratch(steps, d)) { scratch in
                inputs.withPointer { x in
                    recurrent.withPointer { u in
                        bias.withPointer { bias in
                            trace.gates.withMutablePointer { gates in
                                trace.states.withMutablePointer { traced in
                                    states.withMutablePointer { out in
                                        unsafe ck_gru(
                                            steps,
                                            x,
                                            u,
                                            bias,
                                            d,
                                            gates,
                                            traced,
                                            out,
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
        }
        return (states, trace)
    }

    /// The gradients by the kernels of one CPU level.
    package static func gradients(
        _ trace: Trace,
        recurrent: Matrix,
        gradient: Matrix,
        level: TileLevel
    ) -> (inputs: Matrix, recurrent: Matrix, bias: Matrix) {
        let (rows, d, first) = (gradient.rows, recurrent.rows, trace.steps.first)
        precondition(
            gradient.shape == [trace.gates.rows, d] && trace.gates.columns == 4 * d && recurrent.columns == 3 * d,
            "gradient \(gradient.shape), recurrent \(recurrent.shape) for gates \(trace.gates.shape)"
        )
        var inputs = Matrix(rows: rows, columns: 3 * d) { _ in }
        var products = Matrix(rows: rows + tail, columns: 3 * d) { products in
            for index in rows * 3 * d..<(rows + tail) * 3 * d { unsafe products[index] = 0 }
        }
        var former = Matrix(rows: rows - first, columns: d) { _ in }
        var recurrentGradient = Matrix(rows: d, columns: 3 * d) { _ in }
        trace.steps.withPointer { steps in
            withScratch(floats: unsafe ck_gru_scratch(steps, d)) { scratch in
                recurrent.withPointer { u in
                    trace.gates.withPointer { gates in
                        trace.states.withPointer { states in
                            gradient.withPointer { gradient in
                                inputs.withMutablePointer { inputs in
                                    products.withMutablePointer { products in
                                        former.withMutablePointer { former in
                                            unsafe ck_gru_gradient(
                                                steps,
                                                u,
                                                d,
                                                gates,
                                                states,
                                                gradient,
                                                inputs,
                                                products,
                                                former,
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
            }
        }
        former.withPointer { former in
            products.withPointer { products in
                recurrentGradient.withMutablePointer {
                    unsafe BLAS.product(
                        (former, true),
                        (products + first * 3 * d, false),
                        m: d,
                        n: 3 * d,
                        inner: rows - first,
                        keeping: 0,
                        into: $0
                    )
                }
            }
        }
        return (inputs, recurrentGradient, products.summedRows())
    }

    private static func require(_ inputs: Matrix, _ recurrent: Matrix, _ bias: Matrix, _ offsets: [Int]) {
        let d = recurrent.rows
        precondition(
            recurrent.columns == 3 * d && inputs.columns == 3 * d && bias.shape == [1, 3 * d],
            "recurrence: inputs \(inputs.shape), recurrent \(recurrent.shape), bias \(bias.shape)"
        )
        precondition(
            offsets.first == 0 && offsets.last == inputs.rows,
            "sequences end at \(offsets.last ?? -1) of \(inputs.rows) positions"
        )
    }
}
