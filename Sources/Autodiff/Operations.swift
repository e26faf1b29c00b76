public import Kernels

// Each comment gives the operation and its derivative; `g` is the gradient of the output.

extension Variable {
    /// `self * other`, or `self * other^T`; derivative `g B^T`, `A^T g`.
    public func product(_ other: Variable, transposed: Bool = false) -> Variable {
        let value = Matrix.product(
            self.value,
            transposed: false,
            other.value,
            transposed: transposed,
            precision: tape.precision
        )
        return tape.record(value, inputs: [self, other]) { [a = self, b = other] gradient, tape in
            tape.accumulate(a, productOf: gradient, transposed: false, b.value, transposed: !transposed)
            if transposed {
                tape.accumulate(b, productOf: gradient, transposed: true, a.value, transposed: false)
            } else {
                tape.accumulate(b, productOf: a.value, transposed: true, gradient, transposed: false)
            }
        }
    }

    /// `activation(self * weights + bias)` with a row `bias`, `[1, columns]`; derivative `h W^T`, `A^T h` and the sum of
    /// the rows of `h = g o activation'`.
    public func dense(_ weights: Variable, bias: Variable, activation: Activation = .identity) -> Variable {
        var sums = Matrix.product(value, transposed: false, weights.value, precision: tape.precision)
        let output: Matrix
        if activation == .identity {
            sums.addToEachRow(bias.value)
            output = sums
        } else {
            output = sums.addBias(bias.value, activating: activation)
        }
        return tape.record(output, inputs: [self, weights, bias]) { [a = self, sums] gradient, tape in
            let slopes: Matrix
            if activation == .identity {
                slopes = gradient
                tape.accumulate(bias, gradient.summedRows())
            } else {
                let parts = sums.biasGradients(activating: activation, gradient: gradient)
                slopes = parts.sums
                tape.accumulate(bias, parts.bias)
            }
            tape.accumulate(a, productOf: slopes, transposed: false, weights.value, transposed: true)
            tape.accumulate(weights, productOf: a.value, transposed: true, slopes, transposed: false)
        }
    }

    /// `self + factor * other` of equal shapes; derivative `g`, `factor * g`.
    public func adding(_ other: Variable, scale factor: Float = 1) -> Variable {
        tape.record(value.adding(other.value, scale: factor), inputs: [self, other]) {
            [a = self, b = other] gradient, tape in
            tape.accumulate(a, gradient)
            if factor == 1 {
                tape.accumulate(b, gradient)
            } else {
                tape.accumulate(b) { $0.add(gradient, scale: factor) }
            }
        }
    }

    /// Adds one row to every row; derivative `g`, sum of the rows of `g`.
    public func addingToEachRow(_ bias: Variable) -> Variable {
        var value = self.value
        value.addToEachRow(bias.value)
        return tape.record(value, inputs: [self, bias]) { [a = self] gradient, tape in
            tape.accumulate(a, gradient)
            tape.accumulate(bias, gradient.summedRows())
        }
    }

    /// Element-by-element product; derivative `g o B`, `g o A`.
    public func multiplied(by other: Variable) -> Variable {
        tape.record(value.multiplied(by: other.value), inputs: [self, other]) { [a = self] gradient, tape in
            tape.accumulate(a, gradient.multiplied(by: other.value))
            tape.accumulate(other, gradient.multiplied(by: a.value))
        }
    }

    /// `factor * self`; derivative `factor * g`.
    public func scaled(by factor: Float) -> Variable {
        var value = self.value
        value.scale(by: factor)
        return tape.record(value, inputs: [self]) { [a = self] gradient, tape in
            tape.accumulate(a) { $0.add(gradient, scale: factor) }
        }
    }

    /// `factor * self` with a trained scalar `[1, 1]`; derivative `factor * g`, `sum(g o A)`.
    public func scaled(by factor: Variable) -> Variable {
        var value = self.value
        value.scale(by: factor.scalar)
        return tape.record(value, inputs: [self, factor]) { [a = self] gradient, tape in
            tape.accumulate(a) { $0.add(gradient, scale: factor.scalar) }
            tape.accumulate(
                factor,
                Matrix(rows: 1, columns: 1, repeating: Float(gradient.multiplied(by: a.value).sum()))
            )
        }
    }

    /// Row `i` times the constant `factors[i]`; derivative the same scaling of `g`.
    public func scalingRows(by factors: [Float]) -> Variable {
        tape.record(value.scalingRows(by: factors), inputs: [self]) { [a = self] gradient, tape in
            tape.accumulate(a, gradient.scalingRows(by: factors))
        }
    }

