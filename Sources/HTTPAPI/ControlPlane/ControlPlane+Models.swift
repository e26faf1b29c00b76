import CheckpointStore
import Hummingbird
import Logging
import Serving

/// Models and their versions.
extension ControlPlane {
    var modelOperations: [Operation] {
        [
            Operation(method: .get, path: "/v1/models", isOpen: true) { _, _ in
                try json(ModelList(models: try await models()))
            },
            Operation(method: .get, path: "/v1/models/{model}", isOpen: true) { _, context in
                let (model, verb) = try split(try context.parameters.require("model"))
                guard verb == nil else { throw Problem(.methodNotAllowed, "Actions are POST.", allow: "POST") }
                return try json(try await describe(model))
            },
            Operation(method: .post, path: "/v1/models/{model}:rollback", isOpen: false) { _, context in
                let (model, verb) = try split(try context.parameters.require("model"))
                guard verb == "rollback" else {
                    throw Problem(.notFound, "A model has the action ':rollback' only.")
                }
                return try await rollBack(model)
            },
            Operation(method: .get, path: "/v1/models/{model}/versions/{version}", isOpen: true) { _, context in
                let (model, version, verb) = try target(context)
                guard verb == nil else { throw Problem(.methodNotAllowed, "Actions are POST.", allow: "POST") }
                return try json(try await describe(model, version))
            },
            Operation(
                method: .post,
                path: "/v1/models/{model}/versions/{version}:activate",
                isOpen: false,
                handler: act
            ),
            Operation(method: .post, path: "/v1/models/{model}/versions/{version}:verify", isOpen: false, handler: act),
            Operation(method: .post, path: "/v1/models/{model}/versions/{version}:unload", isOpen: false, handler: act),
        ]
    }

    private func act(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
        let (model, version, verb) = try target(context)
        switch verb {
        case "activate": return try await activate(model, version, waits: try Self.flag("wait", of: request))
        case "verify": return try await verify(model, version)
        case "unload": return try await unload(model, version)
        case nil: throw Problem(.methodNotAllowed, "Versions are immutable.", allow: "GET")
        case let verb?:
            throw Problem(.notFound, "There is no action ':\(verb)'; there are :activate, :verify and :unload.")
        }
    }

    /// The parts of `name:verb`; a name may hold colons, since an action is a word behind the last one.
    private func split(_ text: String) throws -> (name: String, verb: String?) {
        guard let colon = text.lastIndex(of: ":"), text[text.index(after: colon)...] == "rollback" else {
            return (text, nil)
        }
        return (String(text[..<colon]), "rollback")
    }

    /// The model, the version and the action of a path such as `/v1/models/m/versions/3:activate`.
    private func target(_ context: BasicRequestContext) throws -> (model: String, version: Int, verb: String?) {
        let parts = try context.parameters.require("version").split(
            separator: ":",
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        guard let version = Int(parts[0]), version >= 1 else {
            throw Problem(.versionNotFound, "'\(parts[0])' is no version; versions are 1, 2, 3 and so on.")
        }
        return (try context.parameters.require("model"), version, parts.count == 2 ? String(parts[1]) : nil)
    }

    private func models() async throws -> [ModelDescription] {
        try await offThread { [source, controller] in
            let aliases = try source.aliases()
            return try source.modelNames().map {
                try ModelDescription(name: $0, source: source, controller: controller, aliases: aliases)
            }
        }
    }

    private func describe(_ name: String) async throws -> ModelDescription {
        try await offThread { [source, controller] in
            guard try source.modelNames().contains(name) else {
                throw Problem(.notFound, "There is no model '\(name)'; GET /v1/models lists them.")
            }
            let aliases = try source.aliases()
            return try ModelDescription(name: name, source: source, controller: controller, aliases: aliases)
        }
    }

    private func describe(_ model: String, _ version: Int) async throws -> VersionDescription {
        try await offThread { [source, controller] in
            guard let manifest = try source.manifests(of: model).first(where: { $0.version == version }) else {
                throw Problem(ServingError.versionNotFound(VersionID(model, version)))
            }
            let digest = try source.digest(model: model, version: version)
            return VersionDescription(manifest, controller: controller, digest: digest)
        }
    }

    private func activate(_ model: String, _ version: Int, waits: Bool) async throws -> Response {
        let isActive = try await changing { () throws(ServingError) in
            try await controller.activate(model: model, version: version, wait: waits)
        }
        let state = isActive ? VersionState.active : .loading
        let body = ActionResult(model: model, version: version, state: state.name)
        return try json(body, status: isActive ? .ok : .accepted)
    }

    private func rollBack(_ model: String) async throws -> Response {
        let version = try await changing { () throws(ServingError) in try await controller.rollback(model: model) }
        return try json(ActionResult(model: model, version: version, state: VersionState.active.name))
    }

    private func unload(_ model: String, _ version: Int) async throws -> Response {
        let state = try await changing { () throws(ServingError) in
            try await controller.unload(model: model, version: version)
        }
        return try json(ActionResult(model: model, version: version, state: state.name))
    }

    private func verify(_ model: String, _ version: Int) async throws -> Response {
        _ = try await describe(model, version)
        try await offThread { [source] in
            do {
                try source.verify(model: model, version: version)
            } catch {
                throw Problem(.checkpointRejected, "Version \(version) of model '\(model)' is damaged: \(error)")
            }
        }
        return try json(ActionResult(model: model, version: version, state: "verified"))
    }

    /// Runs a change; why it did not happen becomes a problem.
    func changing<Value>(_ change: () async throws(ServingError) -> Value) async throws -> Value {
        do {
            return try await change()
        } catch {
            if case .storeFailed = error { logger.error("change failed", metadata: ["error": "\(error)"]) }
            throw Problem(error)
        }
    }
}
