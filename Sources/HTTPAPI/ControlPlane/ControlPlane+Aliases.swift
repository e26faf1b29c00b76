package import CheckpointStore
import HTTPTypes
import Hummingbird
import Serving

/// Aliases: names for a model's active version, for one version, or for a traffic split over several versions.
extension ControlPlane {
    var aliasOperations: [Operation] {
        [
            Operation(method: .get, path: "/v1/aliases", isOpen: true) { _, _ in
                let aliases = try await changing { () throws(ServingError) in try await controller.aliases() }
                return try json(AliasList(aliases: aliases.map(AliasDescription.init)))
            },
            Operation(method: .get, path: "/v1/aliases/{alias}", isOpen: true) { _, context in
                let name = try Self.parameter("alias", context)
                guard let alias = try await alias(name) else { throw Problem(ServingError.aliasNotFound(name)) }
                return try answer(alias)
            },
            Operation(method: .put, path: "/v1/aliases/{alias}", isOpen: false) { request, context in
                let name = try Self.parameter("alias", context)
                let alias = try Alias(name: name, json: try await Self.body(of: request))
                if let fault = alias.nameFault, try await self.alias(name) == nil {
                    throw Problem(.unprocessable, fault + ".")
                }
                let revision = try await expectedRevision(of: name, request)
                let stored = try await changing { () throws(ServingError) in
                    do throws(ServingError) {
                        return try await controller.setAlias(alias, ifRevision: revision)
                    } catch {
                        // The path is right, but the body names a missing model or version.
                        switch error {
                        case .modelNotServed, .versionNotFound: throw .invalidAlias(error.description)
                        default: throw error
                        }
                    }
                }
                return try answer(stored)
            },
            Operation(method: .delete, path: "/v1/aliases/{alias}", isOpen: false) { request, context in
                let name = try Self.parameter("alias", context)
                let revision = try await expectedRevision(of: name, request)
                try await changing { () throws(ServingError) in
                    try await controller.removeAlias(name, ifRevision: revision)
                }
                return Response(status: .noContent)
            },
        ]
    }

    private func alias(_ name: String) async throws -> Alias? {
        try await changing { () throws(ServingError) in try await controller.aliases() }.first { $0.name == name }
    }

    /// The revision that `If-Match` or `If-None-Match` requires: nil is any, 0 is that the alias does not exist.
    private func expectedRevision(of name: String, _ request: Request) async throws -> Int? {
        if let tag = request.headers[.ifNoneMatch] {
            guard tag == "*" else { throw Problem(.invalidArgument, "If-None-Match is '\(tag)'; it must be *.") }
            guard request.headers[.ifMatch] == nil else {
                throw Problem(.preconditionFailed, "If-Match and If-None-Match exclude each other; send one.")
            }
            return 0
        }
        guard let tag = request.headers[.ifMatch] else { return nil }
        if tag == "*" {
            guard let alias = try await alias(name) else {
                throw Problem(.preconditionFailed, "If-Match is *, but there is no alias '\(name)'.")
            }
            return alias.revision
        }
        guard let revision = Int(tag.dropFirst().dropLast()), revision > 0, tag == "\"\(revision)\"" else {
            throw Problem(.preconditionFailed, "If-Match is '\(tag)'; it must be * or the ETag of an alias.")
        }
        return revision
    }

    /// The answer with an alias; its revision is the ETag for `If-Match`.
    private func answer(_ alias: Alias) throws -> Response {
        var response = try json(AliasDescription(alias))
        response.headers[.eTag] = "\"\(alias.revision)\""
        return response
    }
}

extension Alias {
    /// The allowed version numbers.
    fileprivate static let versions = 1...Int(Int32.max)

