import Autodiff
import Kernels

/// The guidance extraction module (method, section 3): histories in, `[B, K d]` interests out.
struct GuidanceExtraction {
    let configuration: DimeRecConfiguration
    let module: any InterestModule

    /// The module of a configuration.
    init(configuration: DimeRecConfiguration) {
        self.configuration = configuration
        module =
            switch configuration.guidance.kind {
            case .selfAttentive:
                SelfAttentiveInterests(
                    prefix: "guidance",
                    dimension: configuration.dimension,
                    historyLength: configuration.historyLength,
                    interests: configuration.interests,
                    hidden: configuration.guidance.hidden,
                    position: configuration.guidance.position,
                    padding: configuration.guidance.padding
                )
            case .ruleBased: RuleBasedGuidance(configuration: configuration)
            case .transformer, .transduction: TransformerGuidance(configuration: configuration)
            case .dynamicRouting, .mind:
                RoutedInterests(
                    prefix: "guidance",
                    dimension: configuration.dimension,
                    historyLength: configuration.historyLength,
                    interests: configuration.interests,
                    votes: configuration.guidance.kind == .mind ? .shared : .byPosition
                )
            case .mlp: MLPGuidance(configuration: configuration)
            }
    }

    /// The parameters.
    var layout: ParameterLayout {
        module.layout
    }

    /// Interests of every history.
    ///
    /// - Parameters:
    ///   - items: Unit rows of the items that occur, `[U, d]`.
    ///   - histories: Row numbers in `items`.
    ///   - parameters: The set that holds the weights.
    ///   - noise: Streams of the dropout masks, one for each history; nil when not training.
    /// - Returns: `[B, K d]`, each interest a unit row, or not normalised by configuration; zero for an empty
    ///   history.
    func interests(
        items: Variable,
        histories: RaggedRows,
        parameters: ParameterSet,
        noise: NoiseSource?
    ) -> Variable {
        let raw = module.interests(items: items, histories: histories, parameters: parameters, noise: noise)
        guard configuration.guidance.normaliseRows else { return raw }
        let (d, wide) = (configuration.dimension, raw.value.columns)
        return raw.reshaped(rows: raw.value.rows * configuration.interests, columns: d)
            .normalisedRows()
            .reshaped(rows: raw.value.rows, columns: wide)
    }
}
