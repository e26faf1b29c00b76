import Autodiff
import Foundation
import Kernels
import Recommenders
import TestSupport
import Testing

@Suite("Mult-VAE, Caser, FPMC and Fossil") struct NetworkBaselineTests {
    private let batch = Variant("pool").batch

    private static func multVAE(_ configure: (inout MultVAE.Configuration) -> Void = { _ in }) -> MultVAE {
        var configuration = MultVAE.Configuration()
        (configuration.dimension, configuration.hidden, configuration.latent) = (4, 5, 3)
        (configuration.historyLength, configuration.annealingSteps) = (4, 100)
        configure(&configuration)
        return MultVAE(configuration, items: 7, seed: 5)
    }

    private static func caser(_ configure: (inout Caser.Configuration) -> Void = { _ in }) -> Caser {
        var configuration = Caser.Configuration()
        (configuration.dimension, configuration.historyLength) = (4, 3)
        (configuration.horizontalFilters, configuration.verticalFilters, configuration.dropout) = (3, 2, 0)
        configure(&configuration)
        return Caser(configuration, items: 7, seed: 5)
    }

    private static func fpmc(_ configure: (inout FPMC.Configuration) -> Void = { _ in }) -> FPMC {
        var configuration = FPMC.Configuration()
        (configuration.dimension, configuration.historyLength, configuration.logitScale) = (4, 2, 3)
        configure(&configuration)
        return FPMC(configuration, items: 7, seed: 5)
    }

    private static func fossil(_ configure: (inout Fossil.Configuration) -> Void = { _ in }) -> Fossil {
        var configuration = Fossil.Configuration()
        (configuration.dimension, configuration.historyLength) = (4, 4)
        configure(&configuration)
        return Fossil(configuration, items: 7, seed: 5)
    }

    private func rows(_ model: some TrainedRecommender, _ histories: [[Int32]]) -> Matrix {
        let noise = NoiseSource(seed: 3, streams: histories.indices.map { UInt64($0) })
        return model.userVectors(RaggedRows(histories), noise: noise, readOut: .served).rows
    }

    private func loss(_ model: some TrainedRecommender, _ batch: TrainingBatch) -> Float {
        model.loss(batch, on: Tape(recording: false)).total.scalar
    }

    @Test("Mult-VAE agrees with an independent reference")
    func multVAEReference() throws {
        var model = Self.multVAE()
        model.parameters = ReferenceValues.weights(
            of: model,
            names: [
                "items", "encoder.items", "encoder.bias", "encoder.mean", "encoder.mean.bias", "encoder.log-variance",
                "encoder.log-variance.bias", "decoder", "decoder.bias",
            ]
        )
        let draws = MultVAE.Draws(
            normals: ReferenceValues.waves(50, rows: 4, columns: 3),
            kept: (0..<9).map { $0 % 3 == 1 ? 0 : 2 }
        )
        var batch = batch
        batch.step = 30
        let tape = Tape()
        try ReferenceValues("mult-vae")
            .expectEqual(tape, model.loss(batch, draws: draws, on: tape).total, model.parameters)
    }

    @Test("FPMC agrees with an independent reference")
    func fpmcReference() throws {
        var model = Self.fpmc { $0.loss = .bpr }
        model.parameters = ReferenceValues.weights(of: model, names: ["items", "items.previous"])
        let tape = Tape()
        try ReferenceValues("fpmc").expectEqual(tape, model.loss(batch, on: tape).total, model.parameters)
    }

    @Test("Fossil agrees with an independent reference")
    func fossilReference() throws {
        var model = Self.fossil()
        model.parameters = ReferenceValues.weights(of: model, names: ["items", "items.previous", "order"])
        let tape = Tape()
        try ReferenceValues("fossil").expectEqual(tape, model.loss(batch, on: tape).total, model.parameters)
    }

    @Test("Caser agrees with an independent reference")
    func caserReference() throws {
        var model = Self.caser()
        model.parameters = ReferenceValues.weights(
            of: model,
            names: ["items", "items.previous", "vertical", "output", "output.bias"]
                + (1...3).flatMap { ["horizontal\($0)", "horizontal\($0).bias"] }
        )
        let tape = Tape()
        try ReferenceValues("caser").expectEqual(tape, model.loss(batch, on: tape).total, model.parameters)
    }

