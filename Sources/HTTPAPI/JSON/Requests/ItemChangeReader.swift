import CheckpointStore
import Serving

/// The body of `PUT /v1/items/{item}`.
package struct NewItem {
    /// The vector or the similar items, the title and the categories.
    private(set) var content = ItemChange.Content()
    /// The values of the attributes; nil leaves earlier changed ones.
    private(set) var attributes: [String: AttributeValue?]?

    /// Reads a body.
    ///
    /// - Throws: A ``Problem`` of code `invalid_json` or `invalid_argument`.
    package init(json body: [UInt8]) throws(Problem) {
        var reader = try BodyReader(body)
        let fields = ["vector", "like", "title", "categories", "attributes"]
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
                content.vector = elements
            case "like":
                try reader.array(pointer) { reader, pointer throws(Problem) in
                    content.like.append(try reader.identifier(pointer).id)
                }
                guard !content.like.isEmpty else {
                    throw Problem(.invalidArgument, at: pointer, "is empty; name an item.")
                }
            case "title": content.title = try reader.string(pointer)
            case "attributes": attributes = try reader.attributes(pointer)
            default:
                var names: [String] = []
                try reader.array(pointer) { reader, pointer throws(Problem) in
                    names.append(try reader.string(pointer))
                }
                content.categories = names
            }
        }
        guard (content.vector == nil) != content.like.isEmpty else {
            throw Problem(.invalidArgument, at: "/vector", "or 'like' must be given, but not both.")
        }
    }
}

/// The body of `PATCH /v1/items`.
package struct AttributeEdits {
    /// The new values, in the order of the body.
    private(set) var list: [ServingController.AttributeEdit] = []

    /// Reads a body.
    ///
    /// - Throws: A ``Problem`` of code `invalid_json` or `invalid_argument`.
    package init(json body: [UInt8]) throws(Problem) {
        var reader = try BodyReader(body)
        try reader.object("", fields: ["items"], required: 1) { reader, _, pointer throws(Problem) in
            try reader.array(pointer) { reader, pointer throws(Problem) in
                var edit = ServingController.AttributeEdit(item: "", values: [:], replaces: false)
                let fields = ["id", "attributes"]
                try reader.object(pointer, fields: fields, required: 2) { reader, field, pointer throws(Problem) in
                    if field == "id" {
                        edit.item = try reader.identifier(pointer).id
                    } else if let values = try reader.attributes(pointer) {
                        edit.values = values
                    } else {
                        edit.replaces = true
                    }
                }
                list.append(edit)
            }
        }
        guard !list.isEmpty else { throw Problem(.invalidArgument, at: "/items", "is empty; name an item.") }
    }
}

extension BodyReader {
    /// Reads an object of values of attributes; nil for null.
    mutating func attributes(_ pointer: String) throws(Problem) -> [String: AttributeValue?]? {
        guard try !isNull() else { return nil }
        var values: [String: AttributeValue?] = [:]
        try members(pointer) { reader, name, place throws(Problem) in
            guard values.index(forKey: name) == nil else {
                throw Problem(.invalidArgument, at: place, "is given twice.")
            }
            values[name] = .some(try reader.attribute(place))
        }
        return values
    }

    /// Reads the value of an attribute; nil for null.
    private mutating func attribute(_ pointer: String) throws(Problem) -> AttributeValue? {
        switch try kind() {
        case .null: return try isNull() ? nil : nil
        case .boolean: return .boolean(try boolean(pointer))
        case .number: return .number(try double(pointer))
        case .string: return .text(try string(pointer))
        case .array:
            var texts: [String] = []
            try array(pointer) { reader, pointer throws(Problem) in texts.append(try reader.string(pointer)) }
            return .texts(texts)
        case .object:
            let message = "is an object; a value is a number, a boolean, a string, a list of strings, or null."
            throw Problem(.invalidArgument, at: pointer, message)
        }
    }
}
