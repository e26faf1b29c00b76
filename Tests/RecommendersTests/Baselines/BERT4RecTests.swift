import Autodiff
import Kernels
import Recommenders
import TestSupport
import Testing

@Suite("BERT4Rec") struct BERT4RecTests {
    private static func model(_ configure: (inout BERT4Rec.Configuration) -> Void = { _ in }) -> BERT4Rec {
        var configuration = BERT4Rec.Configuration()
        (configuration.dimension, configuration.historyLength) = (4, 4)
        (configuration.heads, configuration.hidden, configuration.dropout) = (2, 6, 0)
        configure(&configuration)
        return BERT4Rec(configuration, items: 7, seed: 5)
    }

    private let batch = Variant("pool").batch

    /// Weights that are sines, so that every parameter changes the output.
    private static func waves(_ model: BERT4Rec) -> ParameterSet {
        let norms = ["input.norm", "output.norm"].flatMap { ["\($0).gain", "\($0).bias"] }
        let block = [
            "query", "key", "value", "mix", "expand", "expand.bias", "contract", "contract.bias", "attention.gain",
            "attention.bias", "feed.gain", "feed.bias",
        ]
        return ReferenceValues.weights(
            of: model,
            names: ["items", "items.bias", "mask", "positions"] + norms
                + ["head", "head.bias", "head.norm.gain", "head.norm.bias"]
                + (0..<2).flatMap { index in block.map { "block\(index).\($0)" } }
        )
    }

    private func rows(_ model: BERT4Rec, _ histories: [[Int32]]) -> Matrix {
        let noise = NoiseSource(seed: 3, streams: histories.indices.map { UInt64($0) })
        return model.userVectors(RaggedRows(histories), noise: noise, readOut: .served).rows
    }

    @Test("agrees with an independent reference")
    func reference() throws {
        var model = Self.model()
        model.parameters = Self.waves(model)
        let tape = Tape()
        let hidden = RaggedRows([[3], [0, 1], [0, 2, 4], [1]] as [[Int32]])
        try ReferenceValues("bert4rec")
            .expectEqual(tape, model.loss(batch, hidden: hidden, on: tape).total, model.parameters)
    }

    @Test("gradients of the loss equal central differences")
    func gradients() {
        let model = Self.model { ($0.maskProbability, $0.nextShare, $0.dropout) = (0.4, 0.2, 0.3) }
        expectGradient(of: Self.waves(model)) { parameters, tape in
            var changed = model
            changed.parameters = parameters
            return changed.loss(batch, on: tape).total
        }
    }

    @Test("a row's loss and vector do not depend on its batch")
    func batches() {
        let model = Self.model { ($0.maskProbability, $0.nextShare, $0.dropout) = (0.5, 0.3, 0.3) }
        func loss(_ batch: TrainingBatch) -> Float { model.loss(batch, on: Tape(recording: false)).total.scalar }
        let whole = Variant("pool")
        let alone = (0..<4).reduce(Float(0)) { $0 + loss(whole.batch(rows: $1..<$1 + 1)) }
        #expect(abs(loss(whole.batch) - alone) < 1e-5)
        let together = rows(model, Variant.histories)
        for (index, history) in Variant.histories.enumerated() {
            expectClose(together.row(index), rows(model, [history]).doubleRow(0), absolute: 1e-6)
        }
    }

    @Test("served scores equal the logits of training with only the next item hidden")
    func nextItem() {
        var model = Self.model { $0.nextShare = 1 }
        model.parameters = Self.waves(model)
        let users = UserVectors(rows: rows(model, Variant.histories))
        let scores = model.itemSpace.scores(of: users)
        let expected = Variable.multinomial(
            logits: Tape(recording: false).constant(scores),
            columns: RaggedRows(Variant.targets.map { [$0] }),
            weight: 0.25
        )
        let found = model.loss(batch, on: Tape(recording: false)).total.scalar
        #expect(abs(found - expected.scalar) < 1e-5)
    }

    @Test("hidden items are not visible; other items are, on both sides")
    func sight() {
        var model = Self.model()
        model.parameters = Self.waves(model)
        // The loss of one hidden place of one sequence.
        func loss(_ history: [Int32], _ target: Int32, hidden: [Int32]) -> Float {
            let batch = TrainingBatch(
                histories: RaggedRows([history]),
                targets: [target],
                negatives: .catalogue(masked: RaggedRows([[]])),
                noise: NoiseSource(seed: 1, streams: [0]),
                stepRows: 1
            )
            return model.loss(batch, hidden: RaggedRows([hidden]), on: Tape(recording: false)).total.scalar
        }
        let middle = loss([0, 1, 2], 3, hidden: [1])
        #expect(abs(middle - loss([5, 1, 2], 3, hidden: [1])) > 1e-3)
        #expect(abs(middle - loss([0, 1, 2], 6, hidden: [1])) > 1e-3)
        // The prediction at the other place does not depend on the item hidden here.
        func likelihoods(_ item: Int32) -> [Float] { (0..<7).map { loss([0, item, 2], $0, hidden: [1, 3]) } }
        let (one, five) = (likelihoods(1), likelihoods(5))
        for target in 1..<7 { #expect(abs((one[target] - one[0]) - (five[target] - five[0])) < 1e-5) }
    }

    @Test("items are hidden with the configured probability, and only the next item in its share of rows")
    func shares() {
        let count = 20_000
        let batch = TrainingBatch(
            histories: RaggedRows([[Int32]](repeating: [1, 2], count: count)),
            targets: [Int32](repeating: 3, count: count),
            negatives: .catalogue(masked: RaggedRows([[Int32]](repeating: [], count: count))),
            noise: NoiseSource(seed: 1, streams: (0..<UInt64(count)).map(\.self)),
            stepRows: count
        )
        func expectShare(_ hidden: RaggedRows, _ probability: Double, _ holds: (ArraySlice<Int32>) -> Bool) {
            let found = (0..<count).count { holds(hidden[$0]) }
            // Five standard errors of a binomial share.
            let error = (Double(count) * probability * (1 - probability)).squareRoot()
            #expect(abs(Double(found) - Double(count) * probability) <= 5 * error)
        }
        let (p, share) = (0.3, 0.25)
        let drawn = Self.model { ($0.maskProbability, $0.nextShare) = (p, share) }.hiddenPlaces(batch)
        for place in 0..<2 { expectShare(drawn, (1 - share) * p) { $0.contains(Int32(place)) } }
        expectShare(drawn, (1 - share) * p * p) { $0.starts(with: [0, 1]) }
        expectShare(drawn, share + (1 - share) * (1 - p) * (1 - p)) { $0.elementsEqual([2]) }
        expectShare(Self.model { $0.nextShare = 1 }.hiddenPlaces(batch), 1) { $0.elementsEqual([2]) }
        expectShare(Self.model { ($0.maskProbability, $0.nextShare) = (0, 0) }.hiddenPlaces(batch), 1) {
            $0.elementsEqual([2])
        }
    }

    @Test("stored parameters must fit the configuration")
    func storedParameters() throws {
        let model = Self.model()
        let matrices = model.parameters.matrices
        #expect(try BERT4Rec(model.configuration, stored: matrices).parameters == model.parameters)
        var lacking = matrices
        lacking["block1.mix"] = nil
        #expect(throws: ParameterError.missing("block1.mix")) {
            _ = try BERT4Rec(model.configuration, stored: lacking)
        }
        var shorter = model.configuration
        shorter.historyLength = 3
        #expect(throws: ParameterError.shape("positions", expected: [4, 4], found: [5, 4])) {
            _ = try BERT4Rec(shorter, stored: matrices)
        }
    }
}
