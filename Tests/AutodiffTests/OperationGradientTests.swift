import Autodiff
import Kernels
import TestSupport
import Testing

/// Every operation against central differences, with respect to every input.
@Suite("Gradients of operations") struct OperationGradientTests {
    private let a = gridMatrix(rows: 4, columns: 5, seed: 1)
    private let b = gridMatrix(rows: 4, columns: 5, seed: 2)

    @Test("products")
    func product() {
        expectGradient(of: [a, gridMatrix(rows: 5, columns: 3, seed: 3)]) { $1[0].product($1[1]) }
        expectGradient(of: [a, gridMatrix(rows: 3, columns: 5, seed: 4)]) { $1[0].product($1[1], transposed: true) }
        // A matrix times itself: both gradients meet in one variable.
        expectGradient(of: [a]) { $1[0].product($1[0], transposed: true) }
    }

    @Test("sums and differences")
    func adding() {
        expectGradient(of: [a, b]) { $1[0].adding($1[1]) }
        expectGradient(of: [a, b]) { $1[0].adding($1[1], scale: -0.3) }
        expectGradient(of: [a, gridMatrix(rows: 1, columns: 5, seed: 5)]) { $1[0].addingToEachRow($1[1]) }
    }

    @Test("element-by-element products and scales")
    func scaling() {
        expectGradient(of: [a, b]) { $1[0].multiplied(by: $1[1]) }
        expectGradient(of: [a]) { $1[0].multiplied(by: $1[0]) }
        expectGradient(of: [a]) { $1[0].scaled(by: -2.5) }
        expectGradient(of: [a, Matrix([[0.75]])]) { $1[0].scaled(by: $1[1]) }
        expectGradient(of: [a]) { $1[0].scalingRows(by: [0, 1, -2, 0.5]) }
        expectGradient(of: [a]) { $1[0].droppedOut(mask: Matrix(rows: 4, columns: 5, elements: Self.mask)) }
    }

    private static let mask = (0..<20).map { Float($0 % 3 == 0 ? 0 : 1.5) }

    @Test("exponential")
    func exponential() {
        expectGradient(of: [a]) { $1[0].exponential() }
    }

    @Test("activations", arguments: Activation.allCases)
    func activation(activation: Activation) {
        // Away from the corner of ReLU by more than the stencil's reach of 1/16.
        let x = Matrix(rows: 4, columns: 5, elements: a.elements.map { abs($0) < 0.125 ? $0 + 0.25 : $0 })
        expectGradient(of: [x]) { $1[0].activated(activation) }
    }

    @Test("softmax of rows")
    func softmax() {
        expectGradient(of: [a]) { $1[0].softmaxRows() }
        expectGradient(of: [gridMatrix(rows: 3, columns: 1, seed: 6)]) { $1[0].softmaxRows() }
    }

    @Test("unit rows, also of a length far from 1")
    func normalise() {
        // The fifth derivative grows with 1 / length^5: a quarter of the step keeps truncation below 1e-5.
        expectGradient(of: [a], step: 0x1p-7, tolerance: 5e-4) { $1[0].normalisedRows() }
        expectGradient(of: [a]) { $1[0].scaled(by: 100).normalisedRows().scaled(by: 3) }
    }

    @Test("gathers, with repeats and rows left out")
    func gather() {
        expectGradient(of: [a]) { $1[0].gatheringRows([3, 0, 3, 3, 1]) }
        expectGradient(of: [a]) { $1[0].gatheringRows([2]) }
    }

    @Test("rows scaled by a column and added up by place, with places left out")
    func weighedRows() {
        let factors = gridMatrix(rows: 4, columns: 1, seed: 7)
        expectGradient(of: [a, factors]) { $1[0].scalingRows(by: $1[1]) }
        expectGradient(of: [a]) { $1[0].addingRows(at: [2, 0, 2, 3], of: 5) }
    }

    @Test("appended rows")
    func append() {
        expectGradient(of: [a, gridMatrix(rows: 2, columns: 5, seed: 8)]) { $1[0].appendingRows(of: $1[1]) }
        expectGradient(of: [a]) { $1[0].appendingRows(of: $1[0]) }
    }

