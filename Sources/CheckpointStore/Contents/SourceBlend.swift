/// Several retrieval sources of one answer, and how their lists become one.
///
/// A request carries it, or an alias names it.
public struct SourceBlend: Codable, Sendable, Equatable {
    /// One source of items.
    public struct Source: Codable, Sendable, Equatable {
        /// The model or alias to ask; nil is the popularity list of the leading model.
        public var model: String?
        /// The source's weight in the fusion, above 0; unused with a quota.
        public var weight: Double
        /// How many places of the answer only this source fills; nil for a source that is fused with others.
        public var quota: Int?

        /// A source.
        public init(model: String?, weight: Double = 1, quota: Int? = nil) {
            self.model = model
            self.weight = weight
            self.quota = quota
        }

        /// The name in answers: the model or alias, or `popular`.
        public var name: String { model ?? SourceBlend.popular }
    }

    /// How the lists of sources without a quota become one.
    public enum Fusion: String, Codable, Sendable, CaseIterable {
        /// By the weighted sum of `(constant + 1) / (constant + rank)` (Cormack et al., SIGIR 2009).
        case reciprocalRank = "reciprocal_rank"
        /// By the weighted sum of the scores, scaled so that each list's best item has 1 and its last item 0.
        case score
    }

    /// The name of the popularity list in answers.
    public static let popular = "popular"
    /// The largest number of sources.
    public static let mostSources = 8
    /// The largest weight; the smallest is above 0.
    public static let mostWeight = 1_000_000.0
    /// The allowed constants.
    public static let constants = 0.0...10_000.0
    /// The default constant: short lists need a steeper weight of ranks than the 60 of long search results.
    public static let standardConstant = 20.0
    /// The default window.
    public static let standardWindow = 100

    /// The sources, in the order that breaks ties between their catalogues; the first model leads.
    public var sources: [Source]
    /// How lists are fused.
    public var fusion: Fusion
    /// The constant of ``Fusion/reciprocalRank``; a larger one lets low ranks count more.
    public var constant: Double
    /// How many items each source gives before the fusion, unless the answer needs more.
    public var window: Int

    /// A blend.
    public init(
        _ sources: [Source],
        fusion: Fusion = .reciprocalRank,
        constant: Double = Self.standardConstant,
        window: Int = Self.standardWindow
    ) {
        self.sources = sources
        self.fusion = fusion
        self.constant = constant
        self.window = window
    }

    /// The places that quotas take together.
    public var quotas: Int { sources.reduce(0) { $0 + ($1.quota ?? 0) } }

    /// The models and aliases of the sources.
    public var models: [String] { sources.compactMap(\.model) }

    /// Checks all fields against their bounds.
    ///
    /// - Parameter most: The largest window and quota.
    /// - Returns: The first wrong field, as a path such as `sources/1/weight`, and the problem; nil if there is none.
    public func fault(most: Int) -> (field: String, message: String)? {
        guard 1...Self.mostSources ~= sources.count else {
            return ("sources", "has \(sources.count) sources; give 1 to \(Self.mostSources).")
        }
        for (position, source) in sources.enumerated() {
            let place = "sources/\(position)"
            if sources[..<position].contains(where: { $0.name.utf8.elementsEqual(source.name.utf8) }) {
                return (place, "repeats source '\(source.name)'; name each source once.")
            }
            if let quota = source.quota {
                guard 1...most ~= quota else {
                    return ("\(place)/quota", "must be a whole number from 1 to \(most); got \(quota).")
                }
            } else if !(source.weight > 0 && source.weight <= Self.mostWeight) {
                return ("\(place)/weight", "must be above 0 and at most 1000000; got \(source.weight).")
            }
        }
        guard !models.isEmpty else {
            return ("sources", "names no model; the popularity list belongs to a model, so name at least one.")
        }
        guard Self.constants.contains(constant) else {
            return ("fusion/constant", "must be a number from 0 to 10000; got \(constant).")
        }
        guard 1...most ~= window else {
            return ("fusion/window", "must be a whole number from 1 to \(most); got \(window).")
        }
        return nil
    }
}
