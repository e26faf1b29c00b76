/// The items that may be in an answer, by category and by clauses over the catalogue's attributes.
///
/// ```swift
/// var filter = Filter(noneOf: ["Horror"])
/// filter.must = [.attribute("price", .range(FilterRange(lt: 20))), .attribute("stock", .match(true))]
/// ```
public struct Filter: Codable, Sendable, Equatable {
    /// An item must have at least one of these categories; an empty list allows all.
    public var anyOf: [String]
    /// An item must have none of these categories.
    public var noneOf: [String]
    /// All of these must hold.
    public var must: [FilterClause]?
    /// At least ``minimum`` of these must hold.
    public var should: [FilterClause]?
    /// How many of ``should`` must hold; nil is 1.
    public var minimum: Int?
    /// None of these may hold.
    public var mustNot: [FilterClause]?

    /// Creates a filter by category.
    public init(anyOf: [String] = [], noneOf: [String] = []) {
        self.anyOf = anyOf
        self.noneOf = noneOf
    }

    private enum CodingKeys: String, CodingKey {
        case anyOf = "any_of"
        case noneOf = "none_of"
        case must
        case should
        case minimum
        case mustNot = "must_not"
    }

    /// Reads a filter; all fields are optional.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        anyOf = try values.decodeIfPresent([String].self, forKey: .anyOf) ?? []
        noneOf = try values.decodeIfPresent([String].self, forKey: .noneOf) ?? []
        must = try values.decodeIfPresent([FilterClause].self, forKey: .must)
        should = try values.decodeIfPresent([FilterClause].self, forKey: .should)
        minimum = try values.decodeIfPresent(Int.self, forKey: .minimum)
        mustNot = try values.decodeIfPresent([FilterClause].self, forKey: .mustNot)
    }
}

/// Clauses that hold together, inside of a ``Filter``.
public struct FilterGroup: Codable, Sendable, Equatable {
    /// All of these must hold.
    public var must: [FilterClause]?
    /// At least ``minimum`` of these must hold.
    public var should: [FilterClause]?
    /// How many of ``should`` must hold; nil is 1.
    public var minimum: Int?
    /// None of these may hold.
    public var mustNot: [FilterClause]?

    /// Creates a group; give at least one list.
    public init(
        must: [FilterClause]? = nil,
        should: [FilterClause]? = nil,
        minimum: Int? = nil,
        mustNot: [FilterClause]? = nil
    ) {
        self.must = must
        self.should = should
        self.minimum = minimum
        self.mustNot = mustNot
    }

    private enum CodingKeys: String, CodingKey {
        case must
        case should
        case minimum
        case mustNot = "must_not"
    }
}

/// One condition of a filter.
public indirect enum FilterClause: Codable, Sendable, Equatable {
    /// An attribute, or `categories`, passes a test.
    case attribute(String, FilterTest)
    /// The item is one of these.
    case ids([String])
    /// Clauses that hold together.
    case group(FilterGroup)

    private enum CodingKeys: CodingKey {
        case key
        case match
        case any
        case none
        case range
        case exists
        case ids
    }

    /// Reads a clause.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        if values.contains(.ids) {
            var list = try values.nestedUnkeyedContainer(forKey: .ids)
            var ids: [String] = []
            while !list.isAtEnd { ids.append(try (try? list.decode(String.self)) ?? String(list.decode(Int64.self))) }
            self = .ids(ids)
        } else if let key = try values.decodeIfPresent(String.self, forKey: .key) {
            let test: FilterTest
            if let value = try values.decodeIfPresent(AttributeValue.self, forKey: .match) {
                test = .match(value)
            } else if let list = try values.decodeIfPresent([AttributeValue].self, forKey: .any) {
                test = .any(list)
            } else if let list = try values.decodeIfPresent([AttributeValue].self, forKey: .none) {
                test = .none(list)
            } else if let range = try values.decodeIfPresent(FilterRange.self, forKey: .range) {
                test = .range(range)
            } else {
                test = .exists(try values.decode(Bool.self, forKey: .exists))
            }
            self = .attribute(key, test)
        } else {
            self = .group(try FilterGroup(from: decoder))
        }
    }

    /// Writes a clause.
    public func encode(to encoder: any Encoder) throws {
        if case .group(let group) = self { return try group.encode(to: encoder) }
        var values = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .group: break
        case .ids(let ids): try values.encode(ids, forKey: .ids)
        case .attribute(let key, let test):
            try values.encode(key, forKey: .key)
            switch test {
            case .match(let value): try values.encode(value, forKey: .match)
            case .any(let list): try values.encode(list, forKey: .any)
            case .none(let list): try values.encode(list, forKey: .none)
            case .range(let range): try values.encode(range, forKey: .range)
            case .exists(let isThere): try values.encode(isThere, forKey: .exists)
            }
        }
    }
}

/// A condition of an attribute's value; an item without the attribute passes only `none` and an `exists` of false.
public enum FilterTest: Sendable, Equatable {
    /// The attribute has this value.
    case match(AttributeValue)
    /// The attribute has at least one of these values.
    case any([AttributeValue])
    /// The attribute has none of these values.
    case none([AttributeValue])
    /// The attribute lies in a range.
    case range(FilterRange)
    /// Whether the attribute has a value.
    case exists(Bool)
}

/// A range of numbers or times, with at most one lower and one upper end.
public struct FilterRange: Codable, Sendable, Equatable {
    /// Greater than this.
    public var gt: AttributeValue?
    /// At least this.
    public var gte: AttributeValue?
    /// Less than this.
    public var lt: AttributeValue?
    /// At most this.
    public var lte: AttributeValue?

    /// Creates a range; give at least one end.
    public init(
        gt: AttributeValue? = nil,
        gte: AttributeValue? = nil,
        lt: AttributeValue? = nil,
        lte: AttributeValue? = nil
    ) {
        self.gt = gt
        self.gte = gte
        self.lt = lt
        self.lte = lte
    }
}

/// The value of an item's attribute.
///
/// Filters compare with all but ``texts(_:)``.
public enum AttributeValue: Codable, Sendable, Equatable {
    /// A number or an integer.
    case number(Double)
    /// True or false.
    case boolean(Bool)
    /// A keyword, or a time in ISO 8601.
    case text(String)
    /// Keywords.
    case texts([String])

    /// Reads a number, a boolean, a string, or a list of strings.
    public init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let boolean = try? value.decode(Bool.self) {
            self = .boolean(boolean)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else {
            self = .texts(try value.decode([String].self))
        }
    }

    /// Writes a number, a boolean, a string, or a list of strings.
    public func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .number(let number): try value.encode(number)
        case .boolean(let boolean): try value.encode(boolean)
        case .text(let text): try value.encode(text)
        case .texts(let texts): try value.encode(texts)
        }
    }
}

extension AttributeValue: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByStringLiteral
{
    /// A number.
    public init(floatLiteral value: Double) { self = .number(value) }

    /// A number.
    public init(integerLiteral value: Int) { self = .number(Double(value)) }

    /// True or false.
    public init(booleanLiteral value: Bool) { self = .boolean(value) }

    /// A keyword or a time.
    public init(stringLiteral value: String) { self = .text(value) }
}
