import Autodiff
import Foundation
import Kernels
import Recommenders
import TestSupport
import Testing

@Suite("SASRec, HSTU, GRU4Rec, NARM and the mean of items") struct StateRecommenderTests {
    private static func gru() -> GRU4Rec {
        var configuration = GRU4Rec.Configuration()
        (configuration.dimension, configuration.hidden, configuration.historyLength) = (4, 3, 4)
        configuration.logitScale = 3
        return GRU4Rec(configuration, items: 7, seed: 5)
    }

    private static func narm() -> NARM { NARM(gru().configuration, items: 7, seed: 5) }

    private static func sasrec() -> SASRec {
        var configuration = SASRec.Configuration()
        (configuration.dimension, configuration.hidden, configuration.historyLength) = (4, 5, 4)
        (configuration.heads, configuration.logitScale) = (2, 3)
        return SASRec(configuration, items: 7, seed: 5)
    }

    private static func hstu() -> HSTU {
        var configuration = HSTU.Configuration()
        (configuration.dimension, configuration.historyLength) = (4, 4)
        (configuration.heads, configuration.logitScale) = (2, 3)
        var model = HSTU(configuration, items: 7, seed: 5)
        model.parameters.disturbConstants()
        return model
    }

    private static func mean() -> DNN {
        var configuration = DNN.Configuration()
        (configuration.dimension, configuration.historyLength, configuration.logitScale) = (4, 4, 3)
        return DNN(configuration, items: 7, seed: 5)
    }

    private let batch = Variant("pool").batch

