import Kernels
import Testing
import Training

@Suite("Evaluation protocol") struct EvaluationProtocolTests {
    @Test(
        "cuts at the documented lengths",
        arguments: [
            (.allPrefixes, 0, []), (.allPrefixes, 1, []), (.allPrefixes, 2, [1]), (.allPrefixes, 5, [1, 2, 3, 4]),
            (.nextAfter80, 1, []), (.nextAfter80, 2, [1]), (.nextAfter80, 5, [4]), (.nextAfter80, 10, [8]),
            (.nextAfter80, 165, [132]), (.fiveCuts, 1, []), (.fiveCuts, 2, [1]), (.fiveCuts, 5, [4]),
            (.fiveCuts, 10, [8, 9]), (.fiveCuts, 25, [20, 21, 22, 23, 24]), (.fiveCuts, 100, [80, 84, 88, 92, 96]),
            (.lastItem, 0, []), (.lastItem, 1, []), (.lastItem, 2, [1]), (.lastItem, 9, [8]),
        ] as [(EvaluationProtocol, Int, [Int])]
    )
    func cuts(protocol: EvaluationProtocol, count: Int, expected: [Int]) {
        #expect(`protocol`.cuts(count: count) == expected)
    }

    @Test("cuts ascend and leave both a history and a target", arguments: EvaluationProtocol.allCases)
    func wellFormed(protocol: EvaluationProtocol) {
        for count in 0..<400 {
            let cuts = `protocol`.cuts(count: count)
            #expect(cuts.allSatisfy { $0 >= 1 && $0 < count })
            #expect(zip(cuts, cuts.dropFirst()).allSatisfy { $0 < $1 })
            #expect(cuts.isEmpty == (count < 2))
        }
    }

    @Test("has the names of the command line") func names() {
        let names = ["all-prefixes", "next-after-80", "five-cuts", "last-item"]
        #expect(EvaluationProtocol.allCases.map(\.rawValue) == names)
    }

    private func part(_ sequences: [[Int32]], targets: DataPart.Targets = .any) -> DataPart {
        DataPart(userIDs: sequences.indices.map { "u\($0)" }, sequences: RaggedRows(sequences), targets: targets)
    }

    @Test("the target of a row is the item after the cut") func rows() {
        let rows = EvaluationRows(part([[4, 5, 6], [7], [8, 9]]), protocol: .allPrefixes)
        #expect((0..<rows.count).map { rows.user(of: $0) } == [0, 0, 2])
        #expect((0..<rows.count).map { rows.cut(of: $0) } == [1, 2, 1])
        #expect((0..<rows.count).map { rows.history(of: $0, limit: 10) } == [[4], [4, 5], [8]])
        #expect(rows.history(of: 1, limit: 1) == [5])
        #expect((0..<rows.count).map { rows.target(of: $0) } == [5, 6, 9])
    }

    @Test("unknown items are not in histories but keep their row") func unknownItems() {
        let rows = EvaluationRows(part([[-1, 3, -1, 4, -1], [-1, -1, 2]]), protocol: .allPrefixes)
        #expect((0..<rows.count).map { rows.target(of: $0) } == [3, nil, 4, nil, nil, 2])
        #expect((0..<rows.count).map { rows.history(of: $0, limit: 2) } == [[], [3], [3], [3, 4], [], []])
        #expect(rows.history(of: 3, limit: 1) == [4])
    }

    @Test("a part with only last items as targets gives one row a sequence") func lastOnly() {
        for suited in [EvaluationProtocol.allPrefixes, .lastItem] {
            #expect(suited.suits(.last))
            let rows = EvaluationRows(part([[1, 2, 3], [4, 5, 6, 7]], targets: .last), protocol: suited)
            #expect((0..<rows.count).map { rows.target(of: $0) } == [3, 7])
        }
        #expect(!EvaluationProtocol.fiveCuts.suits(.last) && !EvaluationProtocol.nextAfter80.suits(.last))
        #expect(EvaluationProtocol.allCases.allSatisfy { $0.suits(.any) })
    }
}
