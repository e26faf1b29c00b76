import Autodiff
import Kernels
import Recommenders
import TestSupport
import Testing

/// A recipe variant of a model that is small enough for differences of every element.
struct Variant: Sendable, CustomTestStringConvertible {
    enum Draw: Sendable {
        case pool
        case perRow
        case catalogue
    }

    var testDescription: String
    var negatives = Draw.pool
    var configure: @Sendable (inout DimeRecConfiguration) -> Void

    init(
        _ name: String,
        negatives: Draw = .pool,
        _ configure: @escaping @Sendable (inout DimeRecConfiguration) -> Void = { _ in }
    ) {
        (testDescription, self.negatives, self.configure) = (name, negatives, configure)
    }

    static let all = [
        Variant("pool with mask"),
        Variant("private negatives", negatives: .perRow),
        Variant("catalogue negatives", negatives: .catalogue),
        Variant("learnable scale") { $0.loss.learnLogitScale = true },
        Variant("untied items") { $0.tiedItems = false },
        Variant("depth 2") { $0.denoiser.depth = 2 },
        Variant("residual noised") { $0.denoiser.residual = .noised },
        Variant("residual mean interest") { $0.denoiser.residual = .meanInterest },
        Variant("mean layout") { $0.denoiser.layout = .mean },
        Variant("mean layout and residual") {
            $0.denoiser.layout = .mean
            $0.denoiser.residual = .meanInterest
        },
        Variant("recent items") { $0.denoiser.recentItems = 3 },
        Variant("recent items behind a hidden layer") {
            $0.denoiser.recentItems = 2
            $0.denoiser.conditionHidden = 5
            $0.denoiser.residual = .condition
        },
        Variant("step table") { $0.denoiser.stepEmbedding = .table },
        Variant("rule-based") { $0.guidance.kind = .ruleBased },
        Variant("SASRec") { $0.guidance.kind = .transformer },
        Variant("HSTU") { $0.guidance.kind = .transduction },
        Variant("dynamic routing") { $0.guidance.kind = .dynamicRouting },
        Variant("MIND") { $0.guidance.kind = .mind },
        Variant("MLP") { $0.guidance.kind = .mlp },
        Variant("left padding") { $0.guidance.padding = .left },
        Variant("sinusoid positions") { $0.guidance.position = .sinusoid },
        Variant("raw interests") { $0.guidance.normaliseRows = false },
        Variant("raw output") { $0.denoiser.normaliseOutput = false },
        Variant("mean reduction") { $0.loss.reconstruction = .mean },
        Variant("SiLU") { $0.denoiser.activation = .silu },
        Variant("weights") {
            $0.loss.guidance = 0.5
            $0.loss.lambda = 2
            $0.loss.mu = 1.5
        },
        Variant("everything", negatives: .catalogue) {
            $0.loss.learnLogitScale = true
            $0.tiedItems = false
            $0.denoiser.depth = 2
            $0.denoiser.residual = .noised
            $0.denoiser.stepEmbedding = .table
            $0.guidance.padding = .left
        },
    ]

    /// Nothing on the sphere.
    static let euclidean = Variant("euclidean") {
        $0.geometry = .euclidean
        $0.guidance.normaliseRows = false
        $0.denoiser.normaliseOutput = false
        $0.loss.logitScale = 1
    }

    /// The recipe: d 4, K 2, T 3, histories of up to 4, gradients through everything.
    var configuration: DimeRecConfiguration {
        var configuration = DimeRecConfiguration()
        (configuration.dimension, configuration.interests, configuration.steps) = (4, 2, 3)
        configuration.historyLength = 4
        configuration.guidance.hidden = 5
        configuration.denoiser.hidden = 6
        configuration.loss.logitScale = 3
        configuration.loss.lambda = 0.7
        configuration.loss.detachNoised = false
        configure(&configuration)
        return configuration
    }

    /// Seven items, and every parameter a multiple of 1/2048 of size about a half, so that nothing is zero by chance.
    var model: DimeRec { model(configuration) }

    func model(_ configuration: DimeRecConfiguration) -> DimeRec {
        var model = DimeRec(configuration, items: 7, seed: 1)
        for (index, name) in model.parameters.names.enumerated() {
            model.parameters.update(name) {
                $0 = gridMatrix(rows: $0.rows, columns: $0.columns, seed: UInt64(200 + index))
                if !name.hasPrefix("items") { $0.scale(by: 0.5) }
            }
        }
        return model
    }

    /// Four rows with repeats in and across histories.
    var batch: TrainingBatch { batch(rows: 0..<4) }

    static let histories: [[Int32]] = [[0, 1, 2], [3], [4, 4, 5, 1], [6, 2]]
    static let targets: [Int32] = [3, 1, 6, 0]
    /// Items of the pool, by column.
    static let pool: [Int32] = [2, 5, 5, 0, 4, 1]
    private static let poolMasks: [[Int32]] = [[], [5], [1, 2, 0], [3]]
    private static let catalogueMasks: [[Int32]] = [[3], [1, 0], [6], [0, 5, 2]]
    private static let privateNegatives: [[Int32]] = [[2, 5, 6], [0, 0, 4], [3, 2, 0], [5, 1, 3]]

    func batch(rows: Range<Int>) -> TrainingBatch {
        let correction: Float = testDescription == "weights" ? 0.75 : 0
        let corrections: [Float]? = testDescription == "weights" ? [0.75, -0.5, -0.5, 0.1, 0, 2] : nil
        func draw(_ kind: Draw) -> Negatives {
            switch kind {
            case .pool: .pool(Self.pool, corrections: corrections, masked: RaggedRows(Self.poolMasks[rows]))
            case .perRow: .perRow(Self.privateNegatives[rows].flatMap { $0 }, count: 3, correction: correction)
            case .catalogue: .catalogue(masked: RaggedRows(Self.catalogueMasks[rows]))
            }
        }
        return TrainingBatch(
            histories: RaggedRows(Self.histories[rows]),
            targets: Array(Self.targets[rows]),
            negatives: draw(negatives),
            secondNegatives: testDescription == "weights" ? draw(.perRow) : nil,
            noise: NoiseSource(seed: 77, streams: [10, 11, 12, 13][rows].map { $0 }),
            stepRows: 4
        )
    }
}
