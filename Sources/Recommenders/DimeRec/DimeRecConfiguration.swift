public import Kernels

/// Every hyper-parameter of DimeRec's model and losses, with the defaults of the method's sections 13 and 14.
public struct DimeRecConfiguration: ModelConfiguration {
    /// Length of item, interest and user vectors.
    public var dimension = 64
    /// How many of a history's newest items are used.
    public var historyLength = 50
    /// Interests that the guidance module extracts (K).
    public var interests = 4
    /// Diffusion steps (T).
    public var steps = 20
    /// If true, class vectors are rows of the input table; if false, they have their own table.
    public var tiedItems = true
    /// If true, item rows are normalised after every step; if false, only where they are used.
    public var projectItems = false
    /// The geometry of item, noised and generated vectors.
    public var geometry = Geometry.sphere
    /// The guidance extraction module.
    public var guidance = GuidanceConfiguration()
    /// The denoiser of the diffusion aggregation module.
    public var denoiser = DenoiserConfiguration()
    /// Forward noise.
    public var noise = NoiseConfiguration()
    /// The reverse chain.
    public var reverse = ReverseConfiguration()
    /// The joint loss.
    public var loss = LossConfiguration()

    /// The defaults.
    public init() {}

    /// Steps of an answer for which nobody asks for a number of them, 1 to `steps`.
    public var servedSteps: Int { reverse.steps == 0 ? steps : reverse.steps }

    /// Throws for a value out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(2...1024, contains: dimension, key: prefix + "dimension")
        try ConfigurationError.require(1...1000, contains: historyLength, key: prefix + "historyLength")
        try ConfigurationError.require(1...64, contains: interests, key: prefix + "interests")
        try ConfigurationError.require(1...10_000, contains: steps, key: prefix + "steps")
        // Validates the sections first: the conditions below use their values.
        try guidance.validate(prefix: prefix + "guidance.")
        try denoiser.validate(prefix: prefix + "denoiser.")
        try noise.validate(prefix: prefix + "noise.")
        try reverse.validate(prefix: prefix + "reverse.")
        try loss.validate(prefix: prefix + "loss.")
        guard reverse.steps <= steps else {
            throw .outOfRange(key: prefix + "reverse.steps", value: "\(reverse.steps)", allowed: "0...\(steps)")
        }
        guard guidance.slots.count <= interests else {
            let allowed = "at most \(interests) in all, as 'interests'"
            throw .outOfRange(key: prefix + "guidance.slots", value: "\(guidance.slots.count)", allowed: allowed)
        }
        guard dimension % 2 == 0 else {
            throw .outOfRange(key: prefix + "dimension", value: "\(dimension)", allowed: "even")
        }
        guard !guidance.kind.isCausal || dimension % guidance.attentionHeads == 0 else {
            throw .outOfRange(
                key: prefix + "guidance.attentionHeads",
                value: "\(guidance.attentionHeads)",
                allowed: "a divisor of the dimension \(dimension)"
            )
        }
        guard geometry == .sphere || noise.kind == .literal && !projectItems else {
            throw .invalidValue(
                key: prefix + "geometry",
                reason:
                    "'euclidean' needs noise.kind 'literal' and projectItems false, because the walk needs a sphere."
            )
        }
    }
}

/// The guidance extraction module (method, section 3).
public struct GuidanceConfiguration: ConfigurationSection {
    /// How interests are extracted.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// Additive attention with one softmax per head, equations 16 and 17.
        case selfAttentive = "self-attentive"
        /// The K most recent items, equation 15.
        case ruleBased = "rule-based"
        /// The last K states of a causal Transformer: SASRec's encoder.
        case transformer = "sasrec"
        /// The last K states of transduction units: HSTU's encoder.
        case transduction = "hstu"
        /// Dynamic routing of the items' votes to interests: ComiRec-DR.
        case dynamicRouting = "dynamic-routing"
        /// Dynamic routing of votes by one shared matrix: MIND.
        case mind
        /// The mean item through two dense layers.
        case mlp

