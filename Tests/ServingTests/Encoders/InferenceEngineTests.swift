import Kernels
import Recommenders
import Serving
import TestSupport
import Testing

/// One small model for each shape of the engine's code.
private struct Variation: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let configuration: DimeRecConfiguration

    init(_ name: String, _ change: (inout DimeRecConfiguration) -> Void = { _ in }) {
        testDescription = name
        var configuration = DimeRecConfiguration()
        configuration.dimension = 24
        configuration.historyLength = 9
        configuration.interests = 3
        configuration.steps = 12
        configuration.guidance.hidden = 70
        configuration.denoiser.hidden = 130
        change(&configuration)
        self.configuration = configuration
    }

    /// A fresh model without constant parameters: biases, gains and similar ones are disturbed.
    var model: DimeRec {
        var model = DimeRec(configuration, items: 40, seed: 5)
        model.parameters.disturbConstants()
        return model
    }

    static let all = [
        Variation("defaults"),
        Variation("mean-interest residual") { $0.denoiser.residual = .meanInterest },
        Variation("noised residual") { $0.denoiser.residual = .noised },
        Variation("two layers of tanh") {
            $0.denoiser.depth = 2
            $0.denoiser.activation = .tanh
        },
        Variation("mean layout, step table") {
            $0.denoiser.layout = .mean
            $0.denoiser.stepEmbedding = .table
        },
        Variation("raw interests, left padding") {
            $0.guidance.normaliseRows = false
            $0.guidance.padding = .left
        },
        Variation("rule-based guidance") { $0.guidance.kind = .ruleBased },
        Variation("SASRec guidance") { $0.guidance.kind = .transformer },
        Variation("SASRec guidance of one block and three heads") {
            $0.guidance.kind = .transformer
            $0.guidance.blocks = 1
            $0.guidance.attentionHeads = 3
        },
        Variation("HSTU guidance") { $0.guidance.kind = .transduction },
        Variation("dynamic-routing guidance") { $0.guidance.kind = .dynamicRouting },
        Variation("MIND guidance") { $0.guidance.kind = .mind },
        Variation("MLP guidance") { $0.guidance.kind = .mlp },
        Variation("sinusoid positions") { $0.guidance.position = .sinusoid },
        Variation("geodesic noise") { $0.noise.kind = .geodesic },
        Variation("untied items") { $0.tiedItems = false },
        Variation("noiseless chain") { $0.reverse.noiseScale = .none },
    ]
}

@Suite("InferenceEngine") struct InferenceEngineTests {
    private static let items = 40

    /// Float32 sums in another order: about 1e-7 a layer, twelve steps.
    private static let tolerance: Float = 1e-5

    private struct User {
        var history: [Int32]
        var seed: UInt64
        var steps: Int
        var samples = 1
    }

    private func vectors(_ engine: InferenceEngine, _ users: [User], in workspace: (any InferenceWorkspace)? = nil)
        -> [Float]
    {
        let workspace = workspace ?? engine.makeWorkspace()
        workspace.removeAll()
        for user in users {
            engine.add(
                history: user.history[...],
                seed: user.seed,
                steps: user.steps,
                samples: user.samples,
                to: workspace
            )
        }
        engine.generate(in: workspace)
        return Array(workspace.userVectors.prefix(users.reduce(0) { $0 + $1.samples } * engine.dimension))
    }

    @Test("equals the training graph for every shape", arguments: Variation.all, [0, Int.max])
    fileprivate func equalsGraph(_ variation: Variation, keyBytes: Int) {
        let model = variation.model
        let engine = InferenceEngine(model.inferenceWeights(keyBytes: keyBytes))
        let workspace = engine.makeWorkspace()
        let numbers = CounterBasedGenerator(seed: 3, purpose: .simulation)
        for length in 1...engine.historyLength {
            for steps in [1, 2, 5, engine.maxSteps] {
                let history = numbers.integers(below: Self.items, stream: UInt64(length), count: length)
                let seed = UInt64(length * 100 + steps)
                let expected = model.generate(
                    histories: RaggedRows([history, history]),
                    noise: NoiseSource(seed: seed, streams: [0, 1]),
                    steps: steps
                )
                let user = User(history: history, seed: seed, steps: steps, samples: 2)
                let found = vectors(engine, [user], in: workspace)
                let largest = zip(found, expected.elements).map { abs($0 - $1) }.max() ?? .infinity
                #expect(largest <= Self.tolerance, "history of \(length), \(steps) steps: off by \(largest)")
            }
        }
    }

    @Test("without a number of steps in the request, the recipe's number counts, or T")
    func defaultSteps() {
        for (number, expected) in [(0, 20), (1, 1), (20, 20)] {
            var configuration = DimeRecConfiguration()
            (configuration.dimension, configuration.reverse.steps) = (8, number)
            let engine = InferenceEngine(DimeRec(configuration, items: 5, seed: 1).inferenceWeights())
            #expect(engine.defaultSteps == expected && engine.maxSteps == 20)
        }
    }

