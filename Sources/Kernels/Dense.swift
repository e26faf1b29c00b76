import CKernels

/// A dense layer for one vector at a time: `y = activation(x W + b)`.
///
/// Weights stay input-major (`[inputs, outputs]`, as the training graph has them), which lets the kernel keep 64 sums in
/// registers while the inputs stream by. For many rows at once use ``Matrix/product(_:transposed:_:transposed:)``.
public struct DenseLayer: Sendable {
    /// Weights, shape `[inputs, outputs]`.
    public let weights: Matrix
    /// Bias, `outputs` values.
    public let bias: [Float]
    /// Applied to every output.
    public let activation: Activation

    /// Builds a layer; a bias of nil is zero.
    public init(weights: Matrix, bias: [Float]? = nil, activation: Activation = .identity) {
        self.weights = weights
        self.bias = bias ?? [Float](repeating: 0, count: weights.columns)
        self.activation = activation
        precondition(self.bias.count == weights.columns, "bias \(self.bias.count) for weights \(weights.shape)")
    }

    /// Applies the layer, with another vector in place of the bias when `offset` is given.
    ///
    /// - Complexity: O(inputs * outputs), no allocation.
    public func apply(to x: [Float], offset: [Float]? = nil, into y: inout [Float]) {
        let bias = offset ?? bias
        precondition(
            x.count >= weights.rows && y.count >= weights.columns && bias.count == weights.columns,
            "layer \(weights.shape): input \(x.count), offset \(bias.count), output \(y.count)"
        )
        weights.withPointer {
            unsafe ck_dense($0, bias, x, weights.rows, weights.columns, activation.code, &y)
        }
    }
}

/// Arithmetic on single vectors in reused arrays, for the reverse chain; nothing here allocates.
public enum VectorArithmetic {
    /// `out = a + row` where `row` is a row of a matrix.
    public static func add(_ a: [Float], row: Int, of matrix: Matrix, into out: inout [Float]) {
        let count = matrix.columns
        precondition(
            row >= 0 && row < matrix.rows && a.count >= count && out.count >= count,
            "row \(row) of \(matrix.shape) plus \(a.count) values into \(out.count)"
        )
        matrix.withPointer { unsafe ck_add(a, $0 + row * count, &out, count) }
    }

    /// `out += a`.
    public static func add(_ a: [Float], to out: inout [Float]) {
        precondition(a.count == out.count, "\(a.count) values into \(out.count)")
        unsafe ck_axpy(1, a, &out, a.count)
    }

    /// `x / max(|x|, 1e-6)` of consecutive stretches of `width` values.
    public static func normalise(_ x: inout [Float], width: Int, norms: inout [Float]) {
        precondition(
            width > 0 && x.count % width == 0 && norms.count >= x.count / width,
            "\(x.count) values in stretches of \(width) with room for \(norms.count) norms"
        )
        let rows = x.count / width
        unsafe x.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            unsafe ck_normalise_rows(base, base, &norms, rows, width, 1e-6)
        }
    }

    /// One reverse step on the sphere: `x = normalise(clean * predicted + noisy * x + deviation * noise)`.
    ///
    /// - Parameters:
    ///   - x: The noisy vector, replaced by the less noisy one.
    ///   - predicted: The denoiser's clean vector.
    ///   - noise: Standard normals, `d` of them from `offset`.
    ///   - offset: Where this step's noise starts.
    ///   - clean: Weight of the predicted vector, `c1` of the method's equation 8.
    ///   - noisy: Weight of the noisy vector, `c2`.
    ///   - deviation: Size of the noise per coordinate.
    public static func posteriorStep(
        _ x: inout [Float],
        predicted: [Float],
        noise: [Float],
        from offset: Int,
        clean: Float,
        noisy: Float,
        deviation: Float
    ) {
        precondition(
            predicted.count == x.count && offset >= 0 && offset + x.count <= noise.count,
            "a step of \(x.count): predicted \(predicted.count), noise \(offset)..<\(offset + x.count) of \(noise.count)"
        )
        let count = x.count
        unsafe noise.withUnsafeBufferPointer { z in
            guard let z = z.baseAddress else { return }
            unsafe ck_posterior_step(predicted, z + offset, clean, noisy, deviation, count, &x)
        }
    }
}
