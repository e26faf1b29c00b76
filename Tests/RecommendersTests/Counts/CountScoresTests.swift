import Foundation
import Kernels
import Recommenders
import TestSupport
import Testing

@Suite("Count scores") struct CountScoresTests {
    private static let items = 30
    private static let sequences = random(seed: 1, rows: 200, longest: 12)

    /// Random sequences over the items, some of them empty; low numbers are frequent.
    private static func random(seed: UInt64, rows: Int, longest: Int) -> RaggedRows {
        let generator = CounterBasedGenerator(seed: seed, purpose: .simulation)
        return RaggedRows(
            (0..<rows).map { row in
                let length = Int(generator.integers(below: longest + 1, stream: UInt64(2 * row), count: 1)[0])
                return generator.uniforms(stream: UInt64(2 * row + 1), count: length).map {
                    Int32($0 * $0 * Double(items - 1))
                }
            }
        )
    }

    @Test("followers are the items that came next, by their shrunk share") func followers() throws {
        let links = ItemLinks(followersIn: Self.sequences, items: Self.items, keeping: 5)
        for item in 0..<Int32(Self.items) {
            var counts: [Int32: Int] = [:]
            for row in 0..<Self.sequences.count {
                let sequence = Array(Self.sequences[row])
                for (first, second) in zip(sequence, sequence.dropFirst()) where first == item {
                    counts[second, default: 0] += 1
                }
            }
            let all = counts.values.reduce(0, +)
            let expected = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(5)
            let found = links.links(of: item)
            #expect(found.map(\.item) == expected.map(\.key))
            for (link, pair) in zip(found, expected) {
                #expect(abs(link.strength - Float(pair.value) / Float(all + 5)) < 1e-6)
            }
        }
    }

    @Test("neighbours are the items of the same sequences, by their shrunk cosine") func neighbours() {
        let links = ItemLinks(neighboursIn: Self.sequences, items: Self.items, keeping: Self.items)
        let sets = (0..<Self.sequences.count).map { Set(Self.sequences[$0]) }
        func having(_ item: Int32) -> Int { sets.count { $0.contains(item) } }
        for item in 0..<Int32(Self.items) {
            let found = Dictionary(uniqueKeysWithValues: links.links(of: item).map { ($0.item, $0.strength) })
            for other in 0..<Int32(Self.items) {
                let shared = sets.count { $0.contains(item) && $0.contains(other) }
                guard shared > 0, other != item else {
                    #expect(found[other] == nil)
                    continue
                }
                let cosine = Float(shared) / (Float(having(item) + 3) * Float(having(other) + 3)).squareRoot()
                #expect(abs((found[other] ?? 0) - cosine) < 1e-6)
            }
        }
    }

    @Test("items more than 50 places apart are no neighbours") func window() {
        let sequence = [1] + [Int32](repeating: 0, count: 49) + [2, 3]
        let links = ItemLinks(neighboursIn: RaggedRows([sequence]), items: 4, keeping: 4)
        #expect(Set(links.links(of: 1).map(\.item)) == [0, 2])
        #expect(Set(links.links(of: 3).map(\.item)) == [0, 2])
    }

    @Test("terms are those of the definition, and the buffers can be used again") func terms() {
        var configuration = CountConfiguration()
        configuration.popular = 8
        let scores = CountScores(counting: Self.sequences, items: Self.items, configuration)
        let frequencies = (0..<Self.items).map { item in Self.sequences.ids.count { Int($0) == item } }
        let ninth = frequencies.sorted(by: >)[8]
        let popular = frequencies.map { $0 > ninth ? log(Float($0) / Float(ninth)) : 0 }
        let histories = Self.random(seed: 2, rows: 40, longest: 30)
        let links = (
            ItemLinks(followersIn: Self.sequences, items: Self.items, keeping: 100),
            ItemLinks(neighboursIn: Self.sequences, items: Self.items, keeping: 50)
        )
        var linked = LinkedItems()
        for row in 0..<histories.count {
            let history = Array(histories[row])
            linked.collect(history[...], scores)
            for item in 0..<Int32(Self.items) {
                var expected = CountScores.Terms.zero
                if let newest = history.last, let link = links.0.links(of: newest).first(where: { $0.item == item }) {
                    expected[0] = log1p(10 * link.strength)
                    expected[1] = log1p(1000 * link.strength)
                }
                var near: Float = 0
                for (age, other) in history.suffix(20).reversed().enumerated() {
                    let link = links.1.links(of: other).first { $0.item == item }
                    near += pow(0.9, Float(age)) * (link?.strength ?? 0)
                }
                if near > 0 { (expected[2], expected[3]) = (log1p(10 * near), log1p(1000 * near)) }
                if let last = history.lastIndex(of: item) {
                    expected[4] = 1
                    expected[5] = 1 / Float(history.count - last)
                    expected[6] = log(Float(history.count { $0 == item }))
                    expected[7] = log(Float(history.count))
                    expected[8] = log(Float(history.count - last))
                    (expected[9], expected[10]) = (expected[1], expected[3])
                }
                expected[11] = popular[Int(item)]
                let found = linked.place(ifLinked: item).map(linked.terms(at:)) ?? .zero
                let difference = found - expected
                #expect((0..<16).allSatisfy { abs(difference[$0]) < 1e-4 }, "item \(item) after \(history)")
            }
        }
    }

