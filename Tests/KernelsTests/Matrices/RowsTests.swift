import Foundation
import Kernels
import TestSupport
import Testing

@Suite("Row kernels") struct RowsTests {
    private func dot(_ a: [Double], _ b: [Double]) -> SummedReference {
        var sum = SummedReference()
        for (x, y) in zip(a, b) { sum.add(x * y) }
        return sum
    }

    @Test("unit rows, lengths and the gradient", arguments: tailLengths)
    func normalise(columns: Int) {
        let x = normalMatrix(rows: 5, columns: columns, seed: 11)
        let upstream = normalMatrix(rows: 5, columns: columns, seed: 12)
        let (unit, norms) = x.normalisedRows()
        let before = normalMatrix(rows: 5, columns: columns, seed: 13)
        var gradient = before
        gradient.addNormalisedRowsGradient(unit: unit, norms: norms, gradient: upstream)
        for row in 0..<5 {
            let (values, g) = (x.doubleRow(row), upstream.doubleRow(row))
            let norm = dot(values, values).value.squareRoot()
            let length = max(norm, 1e-6)
            let y = values.map { $0 / length }
            // A sum of squares has no cancellation: relative error of at most (columns + 2) roundings, halved by the
            // root.
            let relative = Double(columns + 8) * roundoff
            expectClose([norms[row]], [norm], absolute: 0, relative: relative)
            expectClose(unit.row(row), y, absolute: 0, relative: relative)
            let along = dot(y, g)
            expectClose(
                gradient.row(row),
                y.indices.map { Double(before[row, $0]) + (g[$0] - along.value * y[$0]) / length }
            ) {
                relative * (abs(g[$0]) + 2 * along.magnitude * abs(y[$0])) / length + 2 * roundoff
                    * abs(Double(before[row, $0]))
            }
        }
    }

    @Test("rows shorter than the guard, and their gradients, are divided by it")
    func shortRows() {
        let x = Matrix([[0, 0, 0], [3e-7, 0, 4e-7], [0, 2, 0]])
        let (unit, norms) = x.normalisedRows()
        #expect(unit.row(0) == [0, 0, 0])
        expectClose(unit.row(1), [0.3, 0, 0.4], absolute: 1e-6)
        #expect(unit.row(2) == [0, 1, 0])
        expectClose(norms, [0, 5e-7, 2], absolute: 1e-12)
        var gradient = Matrix(rows: 3, columns: 3)
        gradient.addNormalisedRowsGradient(
            unit: unit,
            norms: norms,
            gradient: Matrix(rows: 3, columns: 3, repeating: 1)
        )
        expectClose(gradient.elements, [1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 0.5, 0, 0.5], absolute: 0, relative: 1e-6)
        // The guard is a parameter.
        #expect(Matrix([[0, 2]]).normalisedRows(epsilon: 4).unit == Matrix([[0, 0.5]]))
    }

    @Test("softmax and its gradient", arguments: tailLengths)
    func softmax(columns: Int) {
        var x = normalMatrix(rows: 4, columns: columns, seed: 14)
        x.scale(by: 5)
        let y = x.softmaxRows()
        let upstream = normalMatrix(rows: 4, columns: columns, seed: 15)
        var gradient = Matrix(rows: 4, columns: columns, repeating: 1)
        gradient.addSoftmaxRowsGradient(output: y, gradient: upstream)
        for row in 0..<4 {
            let values = x.doubleRow(row)
            let largest = values.max() ?? 0
            let powers = values.map { exp($0 - largest) }
            let p = powers.map { $0 / powers.reduce(0, +) }
            // The argument of exp, up to about 30 in magnitude, is rounded once: 30 relative roundings, plus those of
            // the sum.
            let relative = Double(columns + 40) * roundoff
            expectClose(y.row(row), p, absolute: 1e-30, relative: relative)
            let g = upstream.doubleRow(row)
            let mean = dot(p, g)
            expectClose(gradient.row(row), p.indices.map { 1 + p[$0] * (g[$0] - mean.value) }) {
                2 * relative * p[$0] * (abs(g[$0]) + mean.magnitude) + 2 * roundoff
            }
        }
    }

    @Test("softmax does not overflow")
    func softmaxExtremes() {
        let y = Matrix([[1e30, 1e30, -1e30], [-1e30, -1e30, -1e30], [300, 200, 0]]).softmaxRows()
        expectClose(
            y.elements,
            [0.5, 0.5, 0, 1.0 / 3, 1.0 / 3, 1.0 / 3, 1, 0, 0],
            absolute: 1e-7
        )
    }

    @Test("many threads give the same bytes as one thread")
    func scattersConcurrently() {
        let ids = (0..<6000).map { (place: Int) -> Int32 in Int32(place * place % 999) }
        let source = normalMatrix(rows: ids.count, columns: 33, seed: 21)
        let start = normalMatrix(rows: 999, columns: 33, seed: 22)
        var (one, many) = (start, start)
        one.scatterAddRows(source, at: ids)
        many.scatterAddRowsConcurrently(source, at: ids)
        #expect(one == many)
        #expect(one != start)
    }