        /// Whether a causal network reads the history, so that one pass gives the interests of every prefix.
        var isCausal: Bool { self == .transformer || self == .transduction }
    }
    /// The kind of module.
    public var kind = Kind.selfAttentive
    /// Width of the self-attentive module's hidden layer, or of the Transformer's feed-forward layers.
    public var hidden = 256
    /// Blocks of the Transformer, or transduction units.
    public var blocks = 2
    /// Attention heads of each block of the Transformer; they divide the dimension.
    public var attentionHeads = 2
    /// Dropout of the Transformer or of the transduction units during training.
    public var dropout = 0.0
    /// The self-attentive module's positional table.
    public var position = PositionTable.learned
    /// The self-attentive module's padding side, which determines the meaning of a position.
    public var padding = PaddingSide.right
    /// If true, interests are normalised before they are used.
    public var normaliseRows = true
    /// The rules that fill the rule-based module's slots in service.
    public var slots = GuidanceSlots()

    /// The defaults.
    public init() {}

    /// Throws for a value out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(1...8192, contains: hidden, key: prefix + "hidden")
        try ConfigurationError.require(1...16, contains: blocks, key: prefix + "blocks")
        try ConfigurationError.require(1...64, contains: attentionHeads, key: prefix + "attentionHeads")
        try ConfigurationError.require(0...0.9, contains: dropout, key: prefix + "dropout")
        try slots.validate(prefix: prefix + "slots.")
        guard slots.count == 0 || kind == .ruleBased else {
            throw .invalidValue(
                key: prefix + "slots",
                reason: "needs guidance.kind 'rule-based'; '\(kind.rawValue)' learns its slots."
            )
        }
    }
}

/// The denoiser (method, section 4.1).
public struct DenoiserConfiguration: ConfigurationSection {
    /// How the K interests enter the denoiser.
    public enum Layout: String, Codable, Sendable, CaseIterable {
        /// Side by side.
        case concatenated
        /// Their mean.
        case mean
    }
    /// The vector that is added to the last layer's output before normalisation.
    public enum Residual: String, Codable, Sendable, CaseIterable {
        /// Nothing.
        case none
        /// The noised vector.
        case noised
        /// The mean interest.
        case meanInterest = "mean-interest"
        /// A linear map of the condition's hidden layer: a prediction from the guidance alone.
        case condition
    }
    /// How the step number enters the denoiser.
    public enum StepEmbedding: String, Codable, Sendable, CaseIterable {
        /// Sines and cosines through a two-layer network.
        case sinusoid
        /// A trained row for each step, added to the hidden layer.
        case table
    }
    /// Hidden width (H).
    public var hidden = 256
    /// Hidden layers, 1 or 2.
    public var depth = 1
    /// Non-linearity of hidden layers.
    public var activation = Activation.gelu
    /// Layout of the guidance.
    public var layout = Layout.concatenated
    /// How many of the newest items are part of the condition, in order, besides the interests.
    public var recentItems = 0
    /// Width of a hidden layer between the condition and the denoiser, computed once per user; 0 for none.
    public var conditionHidden = 0
    /// Residual connection.
    public var residual = Residual.none
    /// Step embedding.
    public var stepEmbedding = StepEmbedding.sinusoid
    /// Dropout on hidden layers during training.
    public var dropout = 0.0
    /// If true, the output is normalised.
    public var normaliseOutput = true

    /// The defaults.
    public init() {}

    /// Throws for a value out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(1...8192, contains: hidden, key: prefix + "hidden")
        try ConfigurationError.require(1...2, contains: depth, key: prefix + "depth")
        try ConfigurationError.require(0...0.9, contains: dropout, key: prefix + "dropout")
        try ConfigurationError.require(0...1000, contains: recentItems, key: prefix + "recentItems")
        try ConfigurationError.require(0...8192, contains: conditionHidden, key: prefix + "conditionHidden")
        guard residual != .condition || conditionHidden > 0 else {
            throw .invalidValue(key: prefix + "residual", reason: "'condition' needs conditionHidden above 0.")
        }
    }
}

