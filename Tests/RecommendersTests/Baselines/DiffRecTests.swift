import Autodiff
import Kernels
import Recommenders
import TestSupport
import Testing

@Suite("DiffRec, T-DiffRec and L-DiffRec") struct DiffRecTests {
    private static func diffrec(_ configure: (inout DiffRec.Configuration) -> Void = { _ in }) -> DiffRec {
        var configuration = DiffRec.Configuration()
        (configuration.hidden, configuration.historyLength, configuration.oldestWeight) = (5, 4, 0.4)
        (configuration.noise.steps, configuration.noise.firstVariance) = (4, 0.05)
        (configuration.noise.lastVariance, configuration.target) = (0.5, .prefixAndNext)
        configure(&configuration)
        return DiffRec(configuration, items: 7, seed: 5)
    }

    private static func latent(_ configure: (inout LatentDiffRec.Configuration) -> Void = { _ in }) -> LatentDiffRec {
        var configuration = LatentDiffRec.Configuration()
        (configuration.dimension, configuration.hidden) = (3, 5)
        (configuration.historyLength, configuration.oldestWeight) = (4, 0.4)
        (configuration.noise.steps, configuration.noise.firstVariance) = (4, 0.05)
        configuration.noise.lastVariance = 0.5
        (configuration.lambda, configuration.beta, configuration.annealingSteps) = (0.7, 0.3, 100)
        configure(&configuration)
        return LatentDiffRec(configuration, items: 7, seed: 5)
    }

    private static func waves(_ model: DiffRec) -> ParameterSet {
        ReferenceValues.weights(of: model, names: ["items", "denoiser.input", "denoiser.step", "denoiser.bias"])
    }

    private static func waves(_ model: LatentDiffRec) -> ParameterSet {
        ReferenceValues.weights(
            of: model,
            names: ["items"] + ["encoder.mean", "encoder.log-variance"].flatMap { [$0, $0 + ".bias"] }
                + ["input", "step", "bias", "output", "output.bias"].map { "denoiser.\($0)" }
        )
    }

    private static let steps = [1, 3, 4, 2]

    private static func kept(_ factors: (dropped: Float, kept: Float), every: Int, at: Int, _ rows: Int, _ columns: Int)
        -> Matrix
    {
        let elements = (0..<rows * columns).map { $0 % every == at ? factors.dropped : factors.kept }
        return Matrix(rows: rows, columns: columns, elements: elements)
    }

    private let batch = Variant("pool").batch

    private func scores(_ model: some TrainedRecommender, _ histories: [[Int32]]) -> Matrix {
        let noise = NoiseSource(seed: 3, streams: histories.indices.map { UInt64($0) })
        return model.itemSpace.scores(
            of: model.userVectors(RaggedRows(histories), noise: noise, readOut: .served)
        )
    }

    @Test(
        "DiffRec agrees with an independent reference, and its chain with a chain of dense rows",
        arguments: ReconstructionTarget.allCases
    )
    func diffrecReference(target: ReconstructionTarget) throws {
        let reference = try ReferenceValues("diffrec-\(target.rawValue)")
        var model = Self.diffrec { $0.target = target }
        model.parameters = Self.waves(model)
        let draws = DiffRec.Draws(
            steps: Self.steps,
            normals: ReferenceValues.waves(50, rows: 4, columns: 7),
            kept: Self.kept((0, 2), every: 3, at: 1, 4, 7)
        )
        let tape = Tape()
        reference.expectEqual(tape, model.loss(batch, draws: draws, on: tape).total, model.parameters)
        let served = try #require(reference.guided)
        let largest = served.map(abs).max() ?? 0
        expectClose(scores(model, Variant.histories).elements, served, absolute: 1e-5 * largest)
        let stored = try DiffRec(model.configuration, stored: model.parameters.matrices)
        expectClose(scores(stored, Variant.histories).elements, served, absolute: 1e-5 * largest)
    }

    @Test("L-DiffRec agrees with an independent reference")
    func latentReference() throws {
        let reference = try ReferenceValues("l-diffrec")
        var model = Self.latent()
        model.parameters = Self.waves(model)
        let draws = LatentDiffRec.Draws(
            steps: Self.steps,
            normals: ReferenceValues.waves(50, rows: 4, columns: 6),
            keptItems: Self.kept((0, 2), every: 3, at: 1, 1, 9).elements,
            kept: Self.kept((0, 1.5), every: 4, at: 2, 4, 3)
        )
        var batch = batch
        batch.step = 30
        let tape = Tape()
        reference.expectEqual(tape, model.loss(batch, draws: draws, on: tape).total, model.parameters)
        let served = try #require(reference.guided)
        expectClose(
            scores(model, Variant.histories).elements,
            served,
            absolute: 1e-5 * (served.map(abs).max() ?? 0)
        )
    }

    @Test("gradients of the loss equal central differences, for every target")
    func gradients() {
        for target in ReconstructionTarget.allCases {
            let diffrec = Self.diffrec { $0.target = target }
            expectGradient(of: Self.waves(diffrec)) { parameters, tape in
                var changed = diffrec
                changed.parameters = parameters
                return changed.loss(batch, on: tape).total
            }
            let latent = Self.latent { $0.target = target }
            var later = batch
            later.step = 50
            expectGradient(of: Self.waves(latent)) { parameters, tape in
                var changed = latent
                changed.parameters = parameters
                return changed.loss(later, on: tape).total
            }
        }
    }

    @Test("a row's loss and vector do not depend on its batch")
    func batches() {
        let whole = Variant("pool")
        func check(_ model: some TrainedRecommender) {
            func loss(_ batch: TrainingBatch) -> Float { model.loss(batch, on: Tape(recording: false)).total.scalar }
            let alone = (0..<4).reduce(Float(0)) { $0 + loss(whole.batch(rows: $1..<$1 + 1)) }
            #expect(abs(loss(whole.batch) - alone) < 1e-5 * max(1, abs(alone)))
            let together = scores(model, Variant.histories)
            for (index, history) in Variant.histories.enumerated() {
                expectClose(together.row(index), scores(model, [history]).doubleRow(0), absolute: 1e-6)
            }
        }
        for target in ReconstructionTarget.allCases {
            check(Self.diffrec { $0.target = target })
            check(Self.latent { $0.target = target })
        }
    }

    @Test("older items weigh less, a repeated item weighs as its newest place, a single item weighs 1")
    func ages() {
        var model = Self.diffrec { $0.noise.steps = 1 }
        model.parameters = Self.waves(model)
        model.parameters.update("denoiser.input") { $0.scale(by: 0.1) }
        func differ(_ a: [Int32], _ b: [Int32]) -> Bool {
            let found = scores(model, [a, b])
            return zip(found.row(0), found.row(1)).contains { abs($0 - $1) > 1e-4 }
        }
        #expect(differ([0, 1, 2], [1, 0, 2]))
        #expect(differ([0, 1, 0], [0, 1]))
        // In both, item 0 is the newest and item 1 the oldest.
        #expect(!differ([1, 0, 0], [1, 0]))
        var alike = model.configuration
        alike.oldestWeight = 1
        var set = DiffRec(alike, items: 7, seed: 5)
        set.parameters = model.parameters
        let found = scores(set, [[0, 1, 2], [2, 1, 0, 0]])
        expectClose(found.row(1), found.doubleRow(0), absolute: 1e-6)
        #expect(zip(scores(set, [[3]]).row(0), scores(model, [[3]]).row(0)).allSatisfy { $0 == $1 })
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
        try check(Self.diffrec(), lacking: "denoiser.input")
        try check(Self.latent(), lacking: "encoder.log-variance")
    }
}
