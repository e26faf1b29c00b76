public import Kernels

// Operations for dynamic routing. Each comment gives the operation and its derivative; `g` is the gradient of the
// output.

extension Variable {
    /// Multiplies each consecutive group of rows by its own matrix of a stack; derivative `g_i M_i^T`, `A_i^T g_i`.
    ///
    /// See `Matrix.groupedProduct(_:offsets:)`.
    public func groupedProduct(_ stack: Variable, offsets: [Int]) -> Variable {
        let value = self.value.groupedProduct(stack.value, offsets: offsets)
        return tape.record(value, inputs: [self, stack]) { [a = self] gradient, tape in
            tape.accumulate(a) { $0.addGroupedRowsGradient(gradient, stack: stack.value, offsets: offsets) }
            tape.accumulate(stack) { $0.addGroupedStackGradient(gradient, rows: a.value, offsets: offsets) }
        }
    }

    /// Sums of rows over histories with constant weights, block by block; derivative the weights times `g`.
    ///
    /// See `Matrix.weightedSums(_:histories:interests:)`.
    public func weightedSums(_ weights: [Float], histories: RaggedRows, interests: Int) -> Variable {
        let value = self.value.weightedSums(weights, histories: histories, interests: interests)
        return tape.record(value, inputs: [self]) { [a = self] gradient, tape in
            tape.accumulate(a) {
                $0.addWeightedSumsGradient(gradient, weights: weights, histories: histories, interests: interests)
            }
        }
    }

    /// Rows squashed to lengths below 1, `f(s) x` with `f(s) = s / (1 + s) / sqrt(s + 1e-9)` and `s = |x|^2`;
    /// derivative `f g + 2 f' <x, g> x`.
    public func squashedRows() -> Variable {
        tape.record(value.squashedRows(), inputs: [self]) { [a = self] gradient, tape in
            tape.accumulate(a) { $0.addSquashedRowsGradient(input: a.value, gradient: gradient) }
        }
    }
}
