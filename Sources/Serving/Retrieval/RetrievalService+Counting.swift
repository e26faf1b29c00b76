public import CheckpointStore
public import Kernels
import VectorIndex

/// How an attribute is distributed over some items.
public struct Facet: Sendable, Equatable {
    /// A value and the number of items that have it.
    public struct Value: Sendable, Equatable {
        /// A text or a boolean.
        public let value: AttributeValue
        /// The number of items.
        public let count: Int
    }

    /// The attribute's name, or `categories`.
    public let key: String
    /// The attribute's type.
    public let type: AttributeType
    /// How many of the items have a value.
    public let count: Int
    /// The most frequent values first; for keywords and booleans.
    public let values: [Value]
    /// The smallest and the largest value; for numbers, integers and times, if an item has one.
    public let range: (least: AttributeValue, greatest: AttributeValue)?

    /// Facets are equal if all their parts are.
    public static func == (left: Facet, right: Facet) -> Bool {
        left.key == right.key && left.type == right.type && left.count == right.count && left.values == right.values
            && left.range?.least == right.range?.least && left.range?.greatest == right.range?.greatest
    }
}

/// The items that a filter leaves, with the snapshot that was asked.
public struct FilteredItems: Sendable {
    /// The snapshot.
    public let snapshot: ServingSnapshot
    /// The items in service that pass.
    public let items: ItemSet
    /// A facet for each key of the question.
    public let facets: [Facet]
}

extension RetrievalService {
    /// Counts the items that a filter leaves, and the values of some attributes among them.
    ///
    /// - Parameters:
    ///   - request: Only its filter and its model count.
    ///   - keys: The attributes to describe; `categories` is one.
    ///   - limit: The most values of a facet.
    /// - Returns: The items and a facet for each key, in order.
    /// - Throws: ``RetrievalError``, with a path such as `keys/0` for an unknown attribute.
    /// - Complexity: O(items / 64) for a cached filter without keys, O(items) after changes of items, and for each key.
    public func count(
        _ request: borrowing RetrievalRequest,
        facets keys: [String] = [],
        limit: Int = 10
    ) throws(RetrievalError) -> FilteredItems {
        let snapshot = try holder.current.route(to: request.model).arms[0].snapshot
        let items = try snapshot.itemsInService(passing: request)
        var facets: [Facet] = []
        for (position, key) in keys.enumerated() {
            facets.append(try snapshot.filters.column(key, at: "keys/\(position)").facet(of: items, limit: limit))
        }
        return FilteredItems(snapshot: snapshot, items: items, facets: facets)
    }
}

extension ServingSnapshot {
    /// The items in service that a request's filter lets pass.
    fileprivate func itemsInService(passing request: borrowing RetrievalRequest) throws(RetrievalError) -> ItemSet {
        var items = try items(passing: request) ?? ItemSet(bound: identifiers.count, full: true)
        guard let live else { return items }
        for item in items where !live.index.contains(item) { items.remove(item) }
        return items
    }
}

extension AttributeIndex.Column {
    /// The distribution of this attribute over some items.
    fileprivate func facet(of items: ItemSet, limit: Int) -> Facet {
        switch values {
        case .texts(let texts):
            let present = items.count { !texts.isEmpty($0) }
            let values = texts.counts(in: items, limit: limit).map {
                Facet.Value(value: .text($0.text), count: $0.count)
            }
            return Facet(key: name, type: type, count: present, values: values, range: nil)
        case .numbers(let numbers):
            var (present, trues) = (0, 0)
            var (least, greatest) = (Double.infinity, -Double.infinity)
            for item in items {
                guard let number = numbers.value(of: item) else { continue }
                present += 1
                if number == 1 { trues += 1 }
                (least, greatest) = (min(least, number), max(greatest, number))
            }
            guard type == .boolean else {
                let range = present == 0 ? nil : (described(least), described(greatest))
                return Facet(key: name, type: type, count: present, values: [], range: range)
            }
            let values = [(true, trues), (false, present - trues)].filter { $0.1 > 0 }.sorted { $0.1 > $1.1 }
                .map { Facet.Value(value: .boolean($0.0), count: $0.1) }
            return Facet(key: name, type: type, count: present, values: Array(values.prefix(limit)), range: nil)
        }
    }
}
