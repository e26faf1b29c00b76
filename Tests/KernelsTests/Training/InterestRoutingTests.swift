import Foundation
import Kernels
import TestSupport
import Testing

@Suite("InterestRouting") struct InterestRoutingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let interests: Int
        let d: Int
        var testDescription: String { "K \(interests), d \(d)" }
    }

    static let cases = [
        Case(interests: 1, d: 3), Case(interests: 2, d: 1), Case(interests: 3, d: 20), Case(interests: 4, d: 64),
        Case(interests: 5, d: 100),
    ]
    /// One history is empty, one has repeats, and one is longer than a vector register.
    private static let histories = RaggedRows(
        [[2, 0, 1], [], [4], [5, 5, 3, 5], (0..<37).map { Int32($0 * 7 % 40) }] as [[Int32]]
    )

    private func votes(_ shape: Case) -> Matrix {
        var votes = normalMatrix(rows: 40, columns: shape.interests * shape.d, seed: 91)
        votes.scale(by: 1.5 / Float(shape.d).squareRoot())
        return votes
    }

    /// Dynamic routing in Double (method, section 3.4): shares by interest and position.
    private func reference(_ votes: [[[Double]]], from start: [[Double]]) -> [[Double]] {
        let interests = start.count
        func shares(_ logits: [[Double]]) -> [[Double]] {
            var shares = logits
            for place in votes.indices {
                let powers = logits.map { exp($0[place]) }
                for k in logits.indices { shares[k][place] = powers[k] / powers.reduce(0, +) }
            }
            return shares
        }
        var logits = start
        for _ in 1..<3 {
            let weights = shares(logits)
            for k in 0..<interests {
                let sum = (0..<(votes.first?[k].count ?? 0)).map { c in
                    votes.indices.reduce(0) { $0 + weights[k][$1] * votes[$1][k][c] }
                }
                let squared = sum.reduce(0) { $0 + $1 * $1 }
                let factor = squared / (1 + squared) / (squared + 1e-9).squareRoot()
                for place in votes.indices {
                    logits[k][place] += zip(votes[place][k], sum).reduce(0) { $0 + factor * $1.0 * $1.1 }
                }
            }
        }
        return shares(logits)
    }

    @Test("shares equal the loop in Double, and an item's shares sum to 1", arguments: cases, [0, 1] as [Float])
    func weights(shape: Case, deviation: Float) {
        let votes = votes(shape)
        var logits = normalMatrix(rows: shape.interests, columns: 40, seed: 96)
        logits.scale(by: deviation)
        let found = InterestRouting.weights(of: votes, histories: Self.histories, logits: logits)
        var expected: [Double] = []
        for row in 0..<Self.histories.count {
            let own = Self.histories[row].map { id in
                (0..<shape.interests).map { k in Array(votes.doubleRow(Int(id))[k * shape.d..<(k + 1) * shape.d]) }
            }
            let start = (0..<shape.interests).map { Array(logits.doubleRow($0).suffix(own.count)) }
            let shares = reference(own, from: start)
            for place in own.indices { #expect(abs(shares.reduce(0) { $0 + $1[place] } - 1) < 1e-12) }
            expected += shares.flatMap { $0 }
        }
        // Logits are a few units after sums over 37 positions and d coordinates.
        expectClose(found, expected, absolute: 3e-6)
        if shape.interests > 1, shape.d > 1 {
            #expect(Set(found).count > found.count / 2, "routing moved the shares")
        }
    }

    @Test("weighted sums equal a loop, block by block", arguments: cases)
    func sums(shape: Case) {
        let votes = votes(shape)
        let weights = normalMatrix(rows: 1, columns: shape.interests * Self.histories.ids.count, seed: 92).elements
        let found = votes.weightedSums(weights, histories: Self.histories, interests: shape.interests)
        var expected: [SummedReference] = []
        for row in 0..<Self.histories.count {
            let (start, ids) = (shape.interests * Self.histories.offsets[row], Array(Self.histories[row]))
            for column in 0..<votes.columns {
                var sum = SummedReference()
                for (place, id) in ids.enumerated() {
                    let weight = weights[start + column / shape.d * ids.count + place]
                    sum.add(Double(weight) * Double(votes[Int(id), column]))
                }
                expected.append(sum)
            }
        }
        expectClose(found.elements, expected)
    }

    @Test("histories without items have sums of zero")
    func nothing() {
        let found = votes(Self.cases[2]).weightedSums([], histories: RaggedRows([[], []] as [[Int32]]), interests: 3)
        #expect(found == Matrix(rows: 2, columns: 60))
        #expect(InterestRouting.weights(of: found, histories: RaggedRows([[]] as [[Int32]]), logits: found).isEmpty)
    }

    @Test("squashing keeps the direction and zero, and gives lengths s / (1 + s)", arguments: tailLengths)
    func squash(d: Int) {
        var rows = normalMatrix(rows: 4, columns: d, seed: 93)
        for (row, factor) in [0, 1e-3, 1, 30].enumerated() as EnumeratedSequence<[Float]> {
            rows.setRow(row, to: rows.row(row).map { $0 * factor })
        }
        let found = rows.squashedRows()
        let expected = (0..<4).flatMap { row in
            let values = rows.doubleRow(row)
            let squared = values.reduce(0) { $0 + $1 * $1 }
            return values.map { $0 * squared / (1 + squared) / (squared + 1e-9).squareRoot() }
        }
        // The sum of the squared length, and a few roundings after it.
        expectClose(found.elements, expected, absolute: 0, relative: Double(d + 10) * roundoff)
    }

    @Test("a grouped product equals each group's product, with empty groups too", arguments: [1, 3, 64, 65])
    func groupedProduct(n: Int) {
        let offsets = [0, 2, 2, 7, 8]
        let rows = normalMatrix(rows: 8, columns: 5, seed: 94)
        let stack = normalMatrix(rows: 20, columns: n, seed: 95)
        let expected = (0..<4).flatMap { group in
            Matrix.product(rows.rows(offsets[group]..<offsets[group + 1]), stack.rows(group * 5..<group * 5 + 5))
                .doubles
        }
        expectClose(rows.groupedProduct(stack, offsets: offsets).elements, expected, absolute: 2e-6)
    }
}