    /// `e^x`; derivative `g o e^x`.
    public func exponential() -> Variable {
        let value = self.value.exponentials()
        return tape.record(value, inputs: [self]) { [a = self] gradient, tape in
            tape.accumulate(a, gradient.multiplied(by: value))
        }
    }

    /// A pointwise non-linearity; derivative `g o f'(x)`.
    public func activated(_ activation: Activation) -> Variable {
        guard activation != .identity else { return self }
        return tape.record(value.activated(activation), inputs: [self]) { [a = self] gradient, tape in
            tape.accumulate(a) { $0.addActivationGradient(activation, input: a.value, gradient: gradient) }
        }
    }

    /// Softmax over each row; derivative `y o (g - <y, g>)`.
    public func softmaxRows() -> Variable {
        let value = self.value.softmaxRows()
        return tape.record(value, inputs: [self]) { [a = self] gradient, tape in
            tape.accumulate(a) { $0.addSoftmaxRowsGradient(output: value, gradient: gradient) }
        }
    }

    /// Rows on the unit sphere; derivative `(g - y <y, g>) / |x|`.
    ///
    /// Rows shorter than 1e-6 are divided by 1e-6.
    public func normalisedRows() -> Variable {
        let (unit, norms) = value.normalisedRows()
        return tape.record(unit, inputs: [self]) { [a = self] gradient, tape in
            tape.accumulate(a) { $0.addNormalisedRowsGradient(unit: unit, norms: norms, gradient: gradient) }
        }
    }

    /// Rows by number, repeats allowed; derivative a scatter-add.
    public func gatheringRows(_ rows: [Int32]) -> Variable {
        tape.record(value.gatheringRows(rows), inputs: [self]) { [a = self] gradient, tape in
            tape.accumulate(a) { $0.scatterAddRows(gradient, at: rows) }
        }
    }

    /// The rows of this variable, then the rows of another one with as many columns.
    public func appendingRows(of other: Variable) -> Variable {
        let (a, b) = (self, other)
        let (first, end) = (a.value.rows, a.value.rows + b.value.rows)
        return tape.record(a.value.appendingRows(of: b.value), inputs: [a, b]) { gradient, tape in
            tape.accumulate(a, gradient.rows(0..<first))
            tape.accumulate(b, gradient.rows(first..<end))
        }
    }

    /// The same elements in another shape.
    public func reshaped(rows: Int, columns: Int) -> Variable {
        tape.record(value.reshaped(rows: rows, columns: columns), inputs: [self]) { [a = self] gradient, tape in
            tape.accumulate(a, gradient.reshaped(rows: a.value.rows, columns: a.value.columns))
        }
    }

    /// The sum of all elements times `factor`, as a scalar; derivative `factor * g` everywhere.
    public func sum(scale factor: Float = 1) -> Variable {
        let total = Matrix(rows: 1, columns: 1, repeating: factor * Float(value.sum()))
        return tape.record(total, inputs: [self]) { [a = self] gradient, tape in
            tape.accumulate(
                a,
                Matrix(rows: a.value.rows, columns: a.value.columns, repeating: factor * gradient[0, 0])
            )
        }
    }

    /// The value as a constant: no gradient flows through it.
    public func stoppingGradient() -> Variable { tape.constant(value) }

    /// Dropout with a given mask of zeros and `1 / (1 - p)`; derivative the same mask.
    public func droppedOut(mask: Matrix) -> Variable { multiplied(by: tape.constant(mask)) }

    /// `<a_i, b_i>` of every row as a column `[rows, 1]`; derivative `g_i b_i`, `g_i a_i`.
    public func rowDots(_ other: Variable) -> Variable {
        tape.record(value.rowDots(other.value), inputs: [self, other]) { [a = self] gradient, tape in
            tape.accumulate(a, other.value.scalingRows(by: gradient.elements))
            tape.accumulate(other, a.value.scalingRows(by: gradient.elements))
        }
    }

    /// Inner products of every row with its own `n` rows of `blocks [rows * n, d]`, as `[rows, n]`.
    public func blockScores(_ blocks: Variable) -> Variable {
        tape.record(value.blockScores(blocks.value), inputs: [self, blocks]) { [a = self] gradient, tape in
            let parts = a.value.blockScoresGradients(blocks.value, gradient: gradient)
            tape.accumulate(a, parts.rows)
            tape.accumulate(blocks, parts.blocks)
        }
    }
}
