import Foundation
import Kernels

/// Draws initial weights; each parameter has a stream of its own, named by a hash of its name.
struct Initialiser {
    private let generator: CounterBasedGenerator

    init(seed: UInt64) {
        generator = CounterBasedGenerator(seed: seed, purpose: .parameters)
    }

    /// Uniform within `sqrt(6 / (inputs + outputs))` (Glorot and Bengio, 2010); shape `[inputs, outputs]`.
    func xavier(_ name: String, inputs: Int, outputs: Int) -> Matrix {
        let bound = (6 / Double(inputs + outputs)).squareRoot()
        let values = generator.uniforms(stream: stream(name), count: inputs * outputs)
        return Matrix(rows: inputs, columns: outputs, elements: values.map { Float((2 * $0 - 1) * bound) })
    }

    /// Normal with mean 0.
    func normal(_ name: String, rows: Int, columns: Int, deviation: Double) -> Matrix {
        var matrix = Matrix(
            rows: rows,
            columns: columns,
            elements: generator.normals(stream: stream(name), count: rows * columns)
        )
        matrix.scale(by: Float(deviation))
        return matrix
    }

    /// FNV-1a of the name: the same on every run and machine.
    private func stream(_ name: String) -> UInt64 {
        name.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
