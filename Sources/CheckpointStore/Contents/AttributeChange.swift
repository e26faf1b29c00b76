/// New values of some attributes of one item, without a new version.
///
/// The store keeps the changed values of each item. They count in every version, older and newer ones, until they are
/// changed again. A version skips a value that does not suit the type of its attribute, or for which it has no attribute.
public struct AttributeChange: Codable, Sendable, Equatable {
    /// The model whose catalogue changes.
    public var model: String
    /// The item's id in the catalogue.
    public var item: String
    /// The new values by attribute; nil means that the item has no value.
    public var values: [String: AttributeValue?]
    /// Whether the item's earlier changed values are forgotten, so that the version's own values count again.
    public var replaces: Bool

    /// Describes a change.
    public init(model: String, item: String, values: [String: AttributeValue?], replaces: Bool = false) {
        self.model = model
        self.item = item
        self.values = values
        self.replaces = replaces
    }

    /// This change followed by a later one of the same item.
    func followed(by later: AttributeChange) -> AttributeChange {
        guard !later.replaces else { return later }
        var both = self
        for (name, value) in later.values { both.values[name] = .some(value) }
        return both
    }
}

extension AttributeValue: Codable {
    /// Reads the value's JSON form.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let boolean = try? container.decode(Bool.self) {
            self = .boolean(boolean)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else {
            self = .texts(try container.decode([String].self))
        }
    }

    /// Writes the value's JSON form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .number(let number): try container.encode(number)
        case .boolean(let boolean): try container.encode(boolean)
        case .text(let text): try container.encode(text)
        case .texts(let texts): try container.encode(texts)
        }
    }
}