    @Test("agree with an independent reference: user vectors, loss and gradients")
    func references() throws {
        func check(_ fresh: some TrainedRecommender, _ names: [String]) throws {
            var model = fresh
            model.parameters = ReferenceValues.weights(of: model, names: names)
            let reference = try ReferenceValues(type(of: fresh).system)
            let found = model.userVectors(batch.histories, noise: batch.noise, readOut: .served).rows.elements
            expectClose(found, try #require(reference.users), absolute: 1e-5)
            let tape = Tape()
            reference.expectEqual(tape, model.loss(batch, on: tape).total, model.parameters)
        }
        try check(Self.mean(), ["items", "output", "output.bias"])
        try check(
            Self.gru(),
            ["items"] + ["input", "input.bias", "recurrent", "recurrent.bias", "output"].map { "gru." + $0 }
        )
        try check(
            Self.narm(),
            ["items"] + ["input", "input.bias", "recurrent", "recurrent.bias"].map { "gru." + $0 }
                + ["newest", "earlier", "weights"].map { "attention." + $0 } + ["output"]
        )
        let block = [
            "query", "key", "value", "mix", "expand", "expand.bias", "contract", "contract.bias", "distance",
            "attention.gain", "attention.bias", "feed.gain", "feed.bias",
        ]
        try check(
            Self.sasrec(),
            ["items"] + (0..<2).flatMap { index in block.map { "transformer.block\(index).\($0)" } }
                + ["transformer.norm.gain", "transformer.norm.bias"]
        )
    }

    @Test("gradients of the loss equal central differences")
    func gradients() throws {
        func check<Model: TrainedRecommender>(_ model: Model) {
            expectGradient(of: model.parameters) { parameters, tape in
                var changed = model
                changed.parameters = parameters
                return changed.loss(batch, on: tape).total
            }
        }
        check(Self.gru())
        check(Self.narm())
        check(Self.sasrec())
        // Masks depend on the batch's streams alone, so the loss stays a smooth function of the parameters. Rows that
        // are normalised need some length for differences to be exact: more elements, few of them dropped.
        var dropped = (gru: Self.gru().configuration, causal: Self.sasrec().configuration)
        (dropped.gru.dropout, dropped.causal.dropout) = (0.3, 0.1)
        dropped.causal.dimension = 24
        check(GRU4Rec(dropped.gru, items: 7, seed: 5))
        (dropped.gru.hidden, dropped.gru.dropout) = (12, 0.1)
        check(NARM(dropped.gru, items: 7, seed: 5))
        check(SASRec(dropped.causal, items: 7, seed: 5))
    }

    @Test("dropout changes the loss, not the answers; a row's masks depend on its stream, not on its batch")
    func dropout() {
        func check<Model: TrainedRecommender>(_ plain: Model, _ dropping: Model) {
            let users = { (model: Model) in
                model.userVectors(batch.histories, noise: batch.noise, readOut: .served).rows
            }
            let loss = { (model: Model, batch: TrainingBatch) in
                model.loss(batch, on: Tape(recording: false)).total.scalar
            }
            #expect(users(plain) == users(dropping))
            #expect(loss(plain, batch) != loss(dropping, batch))
            #expect(loss(dropping, batch) == loss(dropping, batch))
            var others = batch
            others.noise = NoiseSource(seed: batch.noise.seed, streams: batch.noise.streams.map { $0 + 100 })
            #expect(loss(dropping, batch) != loss(dropping, others))
        }
        var (gru, causal) = (Self.gru().configuration, Self.sasrec().configuration)
        let (plainGRU, plainCausal) = (gru, causal)
        (gru.dropout, causal.dropout) = (0.3, 0.3)
        check(GRU4Rec(plainGRU, items: 7, seed: 5), GRU4Rec(gru, items: 7, seed: 5))
        check(NARM(plainGRU, items: 7, seed: 5), NARM(gru, items: 7, seed: 5))
        check(SASRec(plainCausal, items: 7, seed: 5), SASRec(causal, items: 7, seed: 5))
        check(HSTU(plainCausal, items: 7, seed: 5), HSTU(causal, items: 7, seed: 5))
    }

    @Test("a prefix has the same vector in a batch and alone")
    func prefixes() {
        func check(_ model: some TrainedRecommender) {
            let rows: [[Int32]] = [[0], [0, 1], [0, 1, 2], [5, 1, 2], [5, 1, 2], [3]]
            let noise = NoiseSource(seed: 0, streams: [0, 1, 2, 3, 4, 5])
            let together = model.userVectors(RaggedRows(rows), noise: noise, readOut: .served).rows
            for (index, row) in rows.enumerated() {
                let one = NoiseSource(seed: 0, streams: [0])
                let alone = model.userVectors(RaggedRows([row]), noise: one, readOut: .served).rows
                expectClose(together.row(index), alone.doubleRow(0), absolute: 1e-6)
            }
            #expect(together.row(2) != together.row(3))
        }
        check(Self.gru())
        check(Self.narm())
        check(Self.sasrec())
        check(Self.hstu())
    }

    @Test("the recurrence equals its equations in Double")
    func recurrence() {
        let model = Self.gru()
        func weights(_ name: String) -> [Vector] {
            let matrix = model.parameters["gru.\(name)"]
            return (0..<matrix.rows).map(matrix.doubleRow)
        }
        func times(_ x: Vector, _ w: [Vector]) -> Vector {
            w[0].indices.map { column in zip(x, w).reduce(0) { $0 + $1.0 * $1.1[column] } }
        }
        func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
        var h = Vector(repeating: 0, count: 3)
        for item in [2, 0, 6] {
            let x = ReferenceModel.unit(model.parameters["items"].doubleRow(item)).map { $0 * 2 }
            let a = zip(times(x, weights("input")), weights("input.bias")[0]).map { $0 + $1 }
            let b = zip(times(h, weights("recurrent")), weights("recurrent.bias")[0]).map { $0 + $1 }
            h = (0..<3).map { j in
                let (r, z) = (sigmoid(a[j] + b[j]), sigmoid(a[3 + j] + b[3 + j]))
                return (1 - z) * tanh(a[6 + j] + r * b[6 + j]) + z * h[j]
            }
        }
        let found = model.userVectors(
            RaggedRows([[2, 0, 6]]),
            noise: NoiseSource(seed: 0, streams: [0]),
            readOut: .served
        )
        expectClose(found.rows.row(0), ReferenceModel.unit(times(h, weights("output"))), absolute: 2e-6)
    }

    @Test("stored parameters must fit the configuration")
    func storedParameters() throws {
        let model = Self.gru()
        let again = try GRU4Rec(model.configuration, stored: model.parameters.matrices)
        #expect(again.parameters == model.parameters)
        var lacking = model.parameters.matrices
        lacking["gru.recurrent"] = nil
        #expect(throws: ParameterError.missing("gru.recurrent")) {
            _ = try GRU4Rec(model.configuration, stored: lacking)
        }
        var wide = model.configuration
        wide.hidden = 6
        #expect(throws: ParameterError.shape("gru.input", expected: [4, 18], found: [4, 9])) {
            _ = try GRU4Rec(wide, stored: model.parameters.matrices)
        }
    }
}