    @Test("gathers and scatters, with repeated ids", arguments: tailLengths)
    func gatherScatter(columns: Int) {
        let table = normalMatrix(rows: 6, columns: columns, seed: 16)
        let ids: [Int32] = [5, 0, 0, 3, 5, 0, 2]
        let gathered = table.gatheringRows(ids)
        #expect(gathered == Matrix(rows: 7, columns: columns, elements: ids.flatMap { table.row(Int($0)) }))
        let source = normalMatrix(rows: 7, columns: columns, seed: 17)
        var sum = table
        sum.scatterAddRows(source, at: ids)
        var expected = table.elements.map { value in
            var sum = SummedReference()
            sum.add(Double(value))
            return sum
        }
        for (place, id) in ids.enumerated() {
            for column in 0..<columns { expected[Int(id) * columns + column].add(Double(source[place, column])) }
        }
        expectClose(sum.elements, expected)
        #expect(table.gatheringRows([]).shape == [0, columns])
    }

    @Test("biases, row sums and row scales", arguments: tailLengths)
    func biasAndSums(columns: Int) {
        let x = normalMatrix(rows: 5, columns: columns, seed: 18)
        let bias = normalMatrix(rows: 1, columns: columns, seed: 19)
        var shifted = x
        shifted.addToEachRow(bias)
        #expect(shifted.elements == (0..<5).flatMap { row in zip(x.row(row), bias.elements).map { $0 + $1 } })
        let factors: [Float] = [0, 1, -2, 0.5, 3]
        #expect(x.scalingRows(by: factors).elements == (0..<5).flatMap { row in x.row(row).map { $0 * factors[row] } })
        expectClose(
            x.summedRows().elements,
            (0..<columns).map { column in
                var sum = SummedReference()
                for row in 0..<5 { sum.add(Double(x[row, column])) }
                return sum
            }
        )
        #expect(Matrix(rows: 0, columns: columns).summedRows() == Matrix(rows: 1, columns: columns))
    }

    @Test("scores of all rows, of a range and of named rows", arguments: tailLengths)
    func scores(columns: Int) {
        let rows = normalMatrix(rows: 21, columns: columns, seed: 20)
        let query = normalMatrix(rows: 1, columns: columns, seed: 21)
        let expected = (0..<21).map { dot(rows.doubleRow($0), query.doubles) }
        let scores = rows.scores(of: query.elements)
        expectClose(scores, expected)
        var part = [Float](repeating: 7, count: 12)
        rows.scores(of: query.elements.span, inRows: 5..<15, into: &part)
        #expect(part == scores[5..<15] + [7, 7])
        let ids: [Int32] = [20, 3, 3, 0, 11, 12, 13, 14, 15, 16, 17, 18]
        // This loop sums in another order than `scores`.
        expectClose(rows.scores(of: query.elements.span, atRows: ids), ids.map { expected[Int($0)] })
        #expect(rows.scores(of: query.elements.span, atRows: []) == [])
    }

    @Test("row dots, block scores and their gradients", arguments: tailLengths)
    func blocks(columns: Int) {
        let (rows, size) = (4, 3)
        let queries = normalMatrix(rows: rows, columns: columns, seed: 22)
        let others = normalMatrix(rows: rows, columns: columns, seed: 23)
        let blocks = normalMatrix(rows: rows * size, columns: columns, seed: 24)
        let upstream = normalMatrix(rows: rows, columns: size, seed: 25)
        let dots = queries.rowDots(others)
        #expect(dots.shape == [rows, 1])
        expectClose(dots.elements, (0..<rows).map { dot(queries.doubleRow($0), others.doubleRow($0)) })
        let scores = queries.blockScores(blocks)
        #expect(scores.shape == [rows, size])
        expectClose(
            scores.elements,
            (0..<rows * size).map { dot(queries.doubleRow($0 / size), blocks.doubleRow($0)) }
        )
        let gradients = queries.blockScoresGradients(blocks, gradient: upstream)
        var gradRows = [SummedReference](repeating: SummedReference(), count: rows * columns)
        var gradBlocks = [SummedReference](repeating: SummedReference(), count: rows * size * columns)
        for block in 0..<rows * size {
            let (row, g) = (block / size, upstream.doubles[block])
            for column in 0..<columns {
                gradRows[row * columns + column].add(g * Double(blocks[block, column]))
                gradBlocks[block * columns + column].add(g * Double(queries[row, column]))
            }
        }
        expectClose(gradients.rows.elements, gradRows)
        expectClose(gradients.blocks.elements, gradBlocks)
    }

    @Test("maximum over groups of rows", arguments: tailLengths)
    func groupMaximum(columns: Int) {
        let x = normalMatrix(rows: 12, columns: columns, seed: 26)
        for size in [1, 3, 4, 12] {
            let expected = (0..<12 / size).flatMap { group in
                (0..<columns).map { column in (0..<size).map { x[group * size + $0, column] }.max() ?? .nan }
            }
            #expect(x.maximumOfRowGroups(of: size).elements == expected)
        }
    }

    @Test("rank counts better columns and earlier equal columns", arguments: tailLengths.filter { $0 > 0 })
    func rank(columns: Int) {
        // Few distinct values give many ties.
        let coarse = normalMatrix(rows: 3, columns: columns, seed: 27).elements.map { ($0 * 2).rounded() }
        let scores = Matrix(rows: 3, columns: columns, elements: coarse)
        for row in 0..<3 {
            let order = (0..<columns).sorted { a, b in
                scores[row, a] != scores[row, b] ? scores[row, a] > scores[row, b] : a < b
            }
            for (rank, column) in order.enumerated() { #expect(scores.rank(ofColumn: column, inRow: row) == rank) }
        }
    }
}