    @Test("reshapes and sums")
    func reshapeAndSum() {
        expectGradient(of: [a]) { $1[0].reshaped(rows: 2, columns: 10).softmaxRows() }
        expectGradient(of: [a]) { $1[0].sum() }
        expectGradient(of: [a]) { $1[0].sum(scale: -0.25) }
    }

    @Test("row dots and block scores")
    func rowProducts() {
        expectGradient(of: [a, b]) { $1[0].rowDots($1[1]) }
        expectGradient(of: [a]) { $1[0].rowDots($1[0]) }
        expectGradient(of: [a, gridMatrix(rows: 12, columns: 5, seed: 7)]) { $1[0].blockScores($1[1]) }
    }

    @Test("attention, with empty histories, repeats and both paddings", arguments: [1, 3, 4], [false, true])
    func attention(heads: Int, leftPadded: Bool) {
        let histories = RaggedRows([[0, 1, 2, 0], [], [3], [1, 1]] as [[Int32]])
        let inputs = [
            gridMatrix(rows: 4, columns: 3, seed: 8), gridMatrix(rows: 4, columns: 5, seed: 9),
            gridMatrix(rows: 4, columns: 5, seed: 10), gridMatrix(rows: heads, columns: 5, seed: 11),
        ]
        expectGradient(of: inputs) { _, x in
            .attention(
                items: x[0],
                projection: x[1],
                position: x[2],
                heads: x[3],
                histories: histories,
                firstPosition: (0..<4).map { leftPadded ? 4 - histories[$0].count : 0 }
            )
        }
    }

    @Test("layer normalisation")
    func layerNorm() {
        let gain = gridMatrix(rows: 1, columns: 5, seed: 15)
        expectGradient(of: [a, gain, gridMatrix(rows: 1, columns: 5, seed: 16)], step: 0x1p-7, tolerance: 5e-4) {
            $1[0].layerNormalised(gain: $1[1], bias: $1[2])
        }
    }

    @Test("a layer with bias and activation", arguments: Activation.allCases)
    func dense(activation: Activation) {
        let weights = gridMatrix(rows: 5, columns: 3, seed: 31)
        let bias = gridMatrix(rows: 1, columns: 3, seed: 32)
        let layer = { (x: [Variable]) in x[0].dense(x[1], bias: x[2], activation: activation) }
        if activation != .relu { expectGradient(of: [a, weights, bias]) { layer($1) } }
        // The same values and gradients as the three operations, to the rounding of sums.
        func gradients(_ expression: ([Variable]) -> Variable) -> [Matrix] {
            let tape = Tape()
            let leaves = [a, weights, bias].map(tape.leaf)
            let output = expression(leaves)
            _ = tape.backward(from: output.multiplied(by: output).sum())
            return [output.value] + leaves.compactMap(tape.gradient)
        }
        let parts = gradients { $0[0].product($0[1]).addingToEachRow($0[2]).activated(activation) }
        for (found, expected) in zip(gradients(layer), parts) {
            expectClose(found.elements, expected.doubles, absolute: 1e-5, relative: 1e-5)
        }
    }

    @Test("self-attention over ragged sequences, one of them empty", arguments: [1, 2], [false, true])
    func selfAttention(heads: Int, isCausal: Bool) {
        let inputs = (0..<3).map { gridMatrix(rows: 6, columns: 4, seed: 17 + UInt64($0)) }
        let bias = gridMatrix(rows: heads, columns: isCausal ? 5 : 9, seed: 20)
        expectGradient(of: inputs + [bias]) { _, x in
            .selfAttention(
                queries: x[0],
                keys: x[1],
                values: x[2],
                reversedBias: x[3],
                offsets: [0, 4, 4, 5, 6],
                isCausal: isCausal
            )
        }
    }

    @Test("products of groups of rows, one group without rows")
    func groupedProduct() {
        let stack = gridMatrix(rows: 15, columns: 2, seed: 21)
        expectGradient(of: [a, stack]) { $1[0].groupedProduct($1[1], offsets: [0, 3, 3, 4]) }
    }

