import CheckpointStore
import Hummingbird
import Serving

/// Item changes without a new version.
extension ControlPlane {
    var itemOperations: [Operation] {
        [
            Operation(method: .get, path: "/v1/items", isOpen: true, parameters: ["model"]) { request, _ in
                let model = try Self.query("model", of: request)
                let changes = try await changing { () throws(ServingError) in
                    try await controller.itemChanges(of: model)
                }
                return try json(
                    ItemChangeList(
                        changes: changes.items.map { ItemChangeDescription($0) },
                        attributes: changes.attributes.map { ItemAttributes(item: $0.item, attributes: $0.values) }
                    )
                )
            },
            Operation(method: .patch, path: "/v1/items", isOpen: false, parameters: ["model"]) { request, _ in
                let model = try Self.query("model", of: request)
                let edits = try AttributeEdits(json: try await Self.body(of: request)).list
                let outcome = try await changing { () throws(ServingError) in
                    try await controller.changeAttributes(edits, model: model)
                }
                return try json(AttributeOutcomeDescription(outcome))
            },
            Operation(method: .put, path: "/v1/items/{item}", isOpen: false, parameters: ["model"]) {
                request,
                context in
                let item = try NewItem(json: try await Self.body(of: request))
                return try await change(item.content, attributes: item.attributes, request, context)
            },
            Operation(method: .delete, path: "/v1/items/{item}", isOpen: false, parameters: ["model"]) {
                request,
                context in
                try await change(nil, attributes: nil, request, context)
            },
        ]
    }

    private func change(
        _ content: ItemChange.Content?,
        attributes: [String: AttributeValue?]?,
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let item = try Self.parameter("item", context)
        let model = try Self.query("model", of: request)
        let change = try await changing { () throws(ServingError) in
            try await controller.changeItem(item, to: content, attributes: attributes, model: model)
        }
        return try json(ItemChangeDescription(change, attributes: attributes))
    }
}

struct ItemChangeList: Encodable {
    let changes: [ItemChangeDescription]
    let attributes: [ItemAttributes]
}

/// The changed values of an item's attributes.
struct ItemAttributes: Encodable {
    let item: String
    let attributes: [String: AttributeValue?]
}

/// The JSON form of the outcome of a change of attributes.
struct AttributeOutcomeDescription: Encodable {
    let model: String
    let version: Int
    let changed: Int
    let unknown: [String]

    init(_ outcome: ServingController.AttributeOutcome) {
        model = outcome.model
        version = outcome.version
        changed = outcome.changed
        unknown = outcome.unknown
    }
}

/// The JSON form of an item change.
struct ItemChangeDescription: Encodable {
    let item: String
    let model: String
    let version: Int
    let deleted: Bool
    let like: [String]?
    let title: String?
    let categories: [String]?
    let attributes: [String: AttributeValue?]?

    init(_ change: ItemChange, attributes: [String: AttributeValue?]? = nil) {
        self.attributes = attributes
        item = change.item
        model = change.model
        version = change.version
        deleted = change.content == nil
        like = change.content?.like
        title = change.content?.title
        categories = change.content?.categories
    }
}
