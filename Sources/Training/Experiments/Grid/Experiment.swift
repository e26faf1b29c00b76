import CheckpointStore
import Recommenders

/// A table or figure of the paper as a grid of trainings: the variants and their measurements (method, section 10).
public enum Experiment: String, CaseIterable, Sendable {
    /// Table 1: each recipe with all its read-outs, next to trivial predictors.
    case overall
    /// Table 2 and Figure 3: linear probes and diversity, for each recipe and the ablations of section 4.2.
    case probing
    /// Table 3: each guidance extraction module.
    case gem
    /// Table 4: the whole method, and without each of its parts.
    case ablation
    /// Table 5: the number of diffusion steps T.
    case maxStep = "max-step"
    /// Table 7: the weight of the reconstruction loss.
    case lambda
    /// Table 8: the weight of the sampled softmax on generated vectors.
    case mu
    /// Figure 4: losses over training steps, with and without the sphere.
    case figure4 = "figure-4"
    /// Figure 5: accuracy after each reverse step.
    case figure5 = "figure-5"
    /// How much noised targets tell about their items, by step of the forward noise.
    case information
    /// Serving steps and samples of one model: accuracy against time.
    case steps
    /// Lists of each recipe's model before and after re-ranking by DCDR; only a demonstration.
    case reranking
    /// Merged lists of all recipes' models against the single models, by the length of lists.
    case blend

    /// A recipe of the grid under the name of its row.
    public struct Variant: Sendable, Equatable {
        /// The row's name.
        public var name: String
        /// The recipe to train.
        public var recipe: Recipe
        /// The swept value; nil when the experiment sweeps none.
        public var value: Double?
        /// Whether tables show all its read-outs instead of only the one that serves.
        public var showsReadOuts: Bool

        /// A row of a grid.
        public init(name: String, recipe: Recipe, value: Double? = nil, showsReadOuts: Bool = false) {
            self.name = name
            self.recipe = recipe
            self.value = value
            self.showsReadOuts = showsReadOuts
        }
    }

    /// The heading of its report.
    public var title: String {
        switch self {
        case .overall: "Overall accuracy (Table 1)"
        case .probing: "Linear probing and diversity (Table 2, Figure 3)"
        case .gem: "Guidance extraction modules (Table 3)"
        case .ablation: "Ablation (Table 4)"
        case .maxStep: "Number of diffusion steps T (Table 5)"
        case .lambda: "Weight lambda of the reconstruction loss (Table 7)"
        case .mu: "Weight mu of the sampled softmax (Table 8)"
        case .figure4: "Losses over training (Figure 4)"
        case .figure5: "Accuracy after each reverse step (Figure 5)"
        case .information: "Information in noised targets"
        case .steps: "Serving steps and samples"
        case .reranking: "Re-ranking lists of ten by DCDR"
        case .blend: "Merged lists against single systems"
        }
    }

    /// The default swept values; nil when the experiment sweeps none.
    public var sweptValues: [Double]? {
        switch self {
        case .maxStep: [5, 10, 20, 50, 100]
        case .lambda: [0.01, 0.1, 1, 10]
        case .mu: [0.1, 1, 10, 100]
        case .steps: [1, 2, 5, 10, 20]
        case .blend: [Double(SourceBlend.standardWindow)]
        default: nil
        }
    }

