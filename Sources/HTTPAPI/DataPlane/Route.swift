import NIOHTTP1

/// The route of a data plane path.
package enum Route: Equatable {
    /// The model in a path of the Open Inference Protocol, with an optional version.
    package struct Model: Equatable {
        package let name: String
        package let version: String?
    }

    case retrieve
    case batch
    case similar
    case filterCount
    case facets
    case embed
    /// An item of a model; nil is the default model.
    case item(id: String, model: String?)
    case live
    case ready
    case inferenceLive
    case inferenceReady
    case model(Model)
    case modelReady(Model)
    case infer(Model)

    /// The route of a request target.
    ///
    /// - Throws: A ``Problem`` if the path does not exist, a part of it is not percent-encoded UTF-8, or the path does
    ///   not support the query. Health checks ignore any query.
    package init(target: String) throws(Problem) {
        var path = target[...]
        // A proxy may send the absolute form.
        if path.hasPrefix("http://"), let slash = path.dropFirst(7).firstIndex(of: "/") { path = path[slash...] }
        var query = Substring()
        if let mark = path.utf8.firstIndex(of: UInt8(ascii: "?")) {
            query = path[mark...].dropFirst()
            path = path[..<mark]
        }
        switch path {
        case "/retrieve", "/v1/retrieve": self = .retrieve
        case "/retrieve:batch", "/v1/retrieve:batch": self = .batch
        case "/v1/similar": self = .similar
        case "/v1/filter:count": self = .filterCount
        case "/v1/facets": self = .facets
        case "/v1/embed": self = .embed
        case "/health/live": self = .live
        case "/health/ready": self = .ready
        case "/v2/health/live": self = .inferenceLive
        case "/v2/health/ready": self = .inferenceReady
        default:
            guard let route = try Self.withParameters(path, query) else {
                throw Problem(.notFound, "There is no such path; retrieval is POST /retrieve.")
            }
            self = route
        }
        if hasBody, !query.isEmpty {
            throw Problem(
                .invalidArgument,
                "This path takes no query, but got '\(query.prefix(64))'; put it into the body."
            )
        }
    }

    /// `/v1/items/{id}[?model={name}]` and `/v2/models/{name}[/versions/{version}][/ready|/infer]`.
    private static func withParameters(_ path: Substring, _ query: Substring) throws(Problem) -> Route? {
        var parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        guard parts.count >= 3, !parts.contains("") else { return nil }
        let collection = (parts.removeFirst(), parts.removeFirst())
        let name = try percentDecoded(parts.removeFirst())
        if collection == ("v1", "items"), parts.isEmpty {
            let models = query.split(separator: "&")
            if let other = models.first(where: { !$0.hasPrefix("model=") }) {
                throw Problem(.invalidArgument, "This path takes the query 'model', but got '\(other.prefix(64))'.")
            }
            guard models.count <= 1 else { throw Problem(.invalidArgument, "'model' is given twice.") }
            let model = models.first?.dropFirst(6)
            return .item(id: name, model: try model.map(percentDecoded))
        }
        guard collection == ("v2", "models") else { return nil }
        var version: String?
        if parts.count >= 2, parts.first == "versions" {
            parts.removeFirst()
            version = try percentDecoded(parts.removeFirst())
        }
        let model = Model(name: name, version: version)
        guard let action = parts.popFirst() else { return .model(model) }
        switch action {
        case "ready" where parts.isEmpty: return .modelReady(model)
        case "infer" where parts.isEmpty: return .infer(model)
        default: return nil
        }
    }

    /// The methods of the path, for `Allow`.
    package var methods: String { hasBody ? "POST" : "GET, HEAD" }

    /// Whether the path supports a method.
    func allows(_ method: HTTPMethod) -> Bool {
        hasBody ? method == .POST : method == .GET || method == .HEAD
    }

    /// Whether requests carry JSON and may be refused because of overload or a deadline.
    ///
    /// The other routes are always answered, so that a busy server does not look dead.
    var hasBody: Bool {
        switch self {
        case .retrieve, .batch, .similar, .filterCount, .facets, .embed, .infer: true
        case .item, .live, .ready, .inferenceLive, .inferenceReady, .model, .modelReady: false
        }
    }

    /// The label in metrics and logs.
    var label: RouteLabel {
        switch self {
        case .retrieve: .retrieve
        case .batch: .batch
        case .similar: .similar
        case .filterCount, .facets: .filter
        case .embed: .embed
        case .item: .item
        case .infer: .infer
        case .live, .ready, .inferenceLive, .inferenceReady, .modelReady: .health
        case .model: .other
        }
    }
}

/// Decodes the percent-encoding of a part of a path.
func percentDecoded(_ text: Substring) throws(Problem) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        guard let digits = String(rest.prefix(2)), digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit),
            let value = UInt8(digits, radix: 16)
        else { throw Problem(.invalidArgument, "The path has a '%' without two hexadecimal digits.") }
        bytes.append(value)
        rest = rest.dropFirst(2)
    }
    guard let decoded = String(validating: bytes, as: UTF8.self) else {
        throw Problem(.invalidArgument, "The path is not UTF-8.")
    }
    return decoded
}
