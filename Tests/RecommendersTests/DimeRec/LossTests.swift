import Autodiff
import Kernels
import Recommenders
import TestSupport
import Testing

@Suite("Joint loss") struct LossTests {
    @Test("its terms equal the equations in Double", arguments: Variant.all, NoiseConfiguration.Kind.allCases)
    func terms(variant: Variant, kind: NoiseConfiguration.Kind) {
        var configuration = variant.configuration
        configuration.noise.kind = kind
        let model = variant.model(configuration)
        let batch = variant.batch
        let table = configuration.tiedItems ? "items" : "items.output"
        let clean = model.parameters[table].gatheringRows(batch.targets).normalisedRows().unit
        let steps = model.noise.steps(batch.noise)
        let noised = model.noise.noised(clean, steps: steps, noise: batch.noise)
        let reference = ReferenceModel(model)
        let expected = reference.terms(batch, noised: (0..<4).map(noised.doubleRow), steps: steps)
        let loss = model.loss(batch, on: Tape(recording: false))
        #expect(loss.terms.map(\.name) == ["guidance", "reconstruction", "softmax"])
        // Values below 5 after some dozens of roundings in products of width up to 8, magnified by the logit scale.
        expectClose(loss.terms.map(\.value), expected, absolute: 5e-6)
        expectClose([loss.total.scalar], [reference.total(expected)], absolute: 1e-5)
    }

    @Test("own samples: the noised vector comes from the denoiser's prediction from noise at T")
    func ownSamples() {
        let variant = Variant("own samples") {
            $0.loss.ownSamples = 1
            $0.denoiser.recentItems = 2
        }
        let (model, batch) = (variant.model, variant.batch)
        let reference = ReferenceModel(model)
        let normals = CounterBasedGenerator(seed: batch.noise.seed, purpose: .ownSample)
            .normalRows(streams: batch.noise.streams, columns: 4)
        let answers = Matrix(
            (0..<4).map { row in
                reference.clean(
                    ReferenceModel.unit(normals.doubleRow(row)),
                    t: 3,
                    history: Variant.histories[row]
                ).map(Float.init)
            }
        )
        let steps = model.noise.steps(batch.noise)
        let noised = model.noise.noised(answers, steps: steps, noise: batch.noise)
        let expected = reference.terms(batch, noised: (0..<4).map(noised.doubleRow), steps: steps)
        expectClose(model.loss(batch, on: Tape(recording: false)).terms.map(\.value), expected, absolute: 1e-5)
    }

    @Test("own samples: only a share of the rows has them")
    func shareOfOwnSamples() {
        func softmax(_ share: Double) -> Float {
            let variant = Variant("share") { $0.loss.ownSamples = share }
            return variant.model.loss(variant.batch, on: Tape(recording: false)).terms[2].value
        }
        #expect(softmax(0.5) != softmax(0) && softmax(0.5) != softmax(1))
    }

    @Test("without the sphere, its terms are the same equations of unnormalised rows")
    func euclideanTerms() {
        let (model, batch) = (Variant.euclidean.model, Variant.euclidean.batch)
        #expect(model.scoringItems == model.parameters["items"])
        let steps = model.noise.steps(batch.noise)
        let clean = model.parameters["items"].gatheringRows(batch.targets)
        let noised = model.noise.noised(clean, steps: steps, noise: batch.noise)
        let expected = ReferenceModel(model).terms(batch, noised: (0..<4).map(noised.doubleRow), steps: steps)
        // As above, with squared distances up to some dozens.
        expectClose(model.loss(batch, on: Tape(recording: false)).terms.map(\.value), expected, absolute: 5e-5)
    }

