public import Autodiff

/// ComiRec-SA (Cen et al., KDD 2020; method, sections 3.2 and 11): one softmax over the history for each interest.
///
/// Interests and items are on the unit sphere; in the original they have any length.
public struct ComiRecSA: MultiInterestRecommender {
    /// Hyper-parameters of the network.
    public struct Configuration: VectorConfiguration {
        /// Length of item and user vectors.
        public var dimension = 64
        /// How many of a history's newest items are used.
        public var historyLength = 50
        /// Interests, each a user vector (K).
        public var interests = 4
        /// Width of the attention's hidden layer.
        public var hidden = 256
        /// The positional table.
        public var position = PositionTable.learned
        /// The end of the window that short histories leave empty; the original uses the right end.
        public var padding = PaddingSide.left
        /// Inverse temperature of the softmax.
        public var logitScale = 14.3

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try validateLengths(prefix: prefix)
            try ConfigurationError.require(1...64, contains: interests, key: prefix + "interests")
            try ConfigurationError.require(1...8192, contains: hidden, key: prefix + "hidden")
            guard dimension % 2 == 0 else {
                throw .outOfRange(key: prefix + "dimension", value: "\(dimension)", allowed: "even")
            }
            try ConfigurationError.require(0.01...1000, contains: logitScale, key: prefix + "logitScale")
        }
    }

    /// `comirec-sa`.
    public static let system = "comirec-sa"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
    public var parameters: ParameterSet
    let module: any InterestModule

    /// A model over given parameters.
    public init(_ configuration: Configuration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
        module = SelfAttentiveInterests(
            prefix: "attention",
            dimension: configuration.dimension,
            historyLength: configuration.historyLength,
            interests: configuration.interests,
            hidden: configuration.hidden,
            position: configuration.position,
            padding: configuration.padding
        )
    }

    var dimension: Int { configuration.dimension }

    var logitScale: Double { configuration.logitScale }

    var perUser: Int { configuration.interests }
}
