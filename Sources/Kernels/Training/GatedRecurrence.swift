import CKernels

/// A gated recurrent unit over ragged sequences (Cho et al., 2014), with the reset gate applied after the product.
///
/// `r, z = sigmoid(x + h U + b)`, `c = tanh(x_c + r o (h U_c + b_c))`, `h' = (1 - z) o c + z o h`, from a zero state.
public enum GatedRecurrence {
    /// The values of a forward pass that the gradient needs.
    public struct Trace: Sendable {
        /// Reset, update, candidate and the candidate's recurrent part, `[P, 4 d]`.
        var gates: Matrix
        /// Hidden states, `[P, d]`.
        var states: Matrix
    }

    /// Computes the hidden states of all positions.
    ///
    /// - Parameters:
    ///   - inputs: The inputs' terms of the three gates reset, update and candidate, `[P, 3 d]`.
    ///   - recurrent: U, `[d, 3 d]`.
    ///   - bias: b, `[1, 3 d]`.
    ///   - offsets: The start of each sequence, and the end of the last.
    /// - Returns: States `[P, d]`, and the trace for the gradient.
    /// - Complexity: O(P d^2).
    public static func forward(
        _ inputs: Matrix,
        recurrent: Matrix,
        bias: Matrix,
        offsets: [Int]
    ) -> (states: Matrix, trace: Trace) {
        let d = recurrent.rows
        require(inputs, recurrent, bias, offsets)
        var gates = Matrix(rows: inputs.rows, columns: 4 * d)
        var states = Matrix(rows: inputs.rows, columns: d)
        var scratch = [Float](repeating: 0, count: 4 * d)
        inputs.withPointer { x in
            recurrent.withPointer { u in
                bias.withPointer { bias in
                    gates.withMutablePointer { gates in
                        states.withMutablePointer { states in
                            for (start, end) in zip(offsets, offsets.dropFirst()) {
                                unsafe ck_gru(
                                    x + start * 3 * d,
                                    u,
                                    bias,
                                    end - start,
                                    d,
                                    gates + start * 4 * d,
                                    states + start * d,
                                    &scratch
                                )
                            }
                        }
                    }
                }
            }
        }
        return (states, Trace(gates: gates, states: states))
    }

    /// Computes the gradients of inputs, recurrent weights and bias from the gradient of the states.
    public static func gradients(
        _ trace: Trace,
        recurrent: Matrix,
        offsets: [Int],
        gradient: Matrix
    ) -> (inputs: Matrix, recurrent: Matrix, bias: Matrix) {
        let d = recurrent.rows
        precondition(gradient.shape == trace.states.shape, "\(gradient.shape) for states \(trace.states.shape)")
        var inputs = Matrix(rows: gradient.rows, columns: 3 * d)
        var products = Matrix(rows: gradient.rows, columns: 3 * d)
        var scratch = [Float](repeating: 0, count: 2 * d)
        recurrent.transposed().withPointer { u in
            trace.gates.withPointer { gates in
                trace.states.withPointer { states in
                    gradient.withPointer { gradient in
                        inputs.withMutablePointer { inputs in
                            products.withMutablePointer { products in
                                for (start, end) in zip(offsets, offsets.dropFirst()) {
                                    unsafe ck_gru_gradient(
                                        u,
                                        gates + start * 4 * d,
                                        states + start * d,
                                        gradient + start * d,
                                        end - start,
                                        d,
                                        inputs + start * 3 * d,
                                        products + start * 3 * d,
                                        &scratch
                                    )
                                }
                            }
                        }
                    }
                }
            }
        }
        // A position's recurrent product uses the state before it; each sequence starts from zero.
        var before: [Int32] = []
        var present: [Float] = []
        for (start, end) in zip(offsets, offsets.dropFirst()) {
            for position in start..<end {
                before.append(Int32(max(start, position - 1)))
                present.append(position == start ? 0 : 1)
            }
        }
        let former = trace.states.gatheringRows(before).scalingRows(by: present)
        return (inputs, Matrix.product(former, transposed: true, products), products.summedRows())
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

extension Matrix {
    /// The transpose.
    public func transposed() -> Matrix {
        Matrix(rows: columns, columns: rows) { out in
            withPointer { source in
                for row in 0..<rows {
                    for column in 0..<columns { unsafe out[column * rows + row] = source[row * columns + column] }
                }
            }
        }
    }
}
