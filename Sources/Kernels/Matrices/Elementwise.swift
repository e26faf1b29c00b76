import CKernels

/// A pointwise non-linearity.
public enum Activation: String, Sendable, Codable, CaseIterable {
    /// `x`.
    case identity
    /// `tanh(x)`, absolute error below 3e-7.
    case tanh
    /// The tanh form of GELU (Hendrycks and Gimpel, 2016): `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`.
    case gelu
    /// `x / (1 + exp(-x))`.
    case silu
    /// `max(x, 0)`.
    case relu

    /// The CKernels constant.
    var code: Int32 {
        let kind =
            switch self {
            case .identity: CK_IDENTITY
            case .tanh: CK_TANH
            case .gelu: CK_GELU
            case .silu: CK_SILU
            case .relu: CK_RELU
            }
        return Int32(kind.rawValue)
    }
}

extension Matrix {
    /// Applies `activation` to every element.
    public func activated(_ activation: Activation) -> Matrix {
        Matrix(rows: rows, columns: columns) { out in
            withPointer { unsafe ck_activate(activation.code, $0, out, count) }
        }
    }

    /// Adds `activation'(input) * gradient`.
    public mutating func addActivationGradient(_ activation: Activation, input: Matrix, gradient: Matrix) {
        requireShape(input, gradient, in: "activation gradient")
        let count = count
        withMutablePointer { out in
            input.withPointer { x in
                gradient.withPointer { unsafe ck_activate_gradient(activation.code, x, $0, out, count) }
            }
        }
    }

    /// Adds `bias` to each row in place, and applies `activation` to the sums.
    ///
    /// - Parameters:
    ///   - bias: `[1, columns]`.
    ///   - activation: Applied to the sums.
    /// - Returns: The activated sums; this matrix keeps the sums.
    public mutating func addBias(_ bias: Matrix, activating activation: Activation) -> Matrix {
        precondition(bias.shape == [1, columns], "a bias of shape \(bias.shape) for rows of \(columns)")
        let (rows, columns) = (rows, columns)
        return Matrix(rows: rows, columns: columns) { out in
            withMutablePointer { sums in
                bias.withPointer { bias in
                    unsafe ck_biased_activate(activation.code, bias, sums, out, rows, columns)
                }
            }
        }
    }

    /// The gradients of ``addBias(_:activating:)``, on the sums, for the sums and the bias.
    public func biasGradients(
        activating activation: Activation,
        gradient: Matrix
    ) -> (sums: Matrix, bias: Matrix) {
        requireShape(gradient, in: "activation gradient")
        var bias = Matrix(rows: 1, columns: columns)
        let sums = Matrix(rows: rows, columns: columns) { out in
            withPointer { x in
                gradient.withPointer { gradient in
                    bias.withMutablePointer {
                        unsafe ck_biased_activate_gradient(activation.code, x, gradient, out, $0, rows, columns)
                    }
                }
            }
        }
        return (sums, bias)
    }

    /// `self + factor * other`.
    public func adding(_ other: Matrix, scale factor: Float = 1) -> Matrix {
        requireShape(other, in: "add")
        return Matrix(rows: rows, columns: columns) { out in
            withPointer { a in other.withPointer { unsafe ck_sum_into(a, factor, $0, out, count) } }
        }
    }

    /// `e^x` of every element, for inputs clamped to [-87, 88]; relative error below 2e-7.
    public func exponentials() -> Matrix {
        Matrix(rows: rows, columns: columns) { out in withPointer { unsafe ck_exp($0, out, count) } }
    }

    /// `self += factor * other`.
    public mutating func add(_ other: Matrix, scale factor: Float = 1) {
        requireShape(other, in: "add")
        let count = count
        withMutablePointer { y in other.withPointer { unsafe ck_axpy(factor, $0, y, count) } }
    }

    /// Multiplies every element by `factor`.
    public mutating func scale(by factor: Float) {
        let count = count
        withMutablePointer { unsafe ck_scale(factor, $0, count) }
    }

    /// Element-by-element product.
    public func multiplied(by other: Matrix) -> Matrix {
        requireShape(other, in: "multiply")
        return Matrix(rows: rows, columns: columns) { out in
            withPointer { a in other.withPointer { unsafe ck_multiply(a, $0, out, count) } }
        }
    }

    /// The sum of all elements, accumulated in Double.
    public func sum() -> Double { withPointer { unsafe ck_sum($0, count) } }

    /// The sum of all squared elements, accumulated in Double.
    public func sumOfSquares() -> Double { withPointer { unsafe ck_sum_of_squares($0, count) } }

    /// Position of the first NaN or infinity, or nil.
    public var firstNonFinite: (row: Int, column: Int)? {
        let index = withPointer { unsafe ck_first_non_finite($0, count) }
        return index == count ? nil : (index / columns, index % columns)
    }

    /// Traps unless every other matrix has this one's shape.
    func requireShape(_ others: Matrix..., in operation: String) {
        for other in others {
            precondition(
                rows == other.rows && columns == other.columns,
                "\(operation): \(shape) against \(other.shape)"
            )
        }
    }
}

/// Inner product of two vectors of equal length; lane-wise sums, relative error about 1e-6.
public func dot(_ a: Span<Float>, _ b: Span<Float>) -> Float {
    precondition(a.count == b.count, "dot: \(a.count) vs \(b.count) elements")
    return unsafe a.withUnsafeBufferPointer { pa in
        unsafe b.withUnsafeBufferPointer { pb in
            unsafe ck_dot(pa.baseAddress ?? emptyPointer, pb.baseAddress ?? emptyPointer, pa.count)
        }
    }
}
