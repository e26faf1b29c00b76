import Foundation
import Kernels
import TestSupport
import Testing

@Suite("AdditiveAttention") struct AdditiveAttentionTests {
    /// The four tables in Double, row after row.
    struct Tables {
        var items: [[Double]]
        var projection: [[Double]]
        var position: [[Double]]
        var heads: [[Double]]

        init(_ inputs: AdditiveAttention.Inputs) {
            func rows(_ matrix: Matrix) -> [[Double]] { (0..<matrix.rows).map(matrix.doubleRow) }
            items = rows(inputs.items)
            projection = rows(inputs.projection)
            position = rows(inputs.position)
            heads = rows(inputs.heads)
        }

        static var tables: [WritableKeyPath<Tables, [[Double]]>] { [\.items, \.projection, \.position, \.heads] }

        /// Equations 16 and 17, term by term.
        func interests(_ histories: RaggedRows, _ firstPosition: [Int]) -> [Double] {
            (0..<histories.count).flatMap { row -> [Double] in
                let history = Array(histories[row])
                return heads.flatMap { head -> [Double] in
                    let logits = history.enumerated().map { place, id in
                        zip(projection[Int(id)], position[firstPosition[row] + place]).enumerated().reduce(0.0) {
                            $0 + head[$1.offset] * tanh($1.element.0 + $1.element.1)
                        }
                    }
                    let powers = logits.map { exp($0) }
                    let total = powers.reduce(0, +)
                    var interest = [Double](repeating: 0, count: items[0].count)
                    for (id, power) in zip(history, powers) {
                        for column in interest.indices { interest[column] += power / total * items[Int(id)][column] }
                    }
                    return interest
                }
            }
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var heads: Int
        var width: Int
        var d: Int
        var testDescription: String { "K \(heads), a \(width), d \(d)" }
    }

    static let cases =
        [1, 7, 8, 9, 16, 17, 31, 33, 48, 65].flatMap { width in [Case(heads: 4, width: width, d: 5)] }
        + [1, 2, 3, 5, 8].map { Case(heads: $0, width: 9, d: 6) }
        + [1, 8, 17, 33].map { Case(heads: 4, width: 6, d: $0) }

    static let positions = 7
    static let histories = RaggedRows([[3], [], [0, 1, 2, 3, 4, 5, 0], [2, 2, 2], [], [5, 1], [4, 0, 3, 1]])

    /// The last item occurs in no history.
    static func inputs(_ shape: Case) -> AdditiveAttention.Inputs {
        AdditiveAttention.Inputs(
            items: normalMatrix(rows: 7, columns: shape.d, seed: 71),
            projection: normalMatrix(rows: 7, columns: shape.width, seed: 72),
            position: normalMatrix(rows: positions, columns: shape.width, seed: 73),
            heads: normalMatrix(rows: shape.heads, columns: shape.width, seed: 74)
        )
    }

    /// Oldest item at position 0, or newest item at the last position.
    static func firstPositions(leftPadded: Bool) -> [Int] {
        (0..<histories.count).map { leftPadded ? positions - histories[$0].count : 0 }
    }

    @Test("interests and weights equal the equations", arguments: cases, [false, true])
    func forward(shape: Case, leftPadded: Bool) {
        let inputs = Self.inputs(shape)
        let first = Self.firstPositions(leftPadded: leftPadded)
        let (interests, weights) = AdditiveAttention.forward(inputs, histories: Self.histories, firstPosition: first)
        #expect(interests.shape == [Self.histories.count, shape.heads * shape.d])
        // Logits sum `width` products of size about 1 with a tanh error of 4e-7. Weights inherit the logits' error, and
        // the weighted sum of items of size up to 4 inherits the weights' error.
        let tolerance = 4 * 4e-7 * Double(shape.width + 8)
        expectClose(interests.elements, Tables(inputs).interests(Self.histories, first), absolute: tolerance)
        var place = 0
        for row in 0..<Self.histories.count {
            let length = Self.histories[row].count
            for _ in 0..<shape.heads where length > 0 {
                let sum = weights[place..<place + length].reduce(0.0) { $0 + Double($1) }
                #expect(abs(sum - 1) < 1e-6)
                place += length
            }
        }
        #expect(place == weights.count)
        #expect(interests.row(1).allSatisfy { $0 == 0 })
    }

    @Test("gradients equal difference quotients of the equations in Double", arguments: cases, [false, true])
    func gradients(shape: Case, leftPadded: Bool) {
        let inputs = Self.inputs(shape)
        let first = Self.firstPositions(leftPadded: leftPadded)
        let (interests, weights) = AdditiveAttention.forward(inputs, histories: Self.histories, firstPosition: first)
        let upstream = normalMatrix(rows: interests.rows, columns: interests.columns, seed: 75)
        let found = AdditiveAttention.gradients(
            inputs,
            histories: Self.histories,
            firstPosition: first,
            weights: weights,
            gradient: upstream
        )
        let outer = upstream.doubles
        func loss(_ tables: Tables) -> Double {
            zip(tables.interests(Self.histories, first), outer).reduce(0) { $0 + $1.0 * $1.1 }
        }
        for (path, gradient) in zip(Tables.tables, [found.items, found.projection, found.position, found.heads]) {
            var tables = Tables(inputs)
            var expected: [Double] = []
            for row in tables[keyPath: path].indices {
                for column in tables[keyPath: path][row].indices {
                    let value = tables[keyPath: path][row][column]
                    // Truncation h^2 f''' / 6 and rounding 1e-15 / h both stay near 1e-9.
                    tables[keyPath: path][row][column] = value + 1e-5
                    let above = loss(tables)
                    tables[keyPath: path][row][column] = value - 1e-5
                    expected.append((above - loss(tables)) / 2e-5)
                    tables[keyPath: path][row][column] = value
                }
            }
            // As forward, times upstream inner products of `d` terms and the number of summed positions.
            let tolerance = 4e-7 * Double(shape.width + shape.d + 8) * Double(shape.heads + 12)
            expectClose(gradient.elements, expected, absolute: tolerance, "\(path)")
        }
    }

    @Test("traps if a history exceeds the positional table or the items")
    func traps() async {
        await #expect(processExitsWith: .failure) {
            let shape = Case(heads: 1, width: 2, d: 2)
            _ = AdditiveAttention.forward(
                Self.inputs(shape),
                histories: RaggedRows([[0, 1]]),
                firstPosition: [Self.positions - 1]
            )
        }
        await #expect(processExitsWith: .failure) {
            let shape = Case(heads: 1, width: 2, d: 2)
            _ = AdditiveAttention.forward(Self.inputs(shape), histories: RaggedRows([[7]]), firstPosition: [0])
        }
    }

    @Test("ragged rows keep their lengths when ids are mapped")
    func raggedRows() {
        let rows = Self.histories
        #expect(rows.count == 7 && rows.longest == 7)
        #expect(rows[1].isEmpty && Array(rows[5]) == [5, 1])
        let doubled = rows.mapIDs { $0 * 2 }
        #expect(doubled.offsets == rows.offsets && Array(doubled[5]) == [10, 2])
        #expect(RaggedRows().count == 0 && RaggedRows().longest == 0)
    }
}
