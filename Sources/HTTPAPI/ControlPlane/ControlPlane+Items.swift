package import CheckpointStore
import Hummingbird
import Serving

/// Item changes without a new version.
extension ControlPlane {
    var itemOperations: [Operation] {
        [
            Operation(method: .get, path: "/v1/items", isOpen: true) { request, _ in
                let model = try Self.query("model", of: request)
                let changes = try await changing { () throws(ServingError) in
                    try await controller.itemChanges(of: model)
                }
                return try json(ItemChangeList(changes: changes.map(ItemChangeDescription.init)))
            },
            Operation(method: .put, path: "/v1/items/{item}", isOpen: false) { request, context in
                let content = try ItemChange.Content(json: try await Self.body(of: request))
                return try await change(content, request, context)
            },
            Operation(method: .delete, path: "/v1/items/{item}", isOpen: false) { request, context in
                try await change(nil, request, context)
            },
        ]
    }

    private func change(
        _ content: ItemChange.Content?,
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let item = try Self.parameter("item", context)
        let model = try Self.query("model", of: request)
        let change = try await changing { () throws(ServingError) in
            try await controller.changeItem(item, to: content, model: model)
        }
        return try json(ItemChangeDescription(change))
    }
}

extension ItemChange.Content {
    /// Reads the body of `PUT /v1/items/{item}`.
    ///
    /// - Throws: A ``Problem`` of code `invalid_json` or `invalid_argument`.
    package init(json body: [UInt8]) throws(Problem) {
        var reader = try BodyReader(body)
        self.init()
        let fields = ["vector", "like", "title", "categories"]
        try reader.object("", fields: fields, required: 0) { reader, field, pointer throws(Problem) in
            switch field {
            case "vector":
                var elements: [Float] = []
                try reader.array(pointer) { reader, pointer throws(Problem) in
                    let element = Float(try reader.double(pointer))
                    guard element.isFinite else {
                        throw Problem(.invalidArgument, at: pointer, "is outside the range of a 32-bit float.")
                    }
                    elements.append(element)
                }
                vector = elements
            case "like":
                try reader.array(pointer) { reader, pointer throws(Problem) in
                    like.append(try reader.identifier(pointer).id)
                }
                guard !like.isEmpty else { throw Problem(.invalidArgument, at: pointer, "is empty; name an item.") }
            case "title": title = try reader.string(pointer)
            default:
                var names: [String] = []
                try reader.array(pointer) { reader, pointer throws(Problem) in
                    names.append(try reader.string(pointer))
                }
                categories = names
            }
        }
        guard (vector == nil) != like.isEmpty else {
            throw Problem(.invalidArgument, at: "/vector", "or 'like' must be given, but not both.")
        }
    }
}

struct ItemChangeList: Encodable {
    let changes: [ItemChangeDescription]
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

    init(_ change: ItemChange) {
        item = change.item
        model = change.model
        version = change.version
        deleted = change.content == nil
        like = change.content?.like
        title = change.content?.title
        categories = change.content?.categories
    }
}
