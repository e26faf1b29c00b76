import Autodiff
import Kernels
import Recommenders
import TestSupport
import Testing

@Suite("ComiRec-SA, ComiRec-DR and MIND") struct MultiInterestTests {
    private static let histories: [[Int32]] = [[0, 1, 2], [3], [4, 4, 5, 1, 6], [6, 2]]

    private static func attentive() -> ComiRecSA {
        var configuration = ComiRecSA.Configuration()
        (configuration.dimension, configuration.historyLength, configuration.interests) = (4, 5, 3)
        (configuration.hidden, configuration.logitScale) = (6, 3)
        return ComiRecSA(configuration, items: 7, seed: 5)
    }

    private static var routing: MultiInterestConfiguration {
        var configuration = MultiInterestConfiguration()
        (configuration.dimension, configuration.historyLength, configuration.interests) = (4, 5, 3)
        configuration.logitScale = 3
        return configuration
    }

    private static func routed() -> ComiRecDR { ComiRecDR(routing, items: 7, seed: 5) }

    private static func mind() -> MIND { MIND(routing, items: 7, seed: 5) }

    private static let attentiveNames = [
        "items", "attention.projection", "attention.projection.bias", "attention.position", "attention.heads",
    ]

    @Test("agree with an independent reference")
    func references() throws {
        let targets: [Int32] = [3, 1, 6, 0]
        let batch = TrainingBatch(
            histories: RaggedRows(Self.histories),
            targets: targets,
            negatives: .catalogue(masked: RaggedRows(targets.map { [$0] })),
            noise: NoiseSource(seed: 77, streams: [10, 11, 12, 13]),
            stepRows: 4
        )
        func check(_ fresh: some TrainedRecommender, _ names: [String]) throws {
            var model = fresh
            model.parameters = ReferenceValues.weights(of: model, names: names)
            let tape = Tape()
            let loss = model.loss(batch, on: tape).total
            try ReferenceValues(type(of: fresh).system).expectEqual(tape, loss, model.parameters)
        }
        try check(Self.attentive(), Self.attentiveNames)
        try check(Self.routed(), ["items", "routing.votes"])
        try check(Self.mind(), ["items", "routing.votes"])
    }

    @Test("gradients of ComiRec-SA's loss equal central differences")
    func gradients() {
        var model = Self.attentive()
        model.parameters = ReferenceValues.weights(of: model, names: Self.attentiveNames)
        expectGradient(of: model.parameters) { parameters, tape in
            var changed = model
            changed.parameters = parameters
            return changed.loss(Variant("pool").batch, on: tape).total
        }
    }

    @Test("every user has K unit vectors, the same in a batch and alone")
    func userVectors() {
        func check(_ model: some TrainedRecommender) {
            let noise = NoiseSource(seed: 0, streams: [0, 1, 2, 3])
            let together = model.userVectors(RaggedRows(Self.histories), noise: noise, readOut: .served)
            #expect(together.perUser == 3)
            #expect(together.rows.shape == [12, 4])
            for (user, history) in Self.histories.enumerated() {
                let one = NoiseSource(seed: 0, streams: [9])
                let alone = model.userVectors(RaggedRows([history]), noise: one, readOut: .served).rows
                for interest in 0..<3 {
                    let row = alone.doubleRow(interest)
                    expectClose(together.rows.row(3 * user + interest), row, absolute: 1e-6)
                    expectClose([Float(row.reduce(0) { $0 + $1 * $1 })], [1], absolute: 1e-5)
                }
            }
        }
        check(Self.attentive())
        check(Self.routed())
        check(Self.mind())
    }

    @Test("MIND's interests differ, because its initial logits do")
    func mindsInterests() {
        let rows = Self.mind().userVectors(
            RaggedRows([[4, 2, 5, 1, 6]]),
            noise: NoiseSource(seed: 0, streams: [0]),
            readOut: .served
        ).rows
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            #expect(zip(rows.row(a), rows.row(b)).reduce(0) { $0 + $1.0 * $1.1 } < 0.999)
        }
    }
}
