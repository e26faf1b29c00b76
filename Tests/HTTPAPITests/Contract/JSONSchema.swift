/// Checks values against the part of JSON Schema 2020-12 that the OpenAPI document uses.
struct JSONSchema {
    /// The document that `$ref` points into.
    let document: JSONNode

    /// Keywords that do not affect validation.
    private static let annotations: Set<String> = ["description", "default", "example"]

    /// The violations of a schema with their places; empty if the value is valid.
    func violations(of schema: JSONNode, in value: JSONNode, at place: String = "") -> [String] {
        schema.members.flatMap { keyword, argument in
            violations(of: keyword, argument, schema, in: value, at: place).map { "\(place): \($0)" }
        }
    }

    private func isValid(_ value: JSONNode, _ schema: JSONNode) -> Bool {
        violations(of: schema, in: value).isEmpty
    }

    private func violations(
        of keyword: String,
        _ argument: JSONNode,
        _ schema: JSONNode,
        in value: JSONNode,
        at place: String
    ) -> [String] {
        func check(_ isValid: Bool) -> [String] { isValid ? [] : ["\(value) breaks \(keyword) \(argument)"] }
        /// Checks a bound of values of one type; values of other types pass.
        func bound<Part>(_ part: Part?, _ holds: (Part, Double) -> Bool) -> [String] {
            guard let limit = argument.double else { return ["\(keyword) has no number"] }
            return check(part.map { holds($0, limit) } ?? true)
        }
        var count: Double? { if case .array(let elements) = value { Double(elements.count) } else { nil } }

        switch keyword {
        case "$ref":
            guard let reference = argument.text, let target = document[pointer: String(reference.dropFirst())] else {
                return ["there is no \(argument)"]
            }
            return violations(of: target, in: value, at: place)
        case "type": return check(!value.types.isDisjoint(with: argument.text.map { [$0] } ?? argument.texts))
        case "const": return check(value == argument)
        case "enum": return check(argument.elements.contains(value))
        case "minimum": return bound(value.double) { $0 >= $1 }
        case "maximum": return bound(value.double) { $0 <= $1 }
        case "exclusiveMinimum": return bound(value.double) { $0 > $1 }
        case "minLength": return bound(value.text) { Double($0.unicodeScalars.count) >= $1 }
        case "minItems": return bound(count) { $0 >= $1 }
        case "maxItems": return bound(count) { $0 <= $1 }
        case "uniqueItems":
            let elements = value.elements
            return check(elements.indices.allSatisfy { !elements[..<$0].contains(elements[$0]) })
        case "pattern":
            guard let pattern = argument.text, let regex = try? Regex(pattern) else {
                return ["no pattern \(argument)"]
            }
            return check(value.text.map { $0.contains(regex) } ?? true)
        case "minProperties":
            return check(value.types != ["object"] || Double(value.members.count) >= argument.double ?? 0)
        case "required":
            return check(value.types != ["object"] || argument.texts.allSatisfy { value[$0] != nil })
        case "properties":
            return argument.members.flatMap { name, schema in
                value[name].map { violations(of: schema, in: $0, at: "\(place)/\(name)") } ?? []
            }
        case "additionalProperties":
            let others = value.members.filter { schema["properties"]?[$0.key] == nil }
            if argument == .boolean(false) { return check(others.isEmpty) }
            return others.flatMap { violations(of: argument, in: $0.value, at: "\(place)/\($0.key)") }
        case "items":
            return value.elements.enumerated().flatMap {
                violations(of: argument, in: $0.element, at: "\(place)/\($0.offset)")
            }
        case "contains": return check(count == nil || value.elements.contains { isValid($0, argument) })
        case "anyOf": return check(argument.elements.contains { isValid(value, $0) })
        case "oneOf": return check(argument.elements.count { isValid(value, $0) } == 1)
        case "not": return check(!isValid(value, argument))
        case let keyword: return Self.annotations.contains(keyword) ? [] : ["'\(keyword)' is not checked here"]
        }
    }
}