    @Test(
        "gradients of the loss equal central differences, for every kind of negatives",
        arguments: ["pool", "perRow"]
    )
    func gradients(kind: String) {
        let batch = Variant(kind, negatives: kind == "pool" ? .pool : .perRow).batch
        func check(_ model: some TrainedRecommender) {
            expectGradient(of: model.parameters) { parameters, tape in
                var changed = model
                changed.parameters = parameters
                return changed.loss(batch, on: tape).total
            }
        }
        for loss in RankingLoss.allCases {
            check(Self.fpmc { $0.loss = loss })
            check(Self.fossil { $0.loss = loss })
        }
        check(Self.multVAE { $0.target = .next })
    }

    @Test("a row's loss and vector do not depend on its batch")
    func batches() {
        let whole = Variant("pool")
        func check(_ model: some TrainedRecommender) {
            let alone = (0..<4).reduce(Float(0)) { $0 + loss(model, whole.batch(rows: $1..<$1 + 1)) }
            #expect(abs(loss(model, whole.batch) - alone) < 1e-5)
            let together = rows(model, Variant.histories)
            for (index, history) in Variant.histories.enumerated() {
                expectClose(together.row(index), rows(model, [history]).doubleRow(0), absolute: 1e-6)
            }
        }
        check(Self.multVAE())
        check(Self.caser { $0.dropout = 0.5 })
        for loss in RankingLoss.allCases {
            check(Self.fpmc { $0.loss = loss })
            check(Self.fossil { $0.loss = loss })
        }
    }

    @Test("Mult-VAE reads a set, and the divergence's weight depends on the step")
    func multVAE() {
        let model = Self.multVAE()
        let found = rows(model, [[0, 1, 2], [2, 1, 0, 0], [2, 1]])
        expectClose(found.row(1), found.doubleRow(0), absolute: 1e-6)
        #expect(zip(found.row(2), found.row(0)).contains { abs($0 - $1) > 1e-3 })

        func parts(_ step: Int) -> (total: Float, likelihood: Float, divergence: Float) {
            var batch = batch
            batch.step = step
            let loss = model.loss(batch, on: Tape(recording: false))
            return (loss.total.scalar, loss.terms[0].value, loss.terms[1].value)
        }
        for (step, beta) in [(0, 0), (50, 0.1), (100, 0.2), (1000, 0.2)] as [(Int, Float)] {
            let (total, likelihood, divergence) = parts(step)
            #expect(divergence > 0)
            #expect(abs(total - likelihood - beta * divergence) < 1e-5)
        }
    }

    @Test("Caser and FPMC use only the newest items: Caser in order, FPMC as a set")
    func newest() {
        func differ(_ found: Matrix, _ row: Int) -> Bool {
            zip(found.row(row), found.row(0)).contains { abs($0 - $1) > 1e-3 }
        }
        // The reference's weights: with fresh weights all ReLUs of the last layer may be zero.
        var caser = Self.caser()
        caser.parameters = ReferenceValues.weights(
            of: caser,
            names: ["items", "items.previous", "vertical", "output", "output.bias"]
                + (1...3).flatMap { ["horizontal\($0)", "horizontal\($0).bias"] }
        )
        let convolved = rows(caser, [[3, 0, 1, 2], [5, 0, 1, 2], [3, 1, 0, 2], [1, 2]])
        #expect(convolved.row(1) == convolved.row(0))
        #expect(differ(convolved, 2) && differ(convolved, 3))
        let chained = rows(Self.fpmc(), [[3, 1, 2], [5, 1, 2], [2, 1], [1]])
        #expect(chained.row(1) == chained.row(0))
        expectClose(chained.row(2), chained.doubleRow(0), absolute: 1e-6)
        #expect(differ(chained, 3))
    }

    @Test("the last column of an item table is the item's bias")
    func bias() {
        func check(_ model: some TrainedRecommender) {
            let users = rows(model, Variant.histories)
            #expect(users.columns == model.scoringItems.columns)
            #expect((0..<4).allSatisfy { users.row($0).last == 1 })
        }
        check(Self.multVAE())
        check(Self.caser())
        check(Self.fossil())
    }

    @Test("stored parameters must fit the configuration")
    func storedParameters() throws {
        func check<Model: Recommender>(_ model: Model, lacking name: String) throws {
            let matrices = model.parameters.matrices
            #expect(try Model(model.configuration, stored: matrices).parameters == model.parameters)
            var lacking = matrices
            lacking[name] = nil
            #expect(throws: ParameterError.missing(name)) { _ = try Model(model.configuration, stored: lacking) }
        }
        try check(Self.multVAE(), lacking: "encoder.items")
        try check(Self.caser(), lacking: "horizontal2")
        try check(Self.fpmc(), lacking: "items.previous")
        try check(Self.fossil(), lacking: "order")
    }
}