    /// The rows of the grid.
    ///
    /// - Parameters:
    ///   - recipes: The user's recipes by name; only ``overall``, ``probing``, ``reranking``
    ///     and ``blend`` take more than one, and ``blend`` needs two.
    ///   - values: Values to sweep; nil for ``sweptValues``.
    /// - Returns: One variant for each row, in the table's order.
    /// - Throws: ``ExperimentError``, or `ConfigurationError` for a value that a recipe does not allow.
    public func variants(
        of recipes: [(name: String, recipe: Recipe)],
        values: [Double]? = nil
    ) throws -> [Variant] {
        guard let base = recipes.first?.recipe else { throw ExperimentError.recipeCount(self, found: 0) }
        guard self == .blend ? recipes.count > 1 : recipes.count == 1 || takesSeveral else {
            throw ExperimentError.recipeCount(self, found: recipes.count)
        }
        if ![.overall, .reranking, .blend].contains(self),
            let other = recipes.first(where: { $0.recipe.system != DimeRec.system })
        {
            throw ExperimentError.otherSystem(self, other.recipe.system)
        }
        guard values == nil || sweptValues != nil else { throw ExperimentError.nothingSwept(self) }
        let swept = values ?? sweptValues ?? []
        let given = recipes.map { Variant(name: $0.name, recipe: $0.recipe, showsReadOuts: true) }
        switch self {
        case .overall, .figure5, .information, .reranking: return given
        case .blend:
            _ = try listLengths(values)
            var names = Set<String>()
            if let second = recipes.first(where: { !names.insert($0.name).inserted }) {
                throw ExperimentError.equalNames(second.name)
            }
            return given
        case .steps:
            let allowed = 1...Double(base.model.steps)
            if let bad = values?.first(where: { !allowed.contains($0) || $0 != $0.rounded() }) {
                throw ExperimentError.badValue(self, bad, allowed: "a whole number within 1...\(base.model.steps)")
            }
            return given
        case .probing:
            return given
                + Ablation.probed.enumerated().map { number, without in
                    Variant(name: "V\(number + 1): \(without.name)", recipe: without.applied(to: base))
                }
        case .ablation:
            return [Variant(name: "full", recipe: base)]
                + Ablation.allCases.map { part in
                    let without = Ablation.Combination([part])
                    return Variant(name: without.name, recipe: without.applied(to: base))
                }
        case .figure4:
            let euclidean = Ablation.Combination([.geodesicWalk])
            return [
                Variant(name: "with the walk", recipe: base),
                Variant(name: euclidean.name, recipe: euclidean.applied(to: base)),
            ]
        case .gem:
            return try GuidanceConfiguration.Kind.allCases.map { kind in
                try Self.variant(kind.rawValue, base) { $0.model.guidance.kind = kind }
            }
        case .maxStep:
            return try swept.map { value in
                guard let steps = Int(exactly: value) else {
                    throw ExperimentError.badValue(self, value, allowed: "a whole number")
                }
                return try Self.variant("T = \(steps)", base, value) { $0.model.steps = steps }
            }
        case .lambda:
            return try swept.map { value in
                try Self.variant("lambda = \(NumberText.short(value))", base, value) { $0.model.loss.lambda = value }
            }
        case .mu:
            return try swept.map { value in
                try Self.variant("mu = \(NumberText.short(value))", base, value) { $0.model.loss.mu = value }
            }
        }
    }

    /// The measurement of each trained recipe of the grid.
    public func measurement(of recipe: Recipe, values: [Double]? = nil) -> CellMeasurement {
        switch self {
        case .figure5: return .reverseSteps
        case .information: return .information
        case .steps:
            let all = Double(recipe.model.steps)
            let fewer = (sweptValues ?? []).filter { $0 < all }
            return .serving(steps: (values ?? fewer + [all]).map { Int($0) }, samples: [1, 2, 4, 8])
        case .overall: return .comparison
        case .reranking: return .reranking
        case .probing, .gem, .ablation, .maxStep, .lambda, .mu, .figure4, .blend: return .readOuts
        }
    }

    /// The lengths of the lists that ``blend`` merges.
    ///
    /// - Parameter values: The swept values; nil for ``sweptValues``.
    /// - Returns: The values as lengths.
    /// - Throws: ``ExperimentError/badValue(_:_:allowed:)``.
    public func listLengths(_ values: [Double]?) throws -> [Int] {
        try (values ?? sweptValues ?? []).map { value in
            guard let length = Int(exactly: value), Self.listLengths.contains(length) else {
                throw ExperimentError.badValue(self, value, allowed: "a whole number within 50...10000")
            }
            return length
        }
    }

    /// Lists are at least as long as the largest cutoff of the metrics.
    private static let listLengths = 50...10_000

    private var takesSeveral: Bool { [.overall, .probing, .reranking, .blend].contains(self) }

