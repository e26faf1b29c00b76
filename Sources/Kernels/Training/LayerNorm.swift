import CKernels

/// Layer normalisation of rows (Ba, Kiros and Hinton, 2016): `gain * (x - mean) / sqrt(variance + 1e-6) + bias`.
public enum LayerNorm {
    /// The values of a forward pass that the gradient needs.
    public struct Trace: Sendable {
        /// Rows of mean 0 and variance 1, `[R, d]`.
        var standardised: Matrix
        /// One over each row's standard deviation.
        var inverseDeviations: [Float]
    }

    /// Normalises the rows of `x`, `[R, d]`, and applies `gain` and `bias`, `[1, d]` each.
    public static func forward(_ x: Matrix, gain: Matrix, bias: Matrix) -> (output: Matrix, trace: Trace) {
        precondition(
            gain.shape == [1, x.columns] && bias.shape == [1, x.columns],
            "layer norm of \(x.shape) by gain \(gain.shape) and bias \(bias.shape)"
        )
        var trace = Trace(
            standardised: Matrix(rows: x.rows, columns: x.columns) { _ in },
            inverseDeviations: [Float](repeating: 0, count: x.rows)
        )
        var output = Matrix(rows: x.rows, columns: x.columns) { _ in }
        x.withPointer { x in
            gain.withPointer { gain in
                bias.withPointer { bias in
                    output.withMutablePointer { out in
                        let (rows, columns) = (trace.standardised.rows, trace.standardised.columns)
                        trace.standardised.withMutablePointer {
                            unsafe ck_layer_norm(x, gain, bias, out, $0, &trace.inverseDeviations, rows, columns)
                        }
                    }
                }
            }
        }
        return (output, trace)
    }

    /// Computes the gradients of input, gain and bias from the gradient of the output.
    public static func gradients(
        _ trace: Trace,
        gain: Matrix,
        gradient: Matrix
    ) -> (x: Matrix, gain: Matrix, bias: Matrix) {
        precondition(gradient.shape == trace.standardised.shape, "\(gradient.shape) for \(trace.standardised.shape)")
        let (rows, columns) = (gradient.rows, gradient.columns)
        var x = Matrix(rows: rows, columns: columns) { _ in }
        var gainGradient = Matrix(rows: 1, columns: columns)
        var biasGradient = Matrix(rows: 1, columns: columns)
        trace.standardised.withPointer { standardised in
            gain.withPointer { gain in
                gradient.withPointer { gradient in
                    x.withMutablePointer { x in
                        gainGradient.withMutablePointer { gainGradient in
                            biasGradient.withMutablePointer {
                                unsafe ck_layer_norm_gradient(
                                    standardised,
                                    trace.inverseDeviations,
                                    gain,
                                    gradient,
                                    x,
                                    gainGradient,
                                    $0,
                                    rows,
                                    columns
                                )
                            }
                        }
                    }
                }
            }
        }
        return (x, gainGradient, biasGradient)
    }
}

/// A layer normalisation with trained gain and bias, for a few vectors at a time; see ``LayerNorm``.
public struct NormLayer: Sendable {
    private let gain: [Float]
    private let bias: [Float]

    /// A layer with gain and bias, `[1, d]` each.
    public init(gain: Matrix, bias: Matrix) {
        precondition(gain.rows == 1 && gain.shape == bias.shape, "gain \(gain.shape), bias \(bias.shape)")
        self.gain = gain.elements
        self.bias = bias.elements
    }

    /// Length of a vector.
    public var width: Int { gain.count }

    /// Normalises the first `rows` vectors of `x` and writes them to `y` from `start` on; allocates nothing.
    public func apply(rows: Int, of x: [Float], into y: inout [Float], at start: Int = 0) {
        precondition(
            rows >= 0 && start >= 0 && x.count >= rows * width && y.count >= start + rows * width,
            "\(rows) rows of \(width): input \(x.count), output \(y.count) from \(start)"
        )
        unsafe y.withUnsafeMutableBufferPointer { out in
            guard let out = out.baseAddress else { return }
            unsafe ck_apply_layer_norm(x, gain, bias, out + start, rows, width)
        }
    }
}
