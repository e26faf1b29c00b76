import CheckpointStore
import Kernels
import Serving

/// The body of `POST /v1/similar`.
struct SimilarityRequest {
    /// The item's id in the catalogue.
    private(set) var item = ""
    /// Whether integer ids are written as JSON integers.
    private(set) var answersIntegers = false
    /// How many items to return.
    private(set) var k = 50
    /// The model or alias; nil is the default one.
    private(set) var model: String?

    /// Reads a body; `k` must be within the limits.
    init(_ body: [UInt8], limits: RetrievalLimits) throws(Problem) {
        var reader = try BodyReader(body)
        try reader.object("", fields: ["item", "k", "model"], required: 1) { reader, name, pointer throws(Problem) in
            switch name {
            case "k": k = try reader.integer(pointer, in: limits.k)
            case "model": model = try reader.string(pointer)
            default: (item, answersIntegers) = try reader.identifier(pointer)
            }
        }
    }
}

extension SimilarItems {
    /// Writes the body of a `/v1/similar` answer.
    func write(to writer: inout JSONWriter, request: SimilarityRequest, requestID: [UInt8]) {
        writer.raw("{\"items\":")
        writer.items(items, named: snapshot.identifiers, asIntegers: request.answersIntegers)
        writer.origin(snapshot, requestID: requestID)
        writer.raw(",\"truncated\":")
        writer.boolean(truncated)
        if isPartial { writer.raw(",\"partial\":true") }
        writer.raw("}")
    }
}

extension ServingSnapshot {
    /// Writes the body of a `/v1/items/{id}` answer; `known` is false for an item outside the catalogue.
    func writeItem(_ id: String, to writer: inout JSONWriter) {
        let number = number(of: id)
        writer.raw("{\"id\":")
        writer.string(id)
        writer.raw(",\"known\":")
        writer.boolean(number != nil)
        writer.raw(",\"title\":")
        if let number, let title = title(of: number) { writer.string(title) } else { writer.raw("null") }
        writer.raw(",\"categories\":[")
        let names = number.map { categories.names(of: $0) } ?? []
        for (position, name) in names.enumerated() {
            if position > 0 { writer.raw(",") }
            writer.string(name)
        }
        writer.raw("],\"attributes\":{")
        let attributes = number.map { filters.attributes.values(of: $0) } ?? []
        for (position, attribute) in attributes.enumerated() {
            if position > 0 { writer.raw(",") }
            writer.string(attribute.name)
            writer.raw(":")
            writer.attribute(attribute.value)
        }
        writer.raw("},\"model\":")
        writer.string(model)
        writer.raw(",\"version\":")
        writer.integer(version)
        writer.raw("}")
    }
}

extension JSONWriter {
    /// Writes the value of an attribute.
    mutating func attribute(_ value: AttributeValue) {
        switch value {
        case .number(let number):
            if let whole = Int64(exactly: number) { integer(whole) } else { raw("\(number)") }
        case .boolean(let boolean): self.boolean(boolean)
        case .text(let text): string(text)
        case .texts(let texts):
            raw("[")
            for (position, text) in texts.enumerated() {
                if position > 0 { raw(",") }
                string(text)
            }
            raw("]")
        }
    }
}
