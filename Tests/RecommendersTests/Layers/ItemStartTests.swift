import Kernels
import Recommenders
import TestSupport
import Testing

@Suite("Start of item rows") struct ItemStartTests {
    private let random = normalMatrix(rows: 61, columns: 16, seed: 3)

    /// Sequences within one of three groups of twenty items; item 60 is in none.
    private let sequences = RaggedRows(
        (0..<300).map { user -> [Int32] in
            let group = user % 3 * 20
            return (0..<8).map { place -> Int32 in Int32(group + (user * 7 + place * 3) % 20) }
        }
    )

    private func cosine(_ a: Int, _ b: Int, in rows: Matrix) -> Float {
        let unit = rows.normalisedRows().unit
        return zip(unit.row(a), unit.row(b)).reduce(0) { $0 + $1.0 * $1.1 }
    }

    @Test("rows are closer to those of their own group than to any other")
    func neighbours() {
        let rows = ItemStart.neighbours.rows(from: random, sequences: sequences)
        for item in 0..<60 {
            let own = (0..<60).filter { $0 / 20 == item / 20 && $0 != item }.map { cosine(item, $0, in: rows) }
            let others = (0..<60).filter { $0 / 20 != item / 20 }.map { cosine(item, $0, in: rows) }
            #expect(own.reduce(0, +) / 19 > (others.max() ?? 1), "item \(item)")
        }
    }

    @Test("rows with neighbours have length 1, and others stay")
    func lengths() {
        let rows = ItemStart.neighbours.rows(from: random, sequences: sequences)
        for item in 0..<60 {
            let square: Float = rows.row(item).reduce(0) { $0 + $1 * $1 }
            #expect(abs(square - 1) < 1e-4)
        }
        #expect(rows.row(60) == random.row(60))
        #expect(ItemStart.neighbours.rows(from: random, sequences: RaggedRows()).elements == random.elements)
        #expect(ItemStart.random.rows(from: random, sequences: sequences).elements == random.elements)
    }

    @Test("items with the same only neighbour begin close to it and apart from each other")
    func sameNeighbour() {
        let twins = RaggedRows((1..<6).map { [0, Int32($0)] } + (6..<60).map { [Int32($0), Int32($0 % 20 + 20)] })
        let rows = ItemStart.neighbours.rows(from: random, sequences: twins)
        for (a, b) in [(1, 2), (2, 5), (3, 4)] {
            #expect(cosine(a, b, in: rows) < 0.99)
            #expect(cosine(a, b, in: rows) > cosine(a, 30, in: rows))
        }
    }

    @Test("sums over links equal a loop")
    func sums() {
        let links = ItemLinks(neighboursIn: sequences, items: 61, keeping: 5)
        let sums = links.sums(of: random)
        for item in 0..<61 {
            var expected = [Float](repeating: 0, count: 16)
            for link in links.links(of: Int32(item)) {
                for (column, value) in random.row(Int(link.item)).enumerated() {
                    expected[column] += link.strength * value
                }
            }
            for (sum, value) in zip(sums.row(item), expected) {
                let difference: Float = abs(sum - value)
                #expect(difference < 1e-4)
            }
        }
    }
}
