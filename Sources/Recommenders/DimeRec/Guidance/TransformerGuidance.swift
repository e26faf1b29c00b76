import Autodiff
import Kernels

/// The SASRec module (method, section 3.4): the last K states of a causal Transformer, or of a stack of transduction
/// units, with zero rows in front of short histories.
struct TransformerGuidance: InterestModule {
    let configuration: DimeRecConfiguration
    let transformer: CausalTransformer

    init(configuration: DimeRecConfiguration) {
        self.configuration = configuration
        transformer = CausalTransformer(
            kind: configuration.guidance.kind == .transduction ? .transduction : .transformer,
            prefix: "guidance",
            dimension: configuration.dimension,
            blocks: configuration.guidance.blocks,
            heads: configuration.guidance.attentionHeads,
            hidden: configuration.guidance.hidden,
            longest: configuration.historyLength,
            dropout: configuration.guidance.dropout
        )
    }

    var layout: ParameterLayout {
        transformer.layout
    }

    func interests(
        items: Variable,
        histories: RaggedRows,
        parameters: ParameterSet,
        noise: NoiseSource?
    ) -> Variable {
        let shared = SharedPrefixes(histories)
        let states = transformer.states(
            items: items.gatheringRows(shared.sequences.ids),
            offsets: shared.sequences.offsets,
            parameters: parameters,
            noise: noise.map(shared.noise(of:))
        )
        return states.newestRows(
            configuration.interests,
            ends: shared.firsts.indices.map { shared.firsts[$0] + histories[$0].count },
            firsts: shared.firsts
        )
    }

    func extractor(items: Matrix, parameters: ParameterSet, keyBytes: Int) -> any InterestExtractor {
        transformer.newestStates(configuration.interests, items: items, parameters: parameters)
    }
}
