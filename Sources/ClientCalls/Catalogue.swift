import Foundation
import NIOHTTP1

/// How many items pass a filter.
public struct FilterCount: Codable, Sendable, Equatable {
    /// The items in service that pass.
    public let count: Int
    /// All items in service.
    public let items: Int
    /// The model that was asked.
    public let model: String
    /// Its version.
    public let version: Int
}

/// How attributes are distributed over the items that a filter leaves.
public struct FacetAnswer: Codable, Sendable, Equatable {
    /// The items in service that pass.
    public let count: Int
    /// All items in service.
    public let items: Int
    /// An entry for each key, in order.
    public let facets: [Facet]
    /// The model that was asked.
    public let model: String
    /// Its version.
    public let version: Int
}

/// The distribution of one attribute.
public struct Facet: Codable, Sendable, Equatable {
    /// A value and the number of items that have it.
    public struct Value: Codable, Sendable, Equatable {
        /// A text or a boolean.
        public let value: AttributeValue
        /// The number of items.
        public let count: Int
    }

    /// The attribute, or `categories`.
    public let key: String
    /// Its type, such as `number`.
    public let type: String
    /// The passing items with a value.
    public let count: Int
    /// The smallest value of numbers and times.
    public let min: AttributeValue?
    /// The largest value of numbers and times.
    public let max: AttributeValue?
    /// The most frequent texts or booleans.
    public let values: [Value]
}

/// The result of a change of attributes.
public struct AttributeOutcome: Codable, Sendable, Equatable {
    /// The model whose items changed.
    public let model: String
    /// The version whose types the values were checked against.
    public let version: Int
    /// How many items changed.
    public let changed: Int
    /// Ids that are not in the catalogue; they were ignored.
    public let unknown: [String]
}

extension DimeRecClient {
    /// Counts the items that a filter leaves.
    ///
    /// - Parameters:
    ///   - filter: The filter; nil lets every item pass.
    ///   - model: The model or alias; nil is the service's default.
    ///   - timeout: How long this call may take; nil uses the options' timeout.
    /// - Returns: How many items pass, and how many there are.
    /// - Throws: ``DimeRecError``; a filter that does not suit the attributes is a problem of status 400.
    public func count(
        _ filter: Filter?,
        model: String? = nil,
        timeout: Duration? = nil
    ) async throws -> FilterCount {
        try await ask("/v1/filter:count", FilterQuestion(filter: filter, model: model), timeout)
    }

    /// Describes attributes of the items that a filter leaves.
    ///
    /// - Parameters:
    ///   - keys: The attributes; `categories` is one.
    ///   - filter: The filter; nil lets every item pass.
    ///   - limit: The most values of each attribute; nil is the service's default.
    ///   - model: The model or alias; nil is the service's default.
    ///   - timeout: How long this call may take; nil uses the options' timeout.
    /// - Returns: A facet for each key, in order.
    /// - Throws: ``DimeRecError``; an unknown attribute is a problem of status 400.
    public func facets(
        _ keys: [String],
        of filter: Filter? = nil,
        limit: Int? = nil,
        model: String? = nil,
        timeout: Duration? = nil
    ) async throws -> FacetAnswer {
        let question = FilterQuestion(filter: filter, model: model, keys: keys, limit: limit)
        return try await ask("/v1/facets", question, timeout)
    }

    /// Changes attributes of items, in all versions of the model at once.
    ///
    /// - Parameters:
    ///   - items: The new values of each item; nil instead of a value means that the item has none, and nil instead of
    ///     all values withdraws the item's changed values.
    ///   - model: The model; nil is the service's default.
    /// - Returns: How many items changed, and which are unknown.
    /// - Throws: ``DimeRecError``; a wrong value is a problem of status 400, and nothing changes.
    public func setAttributes(
        _ items: [(id: String, attributes: [String: AttributeValue?]?)],
        model: String? = nil
    ) async throws -> AttributeOutcome {
        let body = try JSONEncoder().encode(["items": items.map(Patch.init)])
        let query = model.map { "?model=\(Self.segment($0))" } ?? ""
        return try await change(.PATCH, "/v1/items\(query)", body: body)
    }

    private struct FilterQuestion: Encodable {
        let filter: Filter?
        let model: String?
        var keys: [String]?
        var limit: Int?
    }

    private struct Patch: Encodable {
        let id: String
        let attributes: [String: AttributeValue?]?

        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(id, forKey: .id)
            // A missing value is written as null.
            try values.encode(attributes, forKey: .attributes)
        }

        private enum CodingKeys: CodingKey {
            case id
            case attributes
        }
    }
}
