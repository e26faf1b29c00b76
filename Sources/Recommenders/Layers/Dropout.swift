package import Kernels

/// Dropout masks drawn from the noise streams of a batch's rows, so that a row's masks do not depend on its batch.
package struct Dropout: Sendable {
    /// The share of elements that become zero.
    package let probability: Double
    /// One stream for each row.
    package let noise: NoiseSource
    /// How many layers draw masks; layer numbers are below this.
    package let layers: Int

    /// Masks of some rows.
    package init(probability: Double, noise: NoiseSource, layers: Int) {
        self.probability = probability
        self.noise = noise
        self.layers = layers
    }

    /// Masks of some rows for training; nil without noise or without dropout.
    package init?(probability: Double, noise: NoiseSource?, layers: Int) {
        guard let noise, probability > 0 else { return nil }
        self.init(probability: probability, noise: noise, layers: layers)
    }

    /// A mask of zeros and `1 / (1 - p)`, `[sum of counts, width]`.
    ///
    /// - Parameters:
    ///   - layer: The number of the layer that uses it.
    ///   - width: Columns.
    ///   - counts: Rows of each stream, stream after stream; nil for one each.
    /// - Returns: The mask.
    package func mask(_ layer: Int, width: Int, counts: [Int]? = nil) -> Matrix {
        precondition(layer < layers, "a mask for layer \(layer) of \(layers)")
        let generator = CounterBasedGenerator(seed: noise.seed, purpose: .dropout)
        let threshold = UInt32((probability * 0x1p32 - 0.5).rounded(.up))
        let kept = Float(1 / (1 - probability))
        var elements: [Float] = []
        elements.reserveCapacity((counts?.reduce(0, +) ?? noise.streams.count) * width)
        for (row, stream) in noise.streams.enumerated() {
            let words = generator.words(
                stream: stream &* UInt64(layers) &+ UInt64(layer),
                count: width * (counts?[row] ?? 1)
            )
            for word in words { elements.append(word < threshold ? 0 : kept) }
        }
        return Matrix(rows: elements.count / width, columns: width, elements: elements)
    }
}
