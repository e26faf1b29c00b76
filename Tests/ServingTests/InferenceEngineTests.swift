import Kernels
import Recommenders
import Serving
import Testing

/// A small model of every shape that the engine has code for.
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
        Variation("sinusoid positions") { $0.guidance.position = .sinusoid },
        Variation("geodesic noise") { $0.noise.kind = .geodesic },
        Variation("untied items") { $0.tiedItems = false },
        Variation("noiseless chain") { $0.reverse.noiseScale = .none },
    ]
}

@Suite("InferenceEngine") struct InferenceEngineTests {
    private static let items = 40

    /// Float32 sums in other orders: about 1e-7 a layer, twelve steps.
    private static let tolerance: Float = 1e-5

    @Test("equals the training graph for every shape", arguments: Variation.all)
    fileprivate func equalsGraph(_ variation: Variation) {
        let model = DimeRec(variation.configuration, items: Self.items, seed: 5)
        let engine = InferenceEngine(model.inferenceWeights)
        let workspace = engine.makeWorkspace()
        let numbers = CounterBasedGenerator(seed: 3, purpose: .simulation)
        for length in 1...engine.historyLength {
            for steps in [1, 2, 5, engine.maxSteps] {
                let history = numbers.integers(below: Self.items, stream: UInt64(length), count: length)
                let seed = UInt64(length * 100 + steps)
                let expected = model.generate(
                    histories: RaggedRows([history]),
                    noise: NoiseSource(seed: seed, streams: [0]),
                    steps: steps
                )
                _ = engine.encode(history: history[...], seed: seed, steps: steps, in: workspace)
                let largest = zip(workspace.userVector, expected.elements).map { abs($0 - $1) }.max() ?? .infinity
                #expect(largest <= Self.tolerance, "history of \(length), \(steps) steps: off by \(largest)")
            }
        }
    }

    @Test("an answer depends on nothing but history, seed and steps")
    func isPure() {
        let model = DimeRec(Variation("defaults").configuration, items: Self.items, seed: 5)
        let engine = InferenceEngine(model.inferenceWeights)
        let (used, fresh) = (engine.makeWorkspace(), engine.makeWorkspace())
        let history: [Int32] = [4, 4, 9, 31]
        for other in 0..<20 {
            _ = engine.encode(history: [Int32(other), 2], seed: UInt64(other), steps: 1 + other % 12, in: used)
        }
        _ = engine.encode(history: history[...], seed: 8, steps: 12, in: used)
        _ = engine.encode(history: history[...], seed: 8, steps: 12, in: fresh)
        #expect(used.userVector == fresh.userVector)
        _ = engine.encode(history: history[...], seed: 9, steps: 12, in: fresh)
        #expect(used.userVector != fresh.userVector)
    }

    @Test("a slice of a longer array reads the slice")
    func readsSlices() {
        let model = DimeRec(Variation("defaults").configuration, items: Self.items, seed: 5)
        let engine = InferenceEngine(model.inferenceWeights)
        let (whole, slice) = (engine.makeWorkspace(), engine.makeWorkspace())
        let long: [Int32] = [1, 2, 3, 4, 5, 6]
        _ = engine.encode(history: [3, 4, 5], seed: 1, steps: 12, in: whole)
        _ = engine.encode(history: long[2..<5], seed: 1, steps: 12, in: slice)
        #expect(whole.userVector == slice.userVector)
    }
}
