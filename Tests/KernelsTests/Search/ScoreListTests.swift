import Kernels
import TestSupport
import Testing

@Suite("ScoreList") struct ScoreListTests {
    private static let scores = normalMatrix(rows: 1, columns: 300, seed: 5).elements

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let scores: [Float]

        init(_ testDescription: String, _ change: (inout [Float]) -> Void) {
            self.testDescription = testDescription
            var scores = ScoreListTests.scores
            change(&scores)
            self.scores = scores
        }
    }

    static let cases: [Case] = [
        Case("ordinary") { _ in },
        Case("all equal") { $0 = $0.map { _ in 3 } },
        Case("an infinity") { $0[200] = .infinity },
        Case("one minus infinity") { $0[200] = -.infinity },
        Case("both infinities, several times") { for i in 0..<90 { $0[3 * i] = i % 2 == 0 ? .infinity : -.infinity } },
        Case("a difference beyond the range of Float") { ($0[7], $0[250]) = (-3e38, 3e38) },
        Case("a difference too small for bins") {
            $0 = $0.indices.map { Float($0 % 7) * .leastNormalMagnitude / 16 }
        },
        Case("NaN first") { $0[0] = .nan },
        Case("NaN among other scores") { for i in 0..<40 { $0[7 * i + 5] = .nan } },
        Case("only NaN") { $0 = $0.map { _ in .nan } },
    ]

    @Test("equals a sort for any scores", arguments: cases, [1, 5, 100, 299, 300])
    func matchesSort(item: Case, k: Int) {
        // NaN ranks with minus infinity.
        let expected = item.scores.enumerated()
            .map { Scored(id: Int32(1000 - $0), score: $1.isNaN ? -.infinity : $1) }
            .sorted().prefix(k)
        var (scores, ids, found) = (item.scores, item.scores.indices.map { Int32(1000 - $0) }, [Scored]())
        var list = ScoreList()
        list.best(k, of: &scores, &ids, count: scores.count, into: &found)
        #expect(found == Array(expected))
    }
}
