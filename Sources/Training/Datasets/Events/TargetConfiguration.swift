public import Recommenders

/// Which events of a log are targets, and how much each counts in the loss.
///
/// A target is an item that a model learns to predict or is evaluated on. Every event stays in the histories, except
/// those of users who are left out.
public struct TargetConfiguration: ConfigurationSection {
    /// Weights by kind of event, such as `view=1,buy=5`; empty when every kind counts 1.
    public var weights = KindWeights()
    /// The kinds of events that are targets, such as `buy,cart`; empty for all.
    public var events = KindList()
    /// The lowest rating of a target; 0 needs no column of ratings.
    public var minRating = 0.0
    /// The column of weights; empty for none.
    public var weightColumn = ""
    /// The ids of users whose events are left out, such as `null`.
    public var dropUsers = KindList()
    /// Whether the events of users who are probably many visitors are left out too; see ``SharedUser``.
    public var dropSharedUsers = true

    /// Every event is a target of weight 1.
    public init() {}

    /// Allowed weights.
    static let range = 0.0...1_000_000

    /// Throws when a value is out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        for entry in weights.entries {
            try ConfigurationError.require(Self.range, contains: entry.weight, key: "\(prefix)weights.\(entry.kind)")
        }
        try ConfigurationError.require(0...1_000_000, contains: minRating, key: prefix + "minRating")
    }

    /// Whether every event is a target of weight 1, so that no column is needed.
    public var isPlain: Bool { columns.isEmpty }

    /// The columns that the log must have.
    var columns: [ColumnRole] {
        (weights.entries.isEmpty && events.kinds.isEmpty ? [] : [.event]) + (weightColumn.isEmpty ? [] : [.weight])
            + (minRating > 0 ? [.rating] : [])
    }

    /// The weight of a kind of event; nil for one that the recipe does not know.
    func weight(ofKind kind: String) -> Double? {
        guard events.kinds.isEmpty || events.kinds.contains(kind) else { return 0 }
        guard !weights.entries.isEmpty else { return 1 }
        return weights.entries.first { $0.kind == kind }?.weight
    }

    /// The choice in words, for notes.
    var words: String {
        var words: [String] = []
        if !events.kinds.isEmpty { words.append("event \(events)") }
        if !weights.entries.isEmpty { words.append("weights \(weights)") }
        if !weightColumn.isEmpty { words.append("weights of column '\(weightColumn)'") }
        if minRating > 0 { words.append("rating at least \(minRating)") }
        return words.joined(separator: "; ")
    }
}

/// A value of a recipe that is written as text.
public protocol RecipeText: Codable, Sendable, Equatable, LosslessStringConvertible {}

extension RecipeText {
    /// Reads the text.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let value = Self(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is not understood")
            )
        }
        self = value
    }

    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Weights by kind of event, written as `view=1,buy=5`.
public struct KindWeights: RecipeText {
    /// A kind and its weight.
    public struct Entry: Sendable, Equatable {
        /// The kind as the log writes it.
        public var kind: String
        /// Its weight; 0 is no target.
        public var weight: Double
    }

    /// The weights in the order in which they were written.
    public private(set) var entries: [Entry] = []

    /// No weights.
    public init() {}

    /// Reads `view=1,buy=5`; nil for other text and for a kind that is named twice.
    public init?(_ text: String) {
        guard let kinds = KindList.parts(of: text) else { return nil }
        for part in kinds {
            guard let sign = part.lastIndex(of: "="), sign > part.startIndex,
                let weight = Double(part[part.index(after: sign)...]), weight.isFinite
            else { return nil }
            let kind = String(part[..<sign])
            guard !self.kinds.contains(kind) else { return nil }
            entries.append(Entry(kind: kind, weight: weight))
        }
    }

    /// The kinds.
    public var kinds: [String] { entries.map(\.kind) }

    /// The text as a recipe has it.
    public var description: String {
        entries.map { "\($0.kind)=\(Int(exactly: $0.weight).map(String.init) ?? "\($0.weight)")" }
            .joined(separator: ",")
    }
}

/// Kinds of events, written with commas between them.
public struct KindList: RecipeText {
    /// The kinds in the order in which they were written.
    public private(set) var kinds: [String] = []

    /// No kinds.
    public init() {}

    /// Reads `buy,cart`; nil for an empty kind.
    public init?(_ text: String) {
        guard let kinds = Self.parts(of: text) else { return nil }
        self.kinds = kinds
    }

    /// The text as a recipe has it.
    public var description: String { kinds.joined(separator: ",") }

    /// The parts between commas, without spaces around them; nil if one of several is empty.
    static func parts(of text: String) -> [String]? {
        if text.allSatisfy({ $0 == " " }) { return [] }
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            .map { String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
        return parts.contains("") ? nil : parts
    }
}