    @Test("a request gets the same bytes alone and in any batch", arguments: Variation.all)
    fileprivate func isIndependentOfBatch(_ variation: Variation) {
        let engine = InferenceEngine(variation.model.inferenceWeights())
        let numbers = CounterBasedGenerator(seed: 4, purpose: .simulation)
        let users = (0..<11).map { user in
            User(
                history: numbers.integers(below: Self.items, stream: UInt64(user), count: 1 + user % 9),
                seed: UInt64(user),
                steps: user % 5 == 4 ? 3 : engine.maxSteps,
                samples: user == 6 ? 5 : 1
            )
        }
        let alone = users.map { vectors(engine, [$0]) }
        let workspace = engine.makeWorkspace()
        for batch in [0..<11, 0..<4, 1..<8, 5..<7, 3..<4, 2..<11] {
            #expect(
                vectors(engine, Array(users[batch]), in: workspace) == alone[batch].flatMap { $0 },
                "users \(batch)"
            )
        }
    }

    @Test("the first samples do not depend on the number of samples, and all differ")
    func samplesAreNested() {
        let engine = InferenceEngine(
            DimeRec(Variation("defaults").configuration, items: 40, seed: 5).inferenceWeights()
        )
        let many = vectors(engine, [User(history: [1, 2, 3], seed: 9, steps: 12, samples: 8)])
        for samples in [1, 2, 5] {
            let few = vectors(engine, [User(history: [1, 2, 3], seed: 9, steps: 12, samples: samples)])
            #expect(few[...] == many.prefix(samples * engine.dimension))
        }
        let rows = stride(from: 0, to: many.count, by: engine.dimension).map { Array(many[$0..<$0 + engine.dimension]) }
        #expect(Set(rows).count == 8)
    }

    @Test("an answer depends only on history, seed and steps")
    func isPure() {
        let engine = InferenceEngine(
            DimeRec(Variation("defaults").configuration, items: 40, seed: 5).inferenceWeights()
        )
        let used = engine.makeWorkspace()
        for other in 0..<20 {
            let user = User(
                history: [Int32(other), 2],
                seed: UInt64(other),
                steps: 1 + other % 12,
                samples: 1 + other % 3
            )
            _ = vectors(engine, [user], in: used)
        }
        let user = User(history: [4, 4, 9, 31], seed: 8, steps: 12)
        #expect(vectors(engine, [user], in: used) == vectors(engine, [user]))
        let other = User(history: [4, 4, 9, 31], seed: 9, steps: 12)
        #expect(vectors(engine, [other]) != vectors(engine, [user]))
    }

    @Test(
        "a trace ends in the served bits, and its path and interests match the training graph",
        arguments: Variation.all
    )
    fileprivate func tracesTheChain(_ variation: Variation) {
        let model = variation.model
        let engine = InferenceEngine(model.inferenceWeights())
        let numbers = CounterBasedGenerator(seed: 6, purpose: .simulation)
        for (length, steps) in [(1, 1), (4, 5), (9, 2), (7, engine.maxSteps)] {
            let history = numbers.integers(below: Self.items, stream: UInt64(length), count: length)
            let seed = UInt64(length)
            let noise = NoiseSource(seed: seed, streams: [0])
            var expected: [Float] = []
            let end = model.generate(histories: RaggedRows([history]), noise: noise, steps: steps) { noisy, _ in
                expected += noisy.elements
            }
            expected += end.elements
            let trace = engine.trace(history: history[...], seed: seed, steps: steps)
            #expect(trace.path.shape == [steps + 1, engine.dimension])
            let off = zip(trace.path.elements, expected).map { abs($0 - $1) }.max() ?? .infinity
            #expect(expected.count == trace.path.count && off <= Self.tolerance, "\(steps) steps: off by \(off)")
            let user = User(history: history, seed: seed, steps: steps)
            #expect(trace.path.row(steps) == vectors(engine, [user]), "\(steps) steps")
            let interests = model.userVectors(RaggedRows([history]), noise: noise, readOut: .guidanceBest).rows
            let apart = zip(trace.interests.elements, interests.elements).map { abs($0 - $1) }.max() ?? .infinity
            #expect(trace.interests.shape == interests.shape && apart <= Self.tolerance, "interests off by \(apart)")
        }
    }

    @Test("a slice of a longer array reads the slice")
    func readsSlices() {
        let engine = InferenceEngine(
            DimeRec(Variation("defaults").configuration, items: 40, seed: 5).inferenceWeights()
        )
        let workspace = engine.makeWorkspace()
        let long: [Int32] = [1, 2, 3, 4, 5, 6]
        engine.add(history: long[2..<5], seed: 1, steps: 12, samples: 1, to: workspace)
        engine.generate(in: workspace)
        #expect(workspace.userVectors == vectors(engine, [User(history: [3, 4, 5], seed: 1, steps: 12)]))
    }
}