    @Test(
        "a batch is the sum of its shards, each row with its own noise",
        arguments: Variant.all + [Variant("own samples") { $0.loss.ownSamples = 0.5 }],
        [1, 2, 3]
    )
    func shards(variant: Variant, cut: Int) {
        let model = variant.model
        func run(_ rows: Range<Int>) -> (loss: Double, gradients: Gradients) {
            let tape = Tape()
            let loss = model.loss(variant.batch(rows: rows), on: tape).total
            return (Double(loss.scalar), tape.backward(from: loss))
        }
        let whole = run(0..<4)
        var (loss, sum) = run(0..<cut)
        let rest = run(cut..<4)
        loss += rest.loss
        sum.add(rest.gradients)
        #expect(abs(loss - whole.loss) < 2e-6)
        for name in model.parameters.names {
            let expected = whole.gradients.whole(name, like: model.parameters[name])
            expectClose(sum.whole(name, like: expected).elements, expected.doubles, absolute: 2e-6, name)
        }
    }

    @Test("constraints hold after a step")
    func constraints() {
        let variant = Variant("constrained") {
            $0.loss.learnLogitScale = true
            $0.tiedItems = false
            $0.projectItems = true
        }
        var model = variant.model
        for (value, expected) in [(9, 4.605_170_2), (-3, 0), (2, 2)] as [(Float, Double)] {
            model.parameters["logScale"] = Matrix([[value]])
            model.constrain()
            expectClose(model.parameters["logScale"].elements, [expected], absolute: 1e-6)
        }
        for table in ["items", "items.output"] {
            #expect(model.parameters[table].normalisedRows().norms.allSatisfy { abs($0 - 1) < 1e-6 })
        }
        #expect(model.scoringItems == model.parameters["items.output"].normalisedRows().unit)
        var free = Variant("free").model
        let before = free.parameters
        free.constrain()
        #expect(free.parameters == before)
    }

    @Test("a fresh model is a function of its seed, with the shapes of its recipe", arguments: Variant.all)
    func initialisation(variant: Variant) throws {
        let configuration = variant.configuration
        let model = DimeRec(configuration, items: 7, seed: 3)
        #expect(model.parameters == DimeRec(configuration, items: 7, seed: 3).parameters)
        #expect(model.parameters["items"] != DimeRec(configuration, items: 7, seed: 4).parameters["items"])
        #expect(model.parameters["items"].shape == [7, 4])
        #expect(model.parameters.firstNonFinite == nil)
        let stored = model.parameters.matrices
        #expect(try DimeRec(configuration, stored: stored).parameters == model.parameters)
        #expect(throws: ParameterError.missing("denoiser.output")) {
            try DimeRec(configuration, stored: stored.filter { $0.key != "denoiser.output" })
        }
        var wrong = stored
        wrong["denoiser.output"] = Matrix(rows: 6, columns: 5)
        #expect(throws: ParameterError.shape("denoiser.output", expected: [6, 4], found: [6, 5])) {
            try DimeRec(configuration, stored: wrong)
        }
        #expect(throws: ParameterError.missing("items")) { try DimeRec(configuration, stored: [:]) }
    }

    @Test("initial weights have the stated size")
    func initialSizes() {
        let model = DimeRec(DimeRecConfiguration(), items: 2000, seed: 5)
        // Normal with deviation 1/8: 128,000 draws know it to 2e-4 relative 2e-3.
        let items = moments(model.parameters["items"].doubles)
        #expect(abs(items.mean) < 4 * 0.125 / 128_000.0.squareRoot())
        #expect(abs(items.deviation - 0.125) < 4 * 0.125 / 256_000.0.squareRoot())
        // Xavier: uniform within sqrt(6 / (in + out)).
        let bound = (6.0 / Double(256 + 256)).squareRoot()
        let weights = model.parameters["denoiser.guidance"].doubles
        #expect(model.parameters["denoiser.guidance"].shape == [256, 256])
        #expect(kolmogorovDistance(weights) { min(max(($0 / bound + 1) / 2, 0), 1) } < 1.95 / 256)
        #expect(model.parameters["denoiser.bias"].elements.allSatisfy { $0 == 0 })
    }
}
