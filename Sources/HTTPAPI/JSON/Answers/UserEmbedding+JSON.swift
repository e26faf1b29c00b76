import Foundation
import Kernels
import Recommenders
import Serving

/// The body of `POST /v1/embed`.
struct EmbeddingRequest {
    /// How vectors are written.
    enum Encoding: String, CaseIterable {
        /// Lists of numbers.
        case json
        /// The bytes of little-endian Float32 numbers in base64, one text a vector.
        case base64
    }

    /// The history and the model's parameters.
    private(set) var request = RetrievalRequest()
    /// How the answer writes vectors.
    private(set) var encoding = Encoding.json

    /// Reads a body; numbers must be within the limits.
    init(_ body: [UInt8], limits: RetrievalLimits) throws(Problem) {
        var reader = try BodyReader(body)
        let fields = ["history", "model", "user", "seed", "steps", "samples", "guidance", "encoding"]
        try reader.object("", fields: fields, required: 1) { reader, name, pointer throws(Problem) in
            switch name {
            case "history":
                try reader.array(pointer) { reader, pointer throws(Problem) in
                    request.history.append(try reader.identifier(pointer).id)
                }
            case "model": request.model = try reader.isNull() ? nil : reader.string(pointer)
            case "user": request.user = try reader.isNull() ? nil : reader.identifier(pointer).id
            case "seed": request.seed = try reader.isNull() ? nil : reader.seed(pointer)
            case "steps":
                request.steps = try reader.isNull() ? nil : reader.integer(pointer, in: RetrievalLimits.steps)
            case "samples": request.samples = try reader.integer(pointer, in: limits.samples)
            case "guidance":
                guard try !reader.isNull() else { return }
                var (slots, isEmpty) = (GuidanceSlots(), true)
                try reader.object(pointer, fields: GuidanceSlots.fields, required: 0) {
                    reader,
                    name,
                    pointer throws(Problem) in
                    slots.set(name, to: try reader.integer(pointer, in: GuidanceSlots.range))
                    isEmpty = false
                }
                guard !isEmpty else {
                    let names = GuidanceSlots.fields.joined(separator: ", ")
                    throw Problem(.invalidArgument, at: pointer, "must have at least one of the fields \(names).")
                }
                request.guidance = slots
            default:
                let text = try reader.string(pointer)
                guard let encoding = Encoding(rawValue: text) else {
                    let message = "must be 'json' or 'base64'; got '\(text.prefix(32))'."
                    throw Problem(.invalidArgument, at: pointer, message)
                }
                self.encoding = encoding
            }
        }
    }
}

extension UserEmbedding {
    /// Writes the body of a `/v1/embed` answer.
    func write(to writer: inout JSONWriter, encoding: EmbeddingRequest.Encoding, requestID: [UInt8]) {
        writer.raw("{\"dimension\":")
        writer.integer(snapshot.encoder.dimension)
        writer.raw(",\"vectors\":")
        writer.vectors(vectors, encoding)
        writer.raw(",\"interests\":")
        writer.vectors(interests, encoding)
        writer.raw(",\"seed\":")
        writer.integer(seed)
        writer.raw(",\"steps\":")
        writer.integer(vectors.rows > 0 ? steps : 0)
        writer.raw(",\"unknown_ids\":")
        writer.integer(unknownIDs)
        writer.origin(snapshot, requestID: requestID)
        writer.raw("}")
    }
}

extension JSONWriter {
    /// Appends a list with an element for each row.
    fileprivate mutating func vectors(_ rows: Matrix, _ encoding: EmbeddingRequest.Encoding) {
        raw("[")
        for row in 0..<rows.rows {
            if row > 0 { raw(",") }
            let vector = rows.row(row)
            switch encoding {
            case .json:
                raw("[")
                for (position, element) in vector.enumerated() {
                    if position > 0 { raw(",") }
                    float(element)
                }
                raw("]")
            case .base64:
                var bytes: [UInt8] = []
                for element in vector {
                    let bits = element.bitPattern
                    for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
                }
                string(Data(bytes).base64EncodedString())
            }
        }
        raw("]")
    }
}
