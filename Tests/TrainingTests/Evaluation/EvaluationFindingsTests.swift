import Kernels
import Testing
import Training

@Suite("Findings of an evaluation") struct EvaluationFindingsTests {
    /// The findings on 400 rows of which some are hits.
    private func findings(
        hits: Int,
        beside others: [String: Double],
        system: String = "dimerec",
        withoutHistory: Double? = nil,
        repeated: Int? = nil,
        unseen: Int? = nil,
        patienceEnd: Int? = nil
    ) -> [String] {
        EvaluationFindings(
            metrics: ["hr@20": Double(hits) / 400, "mrr@20": 0.83],
            rows: 400,
            system: system,
            predictors: others.sorted { $0.key < $1.key }.map { ($0.key, ["hr@20": $0.value, "mrr@20": 0.22]) },
            withoutHistory: withoutHistory,
            repeatedTargets: repeated,
            unseenTargets: unseen,
            patienceEnd: patienceEnd
        ).sentences
    }

    @Test("the best simple predictor judges the model, beyond the noise of so many rows")
    func verdict() {
        // Half the interval of an hr@20 of .5 on 400 rows is .049.
        let cases = [(0.44, "The model beats"), (0.46, "is not better"), (0.54, "is not better"), (0.56, "is worse")]
        for (other, verdict) in cases {
            let findings = findings(hits: 200, beside: ["popularity": 0.1, "transitions": other])
            #expect(findings.count == 1 && findings[0].contains(verdict) && findings[0].contains("transitions"))
            #expect(findings[0].contains("hr@20 of 0.5000 against 0.\(Int((other * 100).rounded()))00"))
        }
        #expect(findings(hits: 200, beside: [:]).isEmpty)
    }

    @Test("where everybody finds nearly every target, the reciprocal rank is shown instead of a verdict")
    func ceiling() {
        for (other, isDecided) in [(1.0, false), (0.997, false), (0.9, true)] {
            let findings = findings(hits: 400, beside: ["popularity": other])
            #expect(findings[0].contains("0.8300 against 0.2200") == !isDecided, "\(findings)")
            #expect(findings[0].contains("The model beats") == isDecided)
        }
        let tied = EvaluationFindings(
            metrics: ["hr@20": 1, "mrr@20": 0.83],
            rows: 400,
            system: "dimerec",
            predictors: [("popularity", ["hr@20": 1, "mrr@20": 0.22]), ("transitions", ["hr@20": 1, "mrr@20": 0.8])]
        )
        #expect(tied.sentences[0].contains("transitions"))
    }

    @Test("only a system that trains step by step is to be trained longer")
    func remedy() {
        for other in [0.5, 0.6] {
            for (system, isTrained) in [("dimerec", true), ("sasrec", true), ("vsknn", false), ("transitions", false)] {
                let findings = findings(hits: 200, beside: ["popularity": other, "transitions": 0.9], system: system)
                #expect(findings[0].lowercased().contains("train longer") == isTrained)
                #expect(findings[0].contains("transitions") == (system != "transitions"))
            }
        }
    }

    @Test("where patience ended the training, this is said, and nobody is told to train longer", arguments: [0.5, 0.6])
    func patience(other: Double) {
        let findings = findings(hits: 200, beside: ["transitions": other], patienceEnd: 700)
        #expect(findings.count == 2 && findings[1].contains("step 700"))
        #expect(!findings[0].lowercased().contains("train longer"))
    }

    @Test("a model that lives by repeats is told apart")
    func repeats() {
        let findings = findings(hits: 200, beside: [:], withoutHistory: 0.3975)
        #expect(findings.count == 1 && findings[0].contains("exclude_history"), "\(findings)")
        #expect(findings[0].contains("hr@20 is only 0.3975 instead of 0.5000"))
        #expect(self.findings(hits: 200, beside: [:], withoutHistory: 0.4).isEmpty)
        #expect(self.findings(hits: 0, beside: [:], withoutHistory: 0).isEmpty)
    }

    @Test("after a training, the targets that repeat an item bound the rate without the history")
    func repeatedTargets() {
        let findings = findings(hits: 399, beside: [:], repeated: 180)
        #expect(findings.count == 1 && findings[0].contains("hr@20 is at most 0.5500 instead of 0.9975"), "\(findings)")
        // Most targets that are found may be new ones.
        #expect(self.findings(hits: 200, beside: [:], repeated: 240).isEmpty)
        #expect(self.findings(hits: 200, beside: [:], repeated: 241).count == 1)
        let part = DataPart(userIDs: ["a", "b"], sequences: RaggedRows([[0, 1, 0], [2, 2, -1, 3]] as [[Int32]]))
        #expect(EvaluationRows(part, protocol: .allPrefixes).repeatedTargets == 2)
    }

    @Test("targets that the training did not have are counted")
    func unseen() {
        #expect(findings(hits: 1, beside: [:], unseen: 20).isEmpty)
        let findings = findings(hits: 1, beside: [:], unseen: 21)
        #expect(findings.count == 1 && findings[0].hasPrefix("5.2 % of the targets"), "\(findings)")
        let part = DataPart(userIDs: ["a", "b"], sequences: RaggedRows([[0, 1, 2], [3, -1]] as [[Int32]]))
        let rows = EvaluationRows(part, protocol: .allPrefixes)
        #expect(rows.unseenTargets(in: RaggedRows([[1, 3], []] as [[Int32]]), items: 4) == 2)
    }
}
