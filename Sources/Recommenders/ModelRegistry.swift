public import Kernels

/// The systems of this build; one line registers a system for training, evaluation and recipes.
public enum ModelRegistry {
    /// All systems.
    public static let systems: [any Recommender.Type] = [
        DimeRec.self, GRU4Rec.self, NARM.self, SASRec.self, HSTU.self, BERT4Rec.self, DNN.self,
        ComiRecSA.self, ComiRecDR.self, MIND.self,
        DreamRec.self, DiffuRec.self, SequentialDiffRec.self, DiffRec.self, LatentDiffRec.self,
        MultVAE.self, Caser.self, FPMC.self, Fossil.self,
        Popularity.self, SessionPopularity.self, RepeatLast.self, Transitions.self, ItemKNN.self, SessionKNN.self,
        EASE.self,
    ]

    /// A system by its name in recipes.
    ///
    /// - Throws: ``ConfigurationError`` listing the known names.
    public static func system(named name: String) throws(ConfigurationError) -> any Recommender.Type {
        guard let system = systems.first(where: { $0.system == name }) else {
            throw .invalidValue(
                key: "system",
                reason: "'\(name)' is not a system of this build; use one of: "
                    + systems.map { $0.system }.joined(separator: ", ") + "."
            )
        }
        return system
    }
}

extension Recommender {
    /// The default settings of the system.
    public static var defaultConfiguration: any ModelConfiguration { Configuration() }

    /// Decodes the system's settings.
    public static func configuration(from decoder: any Decoder) throws -> any ModelConfiguration {
        try Configuration(from: decoder)
    }

    /// A model of this system over stored parameters.
    ///
    /// - Precondition: The settings are this system's.
    public static func model(
        _ configuration: any ModelConfiguration,
        stored matrices: consuming [String: Matrix]
    ) throws(ParameterError) -> any Recommender {
        try Self(own(configuration), stored: matrices)
    }

    /// Casts settings to this system's type.
    ///
    /// - Precondition: The settings are this system's.
    public static func own(_ configuration: any ModelConfiguration) -> Configuration {
        guard let own = configuration as? Configuration else {
            preconditionFailure("settings \(type(of: configuration)) for the system '\(system)'")
        }
        return own
    }
}
