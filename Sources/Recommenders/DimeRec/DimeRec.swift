public import Autodiff
import Foundation
public import Kernels

/// DimeRec: diffusion with multi-interest guidance (WSDM 2025; method, sections 3 to 6).
///
/// A guidance module turns a history into K interests; a denoiser conditioned on them turns noise into the user's next
/// interest in T reverse steps on the unit sphere. Both train jointly on
/// `L_guidance + lambda * L_reconstruction + mu * L_softmax` (equation 23).
public struct DimeRec: TrainedRecommender {
    /// `dimerec`.
    public static let system = "dimerec"
    /// Name of the class table when it is not the item table.
    static let classTable = "items.output"
    static let logScale = "logScale"

    /// Hyper-parameters.
    public let configuration: DimeRecConfiguration
    /// All trained parameters.
    public var parameters: ParameterSet
    /// Forward noise and its schedule.
    public let noise: ForwardNoise
    let guidance: GuidanceExtraction
    let denoiser: DiffusionAggregation

    /// A model over given parameters.
    public init(_ configuration: DimeRecConfiguration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
        noise = ForwardNoise(
            configuration.noise,
            dimension: configuration.dimension,
            steps: configuration.steps,
            geometry: configuration.geometry
        )
        guidance = GuidanceExtraction(configuration: configuration)
        denoiser = DiffusionAggregation(configuration: configuration)
    }

    /// Item rows normal with deviation `1 / sqrt(d)`, weights Xavier-uniform, biases zero.
    public func layout(items: Int) -> ParameterLayout {
        let d = configuration.dimension
        var layout = guidance.layout
        layout.add(denoiser.layout)
        for table in [ItemTable.name, targetTable] {
            layout[table] = .unitRows(items, dimension: d)
        }
        if configuration.loss.learnLogitScale {
            layout[Self.logScale] = .constant(Float(log(configuration.loss.logitScale)), rows: 1, columns: 1)
        }
        return layout
    }

    /// Whether the two softmax losses see different negatives.
    public var drawsSecondNegatives: Bool { !configuration.loss.sharedNegatives }

    /// Whether the guidance is causal, so that one pass over a window gives the interests at all of its positions.
    public var learnsWholeWindows: Bool { configuration.guidance.kind.isCausal }

    /// The table whose rows are targets and classes.
    private var targetTable: String { configuration.tiedItems ? ItemTable.name : Self.classTable }

    /// Rows of the class table, `[V, d]`; unit rows on the sphere.
    public var scoringItems: Matrix { configuration.geometry.placed(parameters[targetTable]) }

    /// Keeps a trained logit scale within 1...100 and, when configured, item rows on the sphere.
    public mutating func constrain() {
        if configuration.loss.learnLogitScale {
            parameters.update(Self.logScale) { $0[0, 0] = min(max($0[0, 0], 0), Float(log(100.0))) }
        }
        if configuration.projectItems {
            for table in Set([ItemTable.name, targetTable]) {
                parameters.update(table) { $0 = $0.normalisedRows().unit }
            }
        }
    }

