package import Autodiff
package import Kernels
package import Testing

/// Compares the gradient of an expression with central differences, for every element of every input.
///
/// The differentiated scalar is the sum over the output's elements times fixed random weights; for the differences
/// it is summed in Double. The five-point stencil `(f(x - 2h) - 8 f(x - h) + 8 f(x + h) - f(x + 2h)) / 12h` leaves a
/// truncation error of `h^4 f''''' / 30`, about 1e-6 at `h = 1/32` for the smooth operations here. Its rounding
/// error is about `1.5 roundoff |f| / h`, where `|f|` is the sum of the magnitudes of the weighted outputs that
/// depend on the input: 3e-6 for each unit of it.
///
/// - Parameters:
///   - inputs: Values, best from ``gridMatrix(rows:columns:seed:)``, so that steps are exact.
///   - step: `h`, a power of two.
///   - tolerance: Allowed difference, times the larger of 1 and the gradient.
///   - sourceLocation: Where failures are reported.
///   - expression: Builds the output from leaves on a tape.
package func expectGradient(
    of inputs: [Matrix],
    step: Float = 0x1p-5,
    tolerance: Double = 2e-4,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ expression: (Tape, [Variable]) -> Variable
) {
    let tape = Tape()
    let leaves = inputs.map(tape.leaf)
    let output = expression(tape, leaves)
    let weights = normalMatrix(rows: output.value.rows, columns: output.value.columns, seed: 0x5eed)
    _ = tape.backward(from: output.multiplied(by: tape.constant(weights)).sum())

    var inputs = inputs
    for index in inputs.indices {
        let shape = inputs[index].shape
        let gradient = tape.gradient(of: leaves[index]) ?? Matrix(rows: shape[0], columns: shape[1])
        let expected = stencil(inputs[index], step: step) { changed in
            inputs[index] = changed
            let tape = Tape(recording: false)
            let value = expression(tape, inputs.map(tape.constant)).value
            return zip(value.doubles, weights.doubles).reduce(0) { $0 + $1.0 * $1.1 }
        }
        #expect(gradient.shape == shape, "input \(index)", sourceLocation: sourceLocation)
        expectClose(gradient.elements, expected, "input \(index)", sourceLocation: sourceLocation) {
            tolerance * max(1, abs(expected[$0]))
        }
    }
}

/// Compares the gradient of a loss with central differences, for every element of every parameter.
///
/// See ``expectGradient(of:step:tolerance:sourceLocation:_:)`` for the errors. The loss itself is a Float32 here, so
/// the rounding error is `1.5 roundoff |loss| / h`, plus those of its intermediate values.
///
/// - Parameters:
///   - parameters: The point at which the loss is differentiated.
///   - step: `h`, a power of two.
///   - tolerance: Allowed difference, times the larger of 1 and the gradient.
///   - skippedRows: Rows of tables to skip, because the loss stops gradients there on purpose.
///   - sourceLocation: Where failures are reported.
///   - loss: Builds a scalar on a tape.
package func expectGradient(
    of parameters: ParameterSet,
    step: Float = 0x1p-6,
    tolerance: Double = 1e-3,
    skippedRows: [String: Set<Int32>] = [:],
    sourceLocation: SourceLocation = #_sourceLocation,
    loss: (ParameterSet, Tape) -> Variable
) {
    let tape = Tape()
    let gradients = tape.backward(from: loss(parameters, tape))
    var changed = parameters
    for name in parameters.names {
        let start = parameters[name]
        let skipped = skippedRows[name] ?? []
        let gradient = gradients.whole(name, like: start)
        let expected = stencil(start, step: step) {
            changed[name] = $0
            return Double(loss(changed, Tape(recording: false)).scalar)
        }
        changed[name] = start
        expectClose(gradient.elements, expected, name, sourceLocation: sourceLocation) {
            skipped.contains(Int32($0 / start.columns)) ? .infinity : tolerance * max(1, abs(expected[$0]))
        }
    }
}

extension Gradients {
    /// The gradient of a parameter as one matrix, dense or gathered; zero if there is none.
    package func whole(_ name: String, like parameter: Matrix) -> Matrix {
        var result = dense[name] ?? Matrix(rows: parameter.rows, columns: parameter.columns)
        if rows[name] != nil {
            let merged = merged(name)
            result.scatterAddRows(merged.gradient, at: merged.rows)
        }
        return result
    }
}

/// Five-point differences of `value` in each element; `value` is last called with the unchanged start.
private func stencil(_ start: Matrix, step: Float, _ value: (Matrix) -> Double) -> [Double] {
    var matrix = start
    var result: [Double] = []
    for row in 0..<start.rows {
        for column in 0..<start.columns {
            func at(_ steps: Float) -> Double {
                matrix[row, column] = start[row, column] + steps * step
                return value(matrix)
            }
            let difference = at(-2) - 8 * at(-1) + 8 * at(1) - at(2)
            matrix[row, column] = start[row, column]
            result.append(difference / (12 * Double(step)))
        }
    }
    _ = value(start)
    return result
}
