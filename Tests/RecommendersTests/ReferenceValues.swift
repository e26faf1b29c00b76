import Autodiff
import Foundation
import Kernels
import Recommenders
import TestSupport
import Testing

/// The results of a script under References, and the closed-form weights and rows that it used.
struct ReferenceValues: Decodable {
    /// The folders of References.
    private static let families = ["Autoencoder", "Diffusion", "MultiInterest", "Sequential"]

    let loss: [Double]
    let guided: [Double]?
    let users: [Double]?
    let gradients: [String: [Double]]

    init(_ system: String) throws {
        let files = Self.families.compactMap { family in
            Bundle.module.url(forResource: "References/\(family)/\(system)", withExtension: "json")
        }
        let file = try #require(files.first, "no folder of References has \(system).json")
        self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: file))
    }

    /// `centre + amplitude sin(1.7 i + 0.9 line + 0.3)` for element `i`.
    static func waves(_ line: Int, rows: Int, columns: Int, amplitude: Double = 1, centre: Double = 0) -> Matrix {
        Matrix(
            rows: rows,
            columns: columns,
            elements: (0..<rows * columns).map {
                Float(centre + amplitude * sin(1.7 * Double($0) + 0.9 * Double(line) + 0.3))
            }
        )
    }

    /// Weights of a model whose parameters the script lists in the order of `names`, by its rule for amplitudes.
    static func weights(of model: some Recommender, names: [String]) -> ParameterSet {
        #expect(names.sorted() == model.parameters.names)
        var parameters = model.parameters
        for (line, name) in names.enumerated() {
            let (amplitude, centre) =
                if name == "items" || name == "condition.null" {
                    (1.0, 0.0)
                } else if name.hasSuffix("distance") {
                    (0.5, 0.0)
                } else if name.hasSuffix("gain") {
                    (0.3, 1.0)
                } else if name.hasSuffix("bias") {
                    (0.3, 0.0)
                } else {
                    (0.6, 0.0)
                }
            parameters.update(name) {
                $0 = waves(line, rows: $0.rows, columns: $0.columns, amplitude: amplitude, centre: centre)
            }
        }
        return parameters
    }

    /// Expects a loss and its gradients to agree to 1e-5 of the largest entry of each.
    func expectEqual(_ tape: Tape, _ total: Variable, _ parameters: ParameterSet) {
        expectClose([total.scalar], loss, absolute: 1e-5 * abs(loss[0]))
        let found = tape.backward(from: total)
        #expect(gradients.keys.sorted() == parameters.names)
        for (name, expected) in gradients {
            let largest = expected.map(abs).max() ?? 0
            expectClose(
                found.whole(name, like: parameters[name]).elements,
                expected,
                // Gradients that are zero by symmetry are sums of cancelling terms of the other weights' size.
                absolute: 1e-5 * max(largest, 0.01),
                name
            )
        }
    }
}