    /// The joint loss (equation 23; algorithm 1 of the method's section 6.1).
    public func loss(_ batch: TrainingBatch, on tape: Tape) -> TrainingLoss {
        let weight = 1 / Float(batch.stepRows)
        let loss = configuration.loss
        let condition = condition(of: batch.histories, noise: batch.noise, on: tape)
        let x0 = configuration.geometry.placed(tape.gather(targetTable, from: parameters, rows: batch.targets))

        // Guidance: the loss uses the interest nearest to the target (equation 18).
        let guided = condition.interests
            .reshaped(rows: x0.value.rows * configuration.interests, columns: configuration.dimension)
            .nearestRows(of: configuration.interests, to: x0.value)

        // Diffusion: noise the target, predict it back from the guidance.
        let steps = noise.steps(batch.noise)
        let dropout = dropout(batch.noise)
        let terms = denoiser.terms(
            of: loss.detachGuidance ? condition.stoppingGradient() : condition,
            dropout: dropout,
            parameters
        )
        let clean = loss.detachNoised ? x0.stoppingGradient() : x0
        let xt = noise.noised(mixingOwnSamples(clean, terms, batch.noise), steps: steps, noise: batch.noise)
        let xhat = denoiser.cleanVectors(
            noised: xt,
            steps: steps,
            terms: terms,
            dropout: dropout,
            parameters: parameters
        )

        func negativeRows(_ negatives: Negatives) -> NegativeRows {
            NegativeRows(
                negatives,
                precision: batch.precision,
                table: targetTable,
                geometry: configuration.geometry,
                parameters: parameters,
                tape: tape
            )
        }
        let negatives = negativeRows(batch.negatives)
        let others = batch.secondNegatives.map(negativeRows)
        let scale = logitScale(on: tape)
        func nextItemLoss(of queries: Variable, _ negatives: NegativeRows) -> Variable {
            negatives.softmaxLoss(
                of: queries,
                positives: x0,
                scale: scale,
                weight: weight,
                rowWeights: batch.rowWeights
            )
        }
        let guidanceLoss = nextItemLoss(of: guided, negatives)
        let softmaxLoss = nextItemLoss(of: xhat, others ?? negatives)
        let reconstruction = Variable.squaredError(
            xhat,
            loss.detachTarget ? x0.stoppingGradient() : x0,
            weight: loss.reconstruction == .sum ? weight : weight / Float(configuration.dimension),
            rowWeights: batch.rowWeights
        )
        return TrainingLoss(
            total: guidanceLoss.scaled(by: Float(loss.guidance))
                .adding(reconstruction, scale: Float(loss.lambda))
                .adding(softmaxLoss, scale: Float(loss.mu)),
            terms: [
                ("guidance", guidanceLoss.scalar), ("reconstruction", reconstruction.scalar),
                ("softmax", softmaxLoss.scalar),
            ]
        )
    }

    /// Interests and recent items of histories.
    ///
    /// - Parameters:
    ///   - histories: Item numbers, oldest first.
    ///   - noise: Streams of the dropout masks; nil when not training.
    ///   - tape: The tape that records the operations.
    /// - Returns: Both, for the denoiser.
    func condition(of histories: RaggedRows, noise: NoiseSource?, on tape: Tape) -> DiffusionAggregation.Condition {
        let distinct = DistinctItems(histories)
        let items = configuration.geometry.placed(tape.gather(ItemTable.name, from: parameters, rows: distinct.ids))
        let recent = configuration.denoiser.recentItems
        return DiffusionAggregation.Condition(
            interests: guidance.interests(
                items: items,
                histories: distinct.histories,
                parameters: parameters,
                noise: noise
            ),
            recent: recent > 0 ? items.newestRows(recent, of: distinct.histories) : nil
        )
    }

    /// Replaces a random share of the clean vectors by the denoiser's predictions from pure noise at step T.
    ///
    /// In the reverse chain a noised vector comes from the model's own prediction. A denoiser that trained only on
    /// noised targets trusts it too much. Training on its own predictions teaches it to treat them as guesses.
    private func mixingOwnSamples(_ clean: Variable, _ terms: DiffusionAggregation.Terms, _ source: NoiseSource)
        -> Variable
    {
        let share = configuration.loss.ownSamples
        guard share > 0 else { return clean }
        let tape = Tape(recording: false)
        let generator = CounterBasedGenerator(seed: source.seed, purpose: .ownSample)
        let normals = generator.normalRows(streams: source.streams, columns: configuration.dimension)
        let answers = denoiser.cleanVectors(
            noised: configuration.geometry.placed(tape.constant(normals)),
            steps: [Int](repeating: configuration.steps, count: normals.rows),
            terms: terms.constants(on: tape),
            dropout: nil,
            parameters: parameters
        )
        let chosen = source.streams.map { stream in
            Float(generator.uniforms(stream: ~stream, count: 1)[0] < share ? 1 : 0)
        }
        let kept = clean.scalingRows(by: chosen.map { 1 - $0 })
        return kept.adding(clean.tape.constant(answers.value.scalingRows(by: chosen)))
    }

    private func logitScale(on tape: Tape) -> LogitScale {
        configuration.loss.learnLogitScale
            ? .trained(tape.parameter(Self.logScale, from: parameters).exponential())
            : .fixed(Float(configuration.loss.logitScale))
    }

    private func dropout(_ noise: NoiseSource) -> DiffusionAggregation.DropoutMask? {
        let p = configuration.denoiser.dropout
        guard p > 0 else { return nil }
        let dropout = Dropout(probability: p, noise: noise, layers: 4)
        return { layer, width in dropout.mask(layer, width: width) }
    }
}
