import Kernels
package import Serving

/// The bodies of the Open Inference Protocol, version 2.
///
/// Inputs are `history` (BYTES, shape `[n]`, ids, oldest first) and optionally `k` (INT32, shape `[1]`); outputs are
/// `ids` (BYTES, shape `[m]`) and `scores` (FP32, shape `[m]`), best first. The service accepts the protocol's
/// `parameters` but ignores them.
package enum InferenceProtocol {
    /// Writes a model's metadata.
    static func writeMetadata(of model: String, versions: [Int], to writer: inout JSONWriter) {
        writer.raw("{\"name\":")
        writer.string(model)
        let list = versions.map { "\"\($0)\"" }.joined(separator: ",")
        writer.raw(",\"versions\":[\(list)],\"platform\":\"dimerec\",\"inputs\":[")
        writer.raw("{\"name\":\"history\",\"datatype\":\"BYTES\",\"shape\":[-1]},")
        writer.raw("{\"name\":\"k\",\"datatype\":\"INT32\",\"shape\":[1]}],\"outputs\":[")
        writer.raw("{\"name\":\"ids\",\"datatype\":\"BYTES\",\"shape\":[-1]},")
        writer.raw("{\"name\":\"scores\",\"datatype\":\"FP32\",\"shape\":[-1]}]}")
    }

    /// Writes that a model is ready.
    static func writeReadiness(of model: String, to writer: inout JSONWriter) {
        writer.raw("{\"name\":")
        writer.string(model)
        writer.raw(",\"ready\":true}")
    }

    /// The parts of an inference request that shape the answer.
    package struct Request {
        private enum Output: String, CaseIterable {
            case ids
            case scores
        }

        /// The caller's name for the request, repeated in the answer.
        private var id: String?
        private var outputs = Output.allCases

        /// Reads a body.
        ///
        /// - Parameters:
        ///   - body: The bytes.
        ///   - limits: The bounds of a request.
        ///   - request: Reset and filled.
        /// - Throws: A ``Problem`` of code `invalid_json` or `invalid_argument`.
        package init(
            _ body: [UInt8],
            limits: RetrievalLimits,
            into request: inout RetrievalRequest
        ) throws(Problem) {
            var reader = try BodyReader(body)
            var seen: Set<String> = []
            request.reset()
            let fields = ["inputs", "outputs", "id", "parameters"]
            try reader.object("", fields: fields, required: 1) { reader, name, pointer throws(Problem) in
                switch name {
                case "inputs":
                    try reader.array(pointer) { reader, pointer throws(Problem) in
                        let input = try Tensor(&reader, pointer)
                        guard seen.insert(input.name).inserted else {
                            throw Problem(.invalidArgument, at: "\(pointer)/name", "is given twice.")
                        }
                        try input.fill(&request, limits)
                    }
                case "outputs": outputs = try Self.outputs(&reader, pointer)
                case "id": id = try reader.string(pointer)
                default: try reader.ignoredObject(pointer)
                }
            }
            guard seen.contains("history") else {
                throw Problem(.invalidArgument, at: "/inputs", "must include the tensor 'history'.")
            }
        }

        private static func outputs(_ reader: inout BodyReader, _ pointer: String) throws(Problem) -> [Output] {
            var outputs: [Output] = []
            try reader.array(pointer) { reader, pointer throws(Problem) in
                try reader.object(pointer, fields: ["name", "parameters"], required: 1) {
                    reader,
                    field,
                    pointer throws(Problem) in
                    guard field == "name" else { return try reader.ignoredObject(pointer) }
                    guard let output = Output(rawValue: try reader.string(pointer)), !outputs.contains(output) else {
                        throw Problem(.invalidArgument, at: pointer, "must be 'ids' or 'scores', each at most once.")
                    }
                    outputs.append(output)
                }
            }
            return outputs.isEmpty ? Output.allCases : outputs
        }

        /// Writes the answer.
        func write(_ response: RetrievalResponse, to writer: inout JSONWriter) {
            writer.raw("{\"model_name\":")
            writer.string(response.snapshot.model)
            writer.raw(",\"model_version\":\"\(response.snapshot.version)\"")
            if let id {
                writer.raw(",\"id\":")
                writer.string(id)
            }
            if response.isPartial { writer.raw(",\"parameters\":{\"partial\":true}") }
            writer.raw(",\"outputs\":[")
            for (position, output) in outputs.enumerated() {
                let datatype = output == .ids ? "BYTES" : "FP32"
                writer.raw(position == 0 ? "{" : ",{")
                writer.raw("\"name\":\"\(output.rawValue)\",\"datatype\":\"\(datatype)\",\"shape\":[")
                writer.integer(response.items.count)
                writer.raw("],\"data\":[")
                for (position, item) in response.items.enumerated() {
                    if position > 0 { writer.raw(",") }
                    switch output {
                    case .ids: writer.string(response.snapshot.identifiers.id(item.id))
                    case .scores: writer.float(item.score)
                    }
                }
                writer.raw("]}")
            }
            writer.raw("]}")
        }
    }

    /// One input.
    private struct Tensor {
        private enum Element {
            case bytes(String)
            case integer(Int)
        }

        private(set) var name = ""
        private var datatype = ""
        private var shape: [Int] = []
        private var data: [Element] = []
        private let pointer: String

        init(_ reader: inout BodyReader, _ pointer: String) throws(Problem) {
            self.pointer = pointer
            let fields = ["name", "shape", "datatype", "data", "parameters"]
            try reader.object(pointer, fields: fields, required: 4) { reader, field, pointer throws(Problem) in
                switch field {
                case "name": name = try reader.string(pointer)
                case "datatype": datatype = try reader.string(pointer)
                case "shape":
                    try reader.array(pointer) { reader, pointer throws(Problem) in
                        shape.append(try reader.integer(pointer, in: 0...Int.max))
                    }
                case "data":
                    try reader.array(pointer) { reader, pointer throws(Problem) in
                        let (text, isInteger) = try reader.identifier(pointer)
                        data.append(isInteger ? .integer(Int(text) ?? 0) : .bytes(text))
                    }
                default: try reader.ignoredObject(pointer)
                }
            }
        }

        /// Puts the tensor into a request.
        func fill(_ request: inout RetrievalRequest, _ limits: RetrievalLimits) throws(Problem) {
            switch name {
            case "history":
                try check("BYTES", shape: [data.count])
                for (position, element) in data.enumerated() {
                    guard case .bytes(let id) = element else {
                        throw Problem(.invalidArgument, at: "\(pointer)/data/\(position)", "must be a string.")
                    }
                    request.history.append(id)
                }
            case "k":
                try check("INT32", shape: [1])
                guard data.count == 1, case .integer(let k) = data[0] else {
                    throw Problem(.invalidArgument, at: "\(pointer)/data", "must be one integer.")
                }
                guard limits.k.contains(k) else {
                    throw Problem(.invalidArgument, at: "\(pointer)/data/0", limits.k.requirement(got: k))
                }
                request.k = k
            default:
                throw Problem(.invalidArgument, at: "\(pointer)/name", "must be 'history' or 'k'.")
            }
        }

        private func check(_ expected: String, shape expectedShape: [Int]) throws(Problem) {
            guard datatype == expected else {
                throw Problem(.invalidArgument, at: "\(pointer)/datatype", "of '\(name)' must be \(expected).")
            }
            guard shape == expectedShape else {
                throw Problem(.invalidArgument, at: "\(pointer)/shape", "is \(shape); it must be \(expectedShape).")
            }
        }
    }
}
