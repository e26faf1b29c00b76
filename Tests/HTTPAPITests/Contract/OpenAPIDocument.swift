import Testing

/// The OpenAPI document of the control plane, with a check of answers against it.
struct OpenAPIDocument {
    /// One method of one path.
    struct Operation {
        let plane: RunningServer.Plane
        let method: String
        /// The path, with parameters as `{name}`.
        let path: String
        let json: JSONNode

        var name: String { "\(method) \(path)" }
        var needsToken: Bool { json["security"] != nil }
        var body: JSONNode? { json["requestBody"]?[pointer: "/content/application~1json"] }

        /// A request target, with a value for each path parameter.
        func target(_ values: [String: String] = [:]) -> String {
            let values = ["item": "i1", "model": "m", "version": "1", "alias": "stable"].merging(values) { $1 }
            return values.reduce(path) { $0.replacing("{\($1.key)}", with: $1.value) }
        }
    }

    let json: JSONNode
    let operations: [Operation]

    init(_ json: JSONNode) throws {
        self.json = json
        operations = try (json["paths"]?.members ?? [:]).flatMap { path, item in
            try item.members.map { method, operation in
                let tag = try #require(operation["tags"]?.texts.first)
                let plane = try #require(RunningServer.Plane(rawValue: tag), "\(path) has no plane")
                return Operation(plane: plane, method: method.uppercased(), path: path, json: operation)
            }
        }
    }

    init(of server: RunningServer) async throws {
        try self.init(try JSONNode(try await server.ask(.control, "GET", "/openapi.json").body))
    }

    /// Follows a reference.
    func resolve(_ value: JSONNode?) -> JSONNode? {
        guard let reference = value?["$ref"]?.text else { return value }
        return json[pointer: String(reference.dropFirst())]
    }

    /// The operation of a request: the most specific match, with the longest literal part of the path.
    func operation(_ plane: RunningServer.Plane, _ method: String, _ target: String) -> Operation? {
        let parts = target.prefix { $0 != "?" }.split(separator: "/")
        return operations.filter { operation in
            let pattern = operation.path.split(separator: "/")
            guard operation.plane == plane, operation.method == method, pattern.count == parts.count else {
                return false
            }
            return zip(pattern, parts).allSatisfy { pattern, part in
                guard pattern.hasPrefix("{"), let end = pattern.firstIndex(of: "}") else { return pattern == part }
                return part.hasSuffix(pattern[pattern.index(after: end)...])
            }
        }.max { $0.path.count < $1.path.count }
    }

    /// The differences between an answer and the document; empty if there are none.
    func violations(of operation: Operation, in answer: Answer) throws -> [String] {
        guard let response = resolve(operation.json["responses"]?["\(answer.status)"]) else {
            return ["\(answer.status) is not documented"]
        }
        let schema = JSONSchema(document: json)
        var violations: [String] = []
        for (name, reference) in response["headers"]?.members ?? [:] {
            guard let header = resolve(reference), let headerSchema = header["schema"] else { return ["no \(name)"] }
            if let value = answer.headers[name.lowercased()] {
                let value =
                    headerSchema["type"] == .string("integer") ? Double(value).map(JSONNode.number) : .string(value)
                violations += schema.violations(of: headerSchema, in: value ?? .null, at: name)
            } else if header["required"] == .boolean(true) {
                violations.append("\(name) is missing")
            }
        }
        guard let (mediaType, content) = response["content"]?.members.first else {
            return violations + (answer.body.isEmpty ? [] : ["there is a body"])
        }
        let type = answer.headers["content-type"] ?? ""
        if type.prefix(while: { $0 != ";" }) != mediaType { violations.append("the body is \(type), not \(mediaType)") }
        let body = mediaType.hasSuffix("json") ? try JSONNode(answer.body) : .string(answer.text)
        return violations + schema.violations(of: content["schema"] ?? .null, in: body)
    }
}

extension RunningServer {
    /// One of the two listeners, named like the document's tags.
    enum Plane: String {
        case data
        case control
    }

    /// Sends one request on a new connection; `headers` are lines with their line breaks.
    func ask(
        _ plane: Plane,
        _ method: String,
        _ target: String,
        body: String? = nil,
        headers: String = ""
    ) async throws -> Answer {
        let port = plane == .data ? port : controlPort
        let connection = try await TestConnection(port: port)
        let host = headers.hasPrefix("Host:") ? "" : "Host: localhost:\(port)\r\n"
        let length = body.map { "Content-Length: \($0.utf8.count)\r\n" } ?? ""
        try await connection.send("\(method) \(target) HTTP/1.1\r\n\(host)\(length)\(headers)\r\n\(body ?? "")")
        let answer = try await connection.answer(hasBody: method != "HEAD")
        try await connection.close()
        return answer
    }
}
