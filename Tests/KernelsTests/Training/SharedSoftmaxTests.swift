import Foundation
import Kernels
import TestSupport
import Testing

@Suite("SharedSoftmax") struct SharedSoftmaxTests {
    /// Inputs of one call.
    private struct Input {
        var queries: Matrix
        var classes: Matrix
        var positives: [Float]
        var weights: [Float]
        var offsets: [Float]?
        var masks: [[Int32]]

        /// Unit classes, queries of length `scale`, and every special mask: none, repeats, all classes.
        init(_ shape: Shape, scale: Float = 12) {
            queries = normalMatrix(rows: shape.rows, columns: shape.dimension, seed: 61).normalisedRows().unit
            queries.scale(by: scale)
            classes = normalMatrix(rows: shape.classes, columns: shape.dimension, seed: 62).normalisedRows().unit
            positives = normalMatrix(rows: 1, columns: shape.rows, seed: 63).elements.map { $0 * scale / 2 }
            weights = (0..<shape.rows).map { Float($0 % 4) / 8 }
            offsets = normalMatrix(rows: 1, columns: shape.classes, seed: 64).elements
            masks = (0..<shape.rows).map { row in
                guard shape.classes > 0 else { return [] }
                let last = Int32(shape.classes - 1)
                return switch row % 4 {
                case 0: []
                case 1: [last, 0, last]
                case 2: (0...last).filter { Int($0) % 3 == row % 3 }
                default: row % 8 == 7 ? Array(0...last) : [last / 2]
                }
            }
        }

        func packed(precision: Precision = .float32, level: Int = .max) -> PackedClasses {
            PackedClasses(classes, offsets: offsets, precision: precision, level: level)
        }

        func run(_ packed: PackedClasses, addingTo classGradients: inout Matrix) -> SharedSoftmax.Gradients {
            SharedSoftmax.apply(
                queries: queries,
                positives: positives,
                weights: weights,
                masked: RaggedRows(masks),
                classes: packed,
                addingTo: &classGradients
            )
        }

        func run(_ packed: PackedClasses) -> (result: SharedSoftmax.Gradients, classes: Matrix) {
            var gradients = Matrix(rows: classes.rows, columns: classes.columns)
            let result = run(packed, addingTo: &gradients)
            return (result, gradients)
        }
    }

    struct Shape: Sendable, CustomTestStringConvertible {
        var rows: Int
        var classes: Int
        var dimension: Int
        var testDescription: String { "R \(rows), M \(classes), d \(dimension)" }
    }

    /// Around the blocks of 32 to 128 queries, the tiles of 96 classes and the vectors of 4 to 16 dimensions.
    static let shapes = [
        Shape(rows: 1, classes: 1, dimension: 1), Shape(rows: 1, classes: 13, dimension: 3),
        Shape(rows: 3, classes: 96, dimension: 16), Shape(rows: 32, classes: 97, dimension: 15),
        Shape(rows: 33, classes: 200, dimension: 17), Shape(rows: 64, classes: 191, dimension: 64),
        Shape(rows: 65, classes: 12, dimension: 33), Shape(rows: 130, classes: 101, dimension: 48),
        Shape(rows: 9, classes: 0, dimension: 5), Shape(rows: 0, classes: 5, dimension: 5),
        Shape(rows: 66, classes: 8_193, dimension: 2),
    ]

    /// Losses and gradients in Double by plain loops; sums also carry their magnitudes.
    private struct Reference {
        var losses: [Double] = []
        var positives: [Double] = []
        var queries: [SummedReference]
        var classes: [SummedReference]

