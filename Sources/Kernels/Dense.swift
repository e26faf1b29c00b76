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