    private static func variant(
        _ name: String,
        _ base: Recipe,
        _ value: Double? = nil,
        change: (inout Recipe) -> Void
    ) throws -> Variant {
        var recipe = base
        change(&recipe)
        try recipe.validate(prefix: "")
        return Variant(name: name, recipe: recipe, value: value)
    }
}

/// A part of the method that can be left out (method, section 4.2).
public enum Ablation: CaseIterable, Sendable {
    /// The guidance loss.
    case guidanceLoss
    /// The reconstruction loss.
    case reconstruction
    /// The sampled softmax on generated vectors.
    case sampledSoftmax
    /// The geodesic walk and the sphere: without them nothing is normalised, and logits are plain inner products.
    case geodesicWalk

    /// Parts that are left out together.
    public struct Combination: Sendable {
        private let parts: [Ablation]

        init(_ parts: [Ablation]) { self.parts = parts }

        /// The row's name.
        public var name: String { "w/o " + parts.map(\.name).joined(separator: ", ") }

        /// A recipe without these parts.
        public func applied(to recipe: Recipe) -> Recipe {
            var recipe = recipe
            for part in parts { part.remove(from: &recipe.model) }
            return recipe
        }
    }

    /// The variants V1 to V4 whose item vectors are probed.
    static let probed = [
        Combination([.guidanceLoss]), Combination([.guidanceLoss, .reconstruction]),
        Combination([.guidanceLoss, .reconstruction, .geodesicWalk]), Combination([.guidanceLoss, .sampledSoftmax]),
    ]

    private var name: String {
        switch self {
        case .guidanceLoss: "guidance loss"
        case .reconstruction: "reconstruction"
        case .sampledSoftmax: "sampled softmax"
        case .geodesicWalk: "walk"
        }
    }

    private func remove(from model: inout DimeRecConfiguration) {
        switch self {
        case .guidanceLoss: model.loss.guidance = 0
        case .reconstruction: model.loss.lambda = 0
        case .sampledSoftmax: model.loss.mu = 0
        case .geodesicWalk:
            model.geometry = .euclidean
            model.projectItems = false
            model.noise.kind = .literal
            model.guidance.normaliseRows = false
            model.denoiser.normaliseOutput = false
            model.loss.logitScale = 1
            model.loss.learnLogitScale = false
        }
    }
}

/// Why an experiment cannot run.
public enum ExperimentError: Error, Equatable, CustomStringConvertible {
    /// The number of recipes is wrong for the experiment.
    case recipeCount(Experiment, found: Int)
    /// Two recipes of a blend have one name.
    case equalNames(String)
    /// Values were given to an experiment that sweeps none.
    case nothingSwept(Experiment)
    /// A swept value is out of range.
    case badValue(Experiment, Double, allowed: String)
    /// The experiment changes or measures parts that only DimeRec has.
    case otherSystem(Experiment, String)
    /// The part to evaluate on has no rows.
    case nothingToJudge(SplitPart)
    /// A file of the results folder cannot be read or written.
    case unusableFile(String, reason: String)

    /// The problem and the next step.
    public var description: String {
        switch self {
        case .recipeCount(let experiment, let found):
            experiment == .blend
                ? "Experiment 'blend' merges at least two recipes, not \(found); give --systems or several --recipe."
                : "Experiment '\(experiment.rawValue)' takes one recipe, not \(found); only overall, probing, reranking and "
                    + "blend take several."
        case .equalNames(let name):
            "Experiment 'blend' tells its recipes by their names, but two are called '\(name)'; give each file another name."
        case .nothingSwept(let experiment):
            "Experiment '\(experiment.rawValue)' sweeps no values; only lambda, mu, max-step, steps and blend do."
        case .badValue(let experiment, let value, let allowed):
            "Experiment '\(experiment.rawValue)' cannot use \(NumberText.short(value)): it must be \(allowed)."
        case .otherSystem(let experiment, let system):
            "Experiment '\(experiment.rawValue)' works with DimeRec only; use overall, reranking or blend for recipes of "
                + "'\(system)'."
        case .nothingToJudge(let part):
            "The \(part.rawValue) part has no rows; give --test, another split or another protocol."
        case .unusableFile(let path, let reason):
            "'\(path)' cannot be used: \(reason)"
        }
    }
}