    /// Reads the body of `PUT /v1/aliases/{alias}`.
    ///
    /// - Throws: A ``Problem`` of code `invalid_json` or `invalid_argument`.
    package init(name: String, json body: [UInt8]) throws(Problem) {
        var reader = try BodyReader(body)
        self.init(name: name, model: "")
        var version: Int?
        var hasSplit = false
        var sources = SourcesReader()
        let fields = ["model", "version", "split", "shadow", "guard", "sources", "fusion"]
        try reader.object("", fields: fields, required: 1) { reader, field, pointer throws(Problem) in
            switch field {
            case "model": model = try reader.string(pointer)
            case "version": version = try reader.integer(pointer, in: Self.versions)
            case "sources", "fusion": try reader.blend(field, into: &sources)
            case "shadow": shadow = try reader.double(pointer, in: 0...100)
            case "split":
                hasSplit = true
                try reader.array(pointer) { reader, pointer throws(Problem) in
                    split.append(try Share(&reader, pointer))
                }
            default: self.guard = try reader.isNull() ? nil : Guard(&reader, pointer)
            }
        }
        do {
            blend = try sources.result()
        } catch {
            throw Problem(error, in: body)
        }
        if let fault = blend?.fault(most: Int(Int32.max)) {
            throw Problem(.invalidArgument, at: "/\(fault.field)", fault.message)
        }
        if let version {
            guard !hasSplit else {
                throw Problem(.invalidArgument, at: "/version", "and 'split' exclude each other; give one of them.")
            }
            split = [Share(version: version, percent: 100)]
        }
    }
}

extension Alias.Share {
    fileprivate init(_ reader: inout BodyReader, _ pointer: String) throws(Problem) {
        self.init(version: 0, percent: 0)
        try reader.object(pointer, fields: ["version", "percent"], required: 2) {
            reader,
            field,
            pointer throws(Problem) in
            if field == "version" {
                version = try reader.integer(pointer, in: Alias.versions)
            } else {
                percent = try reader.double(pointer, in: 0...100)
            }
        }
    }
}

extension Alias.Guard {
    fileprivate init(_ reader: inout BodyReader, _ pointer: String) throws(Problem) {
        self.init()
        let fields = ["max_error_rate", "max_p99_ms", "min_requests"]
        try reader.object(pointer, fields: fields, required: 0) { reader, field, pointer throws(Problem) in
            switch field {
            case "max_error_rate": maxErrorRate = try reader.double(pointer, in: 0...1)
            case "max_p99_ms": maxP99Ms = try reader.double(pointer, in: 0...60_000)
            default: minRequests = try reader.integer(pointer, in: 1...Int(Int32.max))
            }
        }
    }
}

struct AliasList: Encodable {
    let aliases: [AliasDescription]
}

/// The JSON form of an alias.
struct AliasDescription: Encodable {
    struct Bounds: Encodable {
        let maxErrorRate: Double?
        let maxP99Ms: Double?
        let minRequests: Int

        enum CodingKeys: String, CodingKey {
            case maxErrorRate
            // The encoder's key strategy would write "max_p99ms".
            case maxP99Ms = "max_p99_ms"
            case minRequests
        }
    }

    struct Source: Encodable {
        let model: String?
        let popular: Bool?
        let weight: Double?
        let quota: Int?

        init(_ source: SourceBlend.Source) {
            model = source.model
            popular = source.model == nil ? true : nil
            weight = source.quota == nil ? source.weight : nil
            quota = source.quota
        }
    }

    struct Fusion: Encodable {
        let method: String
        let constant: Double
        let window: Int
    }

    let name: String
    let model: String
    let split: [Alias.Share]
    let shadow: Double
    let `guard`: Bounds?
    let sources: [Source]?
    let fusion: Fusion?
    let revision: Int

    init(_ alias: Alias) {
        name = alias.name
        model = alias.model
        split = alias.split
        shadow = alias.shadow
        self.guard = alias.guard.map {
            Bounds(maxErrorRate: $0.maxErrorRate, maxP99Ms: $0.maxP99Ms, minRequests: $0.minRequests)
        }
        sources = alias.blend?.sources.map(Source.init)
        fusion = alias.blend.map { Fusion(method: $0.fusion.rawValue, constant: $0.constant, window: $0.window) }
        revision = alias.revision
    }
}
