import Foundation

/// A JSON value that distinguishes booleans and numbers, for checks against a schema.
indirect enum JSONNode: Decodable, Equatable, CustomStringConvertible {
    case null
    case boolean(Bool)
    case number(Double)
    case string(String)
    case array([JSONNode])
    case object([String: JSONNode])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let boolean = try? value.decode(Bool.self) {
            self = .boolean(boolean)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let string = try? value.decode(String.self) {
            self = .string(string)
        } else if let array = try? value.decode([JSONNode].self) {
            self = .array(array)
        } else {
            self = .object(try value.decode([String: JSONNode].self))
        }
    }

    init(_ bytes: some Sequence<UInt8>) throws {
        self = try JSONDecoder().decode(JSONNode.self, from: Data(bytes))
    }

    /// A member of an object; nil if this is not an object or has no such member.
    subscript(key: String) -> JSONNode? {
        if case .object(let members) = self { members[key] } else { nil }
    }

    /// The value at a pointer such as `/a/b`.
    subscript(pointer pointer: String) -> JSONNode? {
        pointer.split(separator: "/").reduce(self as JSONNode?) { value, step in
            value?[String(step.replacing("~1", with: "/").replacing("~0", with: "~"))]
        }
    }

    var members: [String: JSONNode] { if case .object(let members) = self { members } else { [:] } }
    var elements: [JSONNode] { if case .array(let elements) = self { elements } else { [] } }
    var text: String? { if case .string(let text) = self { text } else { nil } }
    var double: Double? { if case .number(let number) = self { number } else { nil } }
    var texts: [String] { elements.compactMap(\.text) }

    /// The JSON Schema names of the value's type.
    var types: Set<String> {
        switch self {
        case .null: ["null"]
        case .boolean: ["boolean"]
        case .number(let number): number == number.rounded() ? ["number", "integer"] : ["number"]
        case .string: ["string"]
        case .array: ["array"]
        case .object: ["object"]
        }
    }

    /// The value as JSON text; integers without fraction.
    var description: String {
        switch self {
        case .null: "null"
        case .boolean(let boolean): "\(boolean)"
        case .number(let number): Int(exactly: number).map(String.init) ?? "\(number)"
        case .string(let text): "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
        case .array(let elements): "[\(elements.map(\.description).joined(separator: ","))]"
        case .object(let members):
            "{\(members.map { "\(JSONNode.string($0.key)):\($0.value)" }.joined(separator: ","))}"
        }
    }
}