    @Test("scores of all items gain the weighted terms, and nothing else") func addsToScores() {
        var counts = CountScores(counting: Self.sequences, items: Self.items, CountConfiguration())
        counts.weights = countTerms(0.5, -0.1, 0.3, 0.2, -2, 1, 0.7, -0.2, 0.15, -0.03, 0.04, 0.1)
        counts.slopes = CountScores.Slopes(repeated: 0.4, followed: -0.1, near: -0.2)
        let histories = Self.random(seed: 3, rows: 9, longest: 6)
        var scores = Matrix(rows: histories.count, columns: Self.items, repeating: 3)
        counts.add(to: &scores, histories: histories)
        var linked = LinkedItems()
        for row in 0..<histories.count {
            linked.collect(histories[row], counts)
            for item in 0..<Self.items {
                let terms = linked.place(ifLinked: Int32(item)).map(linked.terms(at:)) ?? .zero
                let slope = (histories[row].contains(Int32(item)) ? 0.4 : 1) - 0.1 * terms[1] - 0.2 * terms[3]
                #expect(abs(scores[row, item] - 3 * slope - (terms * counts.weights).sum()) < 1e-5)
            }
        }
        #expect(counts.scaled(by: 2).score(linked.terms(at: 0)) == 2 * counts.score(linked.terms(at: 0)))
    }

    // MARK: Storage

    @Test("stored counts come back, and leave the other matrices alone") func storage() throws {
        var counts = CountScores(counting: Self.sequences, items: Self.items, CountConfiguration())
        counts.weights[3] = 0.25
        counts.slopes = CountScores.Slopes(repeated: 0.5, followed: -0.01, near: 0.02)
        var matrices = counts.matrices
        matrices["items"] = Matrix(rows: 1, columns: 1)
        #expect(try CountScores.take(from: &matrices, items: Self.items) == counts)
        #expect(Array(matrices.keys) == ["items"])
        #expect(try CountScores.take(from: &matrices, items: Self.items) == nil)
        // Older versions have seven terms, and the slope of repeats or none.
        for (columns, repeated) in [(8, Float(0.5)), (7, 1)] {
            matrices = counts.matrices.filter { !$0.key.hasPrefix("counts.popular") }
            matrices["counts.weights"] = Matrix(
                rows: 1,
                columns: columns,
                elements: Array(([0, 0, 0, 0.25, 0, 0, 0, 0.5] as [Float]).prefix(columns))
            )
            let old = try #require(try CountScores.take(from: &matrices, items: Self.items))
            #expect(old.slopes == CountScores.Slopes(repeated: repeated, followed: 0, near: 0))
            #expect(old.weights == counts.weights)
        }
    }

    @Test(
        "stored counts that are damaged are refused",
        arguments: [
            "counts.weights", "counts.followers.lengths", "counts.followers.items", "counts.followers.strengths",
            "counts.neighbours.lengths", "counts.neighbours.items", "counts.neighbours.strengths",
            "counts.popular.items", "counts.popular.strengths",
        ]
    )
    func damage(name: String) throws {
        let counts = CountScores(counting: Self.sequences, items: Self.items, CountConfiguration())
        let matrix = try #require(counts.matrices[name])
        let bad: [Matrix?] = [
            nil, Matrix(rows: matrix.rows + 1, columns: matrix.columns), Matrix(rows: 0, columns: matrix.columns),
            Matrix(rows: matrix.rows, columns: matrix.columns, repeating: .nan),
            Matrix(rows: matrix.rows, columns: matrix.columns, repeating: -.infinity),
            // Scores would exceed a Float, and an answer cannot hold them.
            Matrix(rows: matrix.rows, columns: matrix.columns, repeating: .greatestFiniteMagnitude),
        ]
        for replacement in bad {
            var matrices = counts.matrices
            matrices[name] = replacement
            #expect(throws: ParameterError.self) { try CountScores.take(from: &matrices, items: Self.items) }
        }
        var matrices = counts.matrices
        #expect(throws: ParameterError.self) { try CountScores.take(from: &matrices, items: Self.items + 1) }
    }
}