        init(_ input: Input) {
            let (rows, count, d) = (input.queries.rows, input.classes.rows, input.classes.columns)
            queries = [SummedReference](repeating: SummedReference(), count: rows * d)
            classes = [SummedReference](repeating: SummedReference(), count: count * d)
            let (q, c) = (input.queries.doubles, input.classes.doubles)
            for row in 0..<rows {
                let masked = Set(input.masks[row])
                let kept = (0..<count).filter { !masked.contains(Int32($0)) }
                let logits = kept.map { j in
                    (0..<d).reduce(Double(input.offsets?[j] ?? 0)) { $0 + q[row * d + $1] * c[j * d + $1] }
                }
                let positive = Double(input.positives[row])
                let largest = max(positive, logits.max() ?? positive)
                let negatives = logits.reduce(0.0) { $0 + exp($1 - largest) }
                let total = negatives + exp(positive - largest)
                losses.append(
                    positive == largest ? log1p(negatives / exp(positive - largest)) : log(total) + largest - positive
                )
                let weight = Double(input.weights[row])
                positives.append(-weight * negatives / total)
                for (j, logit) in zip(kept, logits) {
                    let share = weight * exp(logit - largest) / total
                    for k in 0..<d {
                        queries[row * d + k].add(share * c[j * d + k])
                        classes[j * d + k].add(share * q[row * d + k])
                    }
                }
            }
        }
    }

    /// Expects everything within the errors that an error of `logit` nats in each logit and a relative error of
    /// `relative` in each term and sum allow.
    private func expectClose(
        _ found: (result: SharedSoftmax.Gradients, classes: Matrix),
        _ expected: Reference,
        logit: Double,
        relative: Double
    ) {
        // A probability is a ratio of exponentials of logits.
        let share = expm1(2 * logit) + relative
        TestSupport.expectClose(
            found.result.losses,
            expected.losses,
            "losses"
        ) { logit + relative + relative * expected.losses[$0] }
        TestSupport.expectClose(
            found.result.positives,
            expected.positives,
            absolute: 1e-30,
            relative: share,
            "positives"
        )
        TestSupport.expectClose(found.result.queries.elements, expected.queries.map(\.value), "queries") {
            1e-30 + share * expected.queries[$0].magnitude
        }
        TestSupport.expectClose(found.classes.elements, expected.classes.map(\.value), "classes") {
            1e-30 + share * expected.classes[$0].magnitude
        }
    }

    /// The error of a Float32 logit: roundings of a sum of `d + 3` terms whose magnitudes add up to at most `bound`.
    private func logitError(_ dimension: Int, bound: Double) -> Double { Double(dimension + 6) * roundoff * bound }

    @Test("float32 equals loops in Double at every level", arguments: shapes, 0...min(2, SharedSoftmax.level))
    func matchesReference(shape: Shape, level: Int) {
        let input = Input(shape)
        // 12 for the product, as much for the shift, and 4 for the offsets. A sum over a tile has 96 terms, the
        // others R or M.
        expectClose(
            input.run(input.packed(level: level)),
            Reference(input),
            logit: logitError(shape.dimension, bound: 28),
            relative: Double(96 + max(shape.rows, shape.classes)) * roundoff
        )
    }

    /// The levels of bfloat16 products that this CPU has, at least one that falls back to float32.
    static let bfloatLevels = Array(3...max(3, SharedSoftmax.level))

    @Test("bfloat16 stays within the errors of its roundings", arguments: shapes, bfloatLevels)
    func bfloat16(shape: Shape, level: Int) {
        let input = Input(shape)
        let packed = input.packed(precision: .bfloat16, level: level)
        #expect((packed.precision == .bfloat16) == (SharedSoftmax.level >= 3))
        // Two roundings of 2^-9 in each term of a logit of at most 12; two more in each term of a gradient.
        expectClose(
            input.run(packed),
            Reference(input),
            logit: 12 / 256,
            relative: 1.0 / 256 + Double(96 + max(shape.rows, shape.classes)) * roundoff
        )
    }