/// Forward noise (method, sections 5 and 14).
public struct NoiseConfiguration: ConfigurationSection {
    /// The kind of noise.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// `normalise(sqrt(alphaBar) x_0 + sqrt(1 - alphaBar) eps)` with standard normal `eps`: the paper's words.
        case literal
        /// The geodesic random walk.
        case geodesic
    }
    /// How the end of a walk is drawn.
    public enum Sampler: String, Codable, Sendable, CaseIterable {
        /// The exact shortcut: a scalar chain for the angle, one uniform direction.
        case shortcut
        /// Step by step.
        case walk
    }
    /// The kind of noise.
    public var kind = Kind.literal
    /// The noise schedule.
    public var schedule = ScheduleConfiguration()
    /// How a beta becomes the length of a step of the walk.
    public var reading = GeodesicRandomWalk.Reading.calibrated
    /// How the end of the walk is drawn.
    public var sampler = Sampler.shortcut

    /// The defaults.
    public init() {}

    /// Throws for a value out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try schedule.validate(prefix: prefix + "schedule.")
    }
}

/// The reverse chain (method, section 6.2).
public struct ReverseConfiguration: ConfigurationSection {
    /// The size of added noise.
    public enum NoiseScale: String, Codable, Sendable, CaseIterable {
        /// The size of the forward noise: 1 for literal, `1 / sqrt(d)` for the walk.
        case asTraining = "as-training"
        /// 1 per coordinate.
        case unit
        /// `1 / sqrt(d)` per coordinate.
        case calibrated
        /// No noise after the start.
        case none
    }
    /// Steps of an answer for which nobody asks for a number of them; 0 for all T.
    public var steps = 0
    /// The size of added noise.
    public var noiseScale = NoiseScale.asTraining

    /// The defaults.
    public init() {}

    /// Throws for a value out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(0...10_000, contains: steps, key: prefix + "steps")
    }
}

/// The joint loss, equations 19 to 23.
public struct LossConfiguration: ConfigurationSection {
    /// How the squared error is reduced over coordinates.
    public enum Reduction: String, Codable, Sendable, CaseIterable {
        /// Summed: the squared distance, 0...4.
        case sum
        /// Averaged: 1/d of it.
        case mean
    }
    /// Weight of the guidance loss; 1 in the paper, 0 in its ablation.
    public var guidance = 1.0
    /// Lambda, the weight of the reconstruction loss.
    public var lambda = 0.1
    /// Mu, the weight of the sampled softmax on the generated vector.
    public var mu = 1.0
    /// Logit scale s, the inverse temperature.
    public var logitScale = 14.3
    /// If true, the logit scale is trained: it starts from `logitScale` and stays within 1...100.
    public var learnLogitScale = false
    /// Reduction of the reconstruction loss.
    public var reconstruction = Reduction.sum
    /// If true, the reconstruction loss sends no gradient into the target's item vector.
    public var detachTarget = false
    /// If true, no gradient flows through the noised vector into the target's item vector.
    public var detachNoised = true
    /// If true, the diffusion losses send no gradient into the guidance module.
    public var detachGuidance = false
    /// If true, both softmax losses use the same negatives.
    public var sharedNegatives = true
    /// Share of the training rows whose noised vector comes from the model's own prediction instead of the target, as
    /// in the reverse chain.
    public var ownSamples = 0.0

    /// The defaults.
    public init() {}

    /// Throws for a value out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(0...1000, contains: guidance, key: prefix + "guidance")
        try ConfigurationError.require(0...1000, contains: lambda, key: prefix + "lambda")
        try ConfigurationError.require(0...1000, contains: mu, key: prefix + "mu")
        try ConfigurationError.require(0.01...1000, contains: logitScale, key: prefix + "logitScale")
        try ConfigurationError.require(0...1, contains: ownSamples, key: prefix + "ownSamples")
    }
}