    @Test("weighted sums over histories, with an empty one and repeats", arguments: [1, 5])
    func weightedSums(interests: Int) {
        let histories = RaggedRows([[0, 3, 0], [], [2, 2]] as [[Int32]])
        let weights = normalMatrix(rows: 1, columns: 5 * interests, seed: 22).elements
        expectGradient(of: [a]) { $1[0].weightedSums(weights, histories: histories, interests: interests) }
    }

    @Test("squashed rows, short and long")
    func squash() {
        // Short rows bend the most: at a length of 1/10 a quarter of the step keeps truncation small.
        expectGradient(of: [a], step: 0x1p-7, tolerance: 5e-4) { $1[0].squashedRows() }
        expectGradient(of: [a]) { $1[0].scaled(by: 20).squashedRows() }
    }

    @Test("gated recurrence over ragged sequences, one of them empty")
    func gatedRecurrence() {
        let inputs = [
            gridMatrix(rows: 5, columns: 9, seed: 21), gridMatrix(rows: 3, columns: 9, seed: 22),
            gridMatrix(rows: 1, columns: 9, seed: 23),
        ]
        expectGradient(of: inputs) { $1[0].gatedRecurrence(recurrent: $1[1], bias: $1[2], offsets: [0, 3, 3, 4, 5]) }
    }

    @Test("cross-entropy with masks and an offset")
    func crossEntropy() {
        let positives = gridMatrix(rows: 4, columns: 1, seed: 12)
        let masked = RaggedRows([[1], [], [0, 1, 2, 3, 4], [4, 0, 4]] as [[Int32]])
        expectGradient(of: [positives, a]) { .crossEntropy(positives: $1[0], negatives: $1[1], weight: 1) }
        expectGradient(of: [positives, a]) {
            .crossEntropy(positives: $1[0], negatives: $1[1], masked: masked, negativeOffset: 1.5, weight: 0.25)
        }
        expectGradient(of: [positives, a]) {
            .crossEntropy(
                positives: $1[0],
                negatives: $1[1],
                masked: masked,
                weight: 0.25,
                rowWeights: [2, 0.5, 1, 3]
            )
        }
    }

    @Test("multinomial likelihood, with a column named twice")
    func multinomial() {
        let columns = RaggedRows([[1], [0, 4], [2, 2, 3], [4, 3, 2, 1, 0]] as [[Int32]])
        expectGradient(of: [a]) { .multinomial(logits: $1[0], columns: columns, weight: 0.25) }
    }

    @Test("matrices side by side, one of them twice")
    func joinedColumns() {
        expectGradient(of: [a, gridMatrix(rows: 4, columns: 2, seed: 24)]) { .joinedColumns([$1[0], $1[1], $1[0]]) }
    }

    @Test("largest values of groups of rows", arguments: [1, 2, 4])
    func maximum(size: Int) {
        // All values differ by more than twice the stencil's reach of 1/16.
        let distinct = Matrix(rows: 4, columns: 5, elements: (0..<20).map { Float($0 * 7 % 20) / 4 - 2 })
        expectGradient(of: [distinct]) { $1[0].maximumOfRowGroups(of: size) }
    }

    @Test("squared error, both sides")
    func squaredError() {
        expectGradient(of: [a, b]) { .squaredError($1[0], $1[1], weight: 0.3) }
        expectGradient(of: [a]) { .squaredError($1[0], $1[0].scaled(by: 0.5), weight: 1) }
    }

    @Test("a chain with a variable that fans out")
    func composition() {
        let weights = gridMatrix(rows: 5, columns: 5, seed: 13)
        expectGradient(of: [a, weights, gridMatrix(rows: 1, columns: 5, seed: 14)]) { _, x in
            let hidden = x[0].product(x[1]).addingToEachRow(x[2]).activated(.tanh)
            let again = hidden.product(x[1], transposed: true).adding(x[0], scale: 2).activated(.silu)
            return again.adding(hidden).softmaxRows().multiplied(by: hidden)
        }
    }
}