    @Test("bfloat16 errors of losses average out", arguments: [64, 128], bfloatLevels)
    func bfloat16Mean(dimension: Int, level: Int) {
        let input = Input(Shape(rows: 64, classes: 500, dimension: dimension), scale: 20)
        let found = input.run(input.packed(precision: .bfloat16, level: level)).result.losses
        let errors = zip(found, Reference(input).losses).map { Double($0) - $1 }
        let mean = errors.reduce(0, +) / Double(errors.count)
        let deviation = (errors.reduce(0) { $0 + $1 * $1 } / Double(errors.count)).squareRoot()
        #expect(abs(mean) < 1e-3 && deviation < 5e-3, "\(mean), \(deviation)")
    }

    /// All levels of float32, then bfloat16.
    static let variants: [(Precision, Int)] =
        (0...min(2, SharedSoftmax.level)).map { (.float32, $0) } + bfloatLevels.map { (.bfloat16, $0) }

    @Test("extreme logits give finite losses and gradients", arguments: variants)
    func extremes(precision: Precision, level: Int) {
        // Exact in bfloat16: logits of 1e4 and -1e4 in the first row; far below the bound in the others.
        var input = Input(Shape(rows: 5, classes: 3, dimension: 2))
        input.queries = Matrix([[128, 0], [-128, 0], [0, 128], [128, 0], [128, 0]])
        input.classes = Matrix([[78, 0], [-78, 0], [0, -78]])
        input.positives = [0, 1e4, 5, -1e4, -1e4]
        input.weights = [1, 1, 1, 1, 1]
        input.offsets = [0, 0, 0]
        input.masks = [[], [], [0, 1], [0, 2], [0, 1, 2]]
        let found = input.run(input.packed(precision: precision, level: level))
        let expected: [Double] = [9984, exp(-16), 0, 16, 0]
        TestSupport.expectClose(found.result.losses, expected, absolute: 0, relative: 1e-3)
        let shares: [Double] = [-1, -exp(-16), 0, -1, 0]
        TestSupport.expectClose(found.result.positives, shares, absolute: 0, relative: 2e-3)
        let queries: [Double] = [78, 0, -78 * exp(-16), 0, 0, 0, -78, 0, 0, 0]
        TestSupport.expectClose(found.result.queries.elements, queries, absolute: 1e-10, relative: 5e-3)
        let classes: [Double] = [128, 0, 128 - 128 * exp(-16), 0, 0, 0]
        TestSupport.expectClose(found.classes.elements, classes, absolute: 1e-10, relative: 5e-3)
    }

