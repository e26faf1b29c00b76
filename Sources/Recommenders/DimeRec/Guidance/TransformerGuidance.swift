import Autodiff
import Kernels

/// The SASRec module (method, section 3.4): the last K states of a causal Transformer, with zero rows in front of
/// short histories.
struct TransformerGuidance: InterestModule {
    let configuration: DimeRecConfiguration
    let transformer: CausalTransformer

    init(configuration: DimeRecConfiguration) {
        self.configuration = configuration
        transformer = CausalTransformer(
            prefix: "guidance",
            dimension: configuration.dimension,
            blocks: configuration.guidance.blocks,
            heads: configuration.guidance.attentionHeads,
            hidden: configuration.guidance.hidden,
            longest: configuration.historyLength
        )
    }

    var layout: ParameterLayout {
        transformer.layout
    }

    func interests(items: Variable, histories: RaggedRows, parameters: ParameterSet) -> Variable {
        let shared = SharedPrefixes(histories)
        let states = transformer.states(
            items: items.gatheringRows(shared.sequences.ids),
            offsets: shared.sequences.offsets,
            parameters: parameters
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
