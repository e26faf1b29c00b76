import CKernels

/// A dense layer for a few vectors at a time: `y = activation(x W + b)`.
///
/// Weights are laid out in blocks of 64 outputs, whose sums stay in registers. Each sum has one fixed order, so a
/// vector gets the same bytes alone and in a batch. For hundreds of rows use
/// ``Matrix/product(_:transposed:_:transposed:)``.
public struct DenseLayer: Sendable {
    /// Weights, shape `[inputs, outputs]`.
    public let weights: Matrix
    /// Bias, `outputs` values.
    public let bias: [Float]
    /// Applied to every output.
    public let activation: Activation
    /// The weights in the layout of `ck_pack`.
    let packed: AlignedMemory<Float>

    /// Builds a layer.
    ///
    /// - Parameters:
    ///   - weights: Shape `[inputs, outputs]`.
    ///   - bias: `outputs` values; nil means zero.
    ///   - activation: Applied to every output.
    public init(weights: Matrix, bias: [Float]? = nil, activation: Activation = .identity) {
        self.weights = weights
        self.bias = bias ?? [Float](repeating: 0, count: weights.columns)
        self.activation = activation
        precondition(self.bias.count == weights.columns, "bias \(self.bias.count) for weights \(weights.shape)")
        packed = AlignedMemory(count: weights.rows * ((weights.columns + 63) / 64 * 64))
        packed.withPointer { packed in
            weights.withPointer { unsafe ck_pack($0, weights.rows, weights.columns, packed) }
        }
    }

    /// Length of an input vector.
    public var inputs: Int { weights.rows }

    /// Length of an output vector.
    public var outputs: Int { weights.columns }

    /// Applies the layer to one vector.
    ///
    /// - Complexity: O(inputs * outputs), no allocation.
    public func apply(to x: [Float], into y: inout [Float]) {
        apply(rows: 1, of: x, into: &y)
    }

    /// Applies the layer to consecutive vectors, `x` of shape `[rows, inputs]` and `y` of shape `[rows, outputs]`.
    ///
    /// - Parameters:
    ///   - rows: The number of vectors.
    ///   - x: The vectors.
    ///   - first: The position of the first vector in `x`.
    ///   - y: Receives the results.
    ///   - start: The position of the first result in `y`.
    /// - Complexity: O(rows * inputs * outputs), no allocation; the weights are read once for four rows.
    public func apply(rows: Int, of x: [Float], from first: Int = 0, into y: inout [Float], at start: Int = 0) {
        precondition(
            rows >= 0 && first >= 0 && start >= 0 && x.count >= first + rows * inputs
                && y.count >= start + rows * outputs,
            "\(rows) rows through a layer [\(inputs), \(outputs)]: input \(x.count) from \(first), output \(y.count) "
                + "from \(start)"
        )
        packed.withPointer { packed in
            unsafe x.withUnsafeBufferPointer { x in
                unsafe y.withUnsafeMutableBufferPointer { y in
                    guard let x = x.baseAddress, let y = y.baseAddress else { return }
                    let (from, to) = unsafe (x + first, y + start)
                    unsafe ck_dense(packed, inputs, outputs, bias, 0, from, rows, activation.code, to)
                }
            }
        }
    }
}

/// Arithmetic on single vectors in reused arrays; nothing here allocates.
public enum VectorArithmetic {
    /// Replaces each vector `x` of `width` consecutive values in `range` by `x / max(|x|, 1e-6)`.
    ///
    /// - Parameters:
    ///   - x: The vectors, changed in place.
    ///   - range: The values to change; their number is a multiple of `width`.
    ///   - width: The number of elements in a vector.
    ///   - norms: Receives the vectors' Euclidean lengths.
    public static func normalise(_ x: inout [Float], in range: Range<Int>, width: Int, norms: inout [Float]) {
        precondition(
            width > 0 && range.count % width == 0 && x.indices.contains(range) && norms.count >= range.count / width,
            "values \(range) of \(x.count) in stretches of \(width) with room for \(norms.count) norms"
        )
        unsafe x.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            let first = unsafe base + range.lowerBound
            unsafe ck_normalise_rows(first, first, &norms, range.count / width, width, 1e-6)
        }
    }
}