    @Test("random logits of thousands", arguments: variants)
    func largeLogits(precision: Precision, level: Int) {
        let input = Input(Shape(rows: 37, classes: 150, dimension: 9), scale: 1e4)
        let found = input.run(input.packed(precision: precision, level: level))
        #expect(found.result.losses.allSatisfy { $0.isFinite && $0 >= 0 })
        #expect(
            (found.result.queries.elements + found.classes.elements + found.result.positives).allSatisfy { $0.isFinite }
        )
        let error = precision == .bfloat16 ? 1e4 / 256 : logitError(9, bound: 2e4 + 4)
        TestSupport.expectClose(found.result.losses, Reference(input).losses, absolute: error, relative: 1e-5)
    }

    @Test("a class that all rows mask has no gradient, and no part in the losses", arguments: variants)
    func maskedClass(precision: Precision, level: Int) {
        var input = Input(Shape(rows: 40, classes: 30, dimension: 8))
        input.masks = input.masks.map { _ in [7] }
        let found = input.run(input.packed(precision: precision, level: level))
        #expect(found.classes.row(7).allSatisfy { $0 == 0 })
        // The class is now each query's best by far; the shift moves, so bytes may differ.
        input.offsets?[7] = 100
        let other = input.run(input.packed(precision: precision, level: level))
        TestSupport.expectClose(
            other.result.losses,
            found.result.losses.map(Double.init),
            absolute: 1e-4,
            relative: 1e-4
        )
        #expect(other.classes.row(7).allSatisfy { $0 == 0 })
    }

    @Test("a class or a query that is no number shows in the losses", arguments: variants)
    func notANumber(precision: Precision, level: Int) {
        var input = Input(Shape(rows: 5, classes: 30, dimension: 8))
        input.masks = input.masks.map { _ in [] }
        var damaged = input
        damaged.classes[11, 3] = .nan
        let losses = damaged.run(damaged.packed(precision: precision, level: level)).result.losses
        #expect(losses.allSatisfy { $0.isNaN })
        input.queries[2, 1] = .nan
        #expect(input.run(input.packed(precision: precision, level: level)).result.losses[2].isNaN)
    }

    @Test("duplicates in a pool count twice and get equal gradients", arguments: variants)
    func duplicates(precision: Precision, level: Int) {
        var input = Input(Shape(rows: 20, classes: 50, dimension: 10))
        input.masks = input.masks.map { _ in [] }
        // A pair of equal classes is one class with log 2 added.
        var doubled = input
        doubled.classes = input.classes.appendingRows(of: input.classes)
        doubled.offsets = input.offsets.map { $0 + $0 }
        input.offsets = input.offsets?.map { $0 + Float(M_LN2) }
        let once = input.run(input.packed(precision: precision, level: level))
        let twice = doubled.run(doubled.packed(precision: precision, level: level))
        TestSupport.expectClose(
            twice.result.losses,
            once.result.losses.map(Double.init),
            absolute: 1e-5,
            relative: 1e-5
        )
        #expect(twice.classes.rows(0..<50) == twice.classes.rows(50..<100))
    }

    @Test("a row has the same bytes alone and in a batch, with and without gradients", arguments: variants)
    func isIndependentOfBatch(precision: Precision, level: Int) {
        let input = Input(Shape(rows: 77, classes: 210, dimension: 20))
        let packed = input.packed(precision: precision, level: level)
        let all = input.run(packed).result
        for row in [0, 1, 7, 31, 32, 76] {
            var one = input
            one.queries = input.queries.rows(row..<row + 1)
            one.positives = [input.positives[row]]
            one.weights = [input.weights[row]]
            one.masks = [input.masks[row]]
            let alone = one.run(packed).result
            #expect(alone.losses[0] == all.losses[row] && alone.positives[0] == all.positives[row])
            #expect(alone.queries.row(0) == all.queries.row(row))
        }
        let losses = SharedSoftmax.losses(
            queries: input.queries,
            positives: input.positives,
            masked: RaggedRows(input.masks),
            classes: packed
        )
        #expect(losses == all.losses)
    }

    @Test("gradients of classes are added, and threads that share the classes repeat them exactly", arguments: variants)
    func accumulates(precision: Precision, level: Int) async {
        let input = Input(Shape(rows: 70, classes: 105, dimension: 19))
        let packed = input.packed(precision: precision, level: level)
        let first = input.run(packed).classes
        let repeats = await withTaskGroup(of: Matrix.self) { group in
            for _ in 0..<4 { group.addTask { input.run(packed).classes } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(repeats.allSatisfy { $0 == first })
        var sum = Matrix(rows: 105, columns: 19, repeating: 3)
        _ = input.run(packed, addingTo: &sum)
        TestSupport.expectClose(sum.elements, first.doubles.map { $0 + 3 }, absolute: 70 * 8 * roundoff)
    }

    @Test("no masks and no offsets are empty masks and zero offsets")
    func defaults() {
        var input = Input(Shape(rows: 6, classes: 40, dimension: 4))
        input.offsets = [Float](repeating: 0, count: 40)
        input.masks = input.masks.map { _ in [] }
        var gradients = Matrix(rows: 40, columns: 4)
        let found = SharedSoftmax.apply(
            queries: input.queries,
            positives: input.positives,
            weights: input.weights,
            classes: PackedClasses(input.classes),
            addingTo: &gradients
        )
        let expected = input.run(input.packed())
        #expect(found.losses == expected.result.losses && gradients == expected.classes)
    }
}
