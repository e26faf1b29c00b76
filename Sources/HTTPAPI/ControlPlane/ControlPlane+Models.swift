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
                try json(try await describe(try Self.parameter("model", context)))
            },
            Operation(method: .post, path: "/v1/models/{model}:rollback", isOpen: false) { _, context in
                try await rollBack(try Self.parameter("model", context))
            },
            Operation(method: .get, path: "/v1/models/{model}/versions/{version}", isOpen: true) { _, context in
                try json(try await describe(try target(context)))
            },
            action("activate", parameters: ["wait"]) { try await activate($0, waits: try Self.flag("wait", of: $1)) },
            action("verify") { id, _ in try await verify(id) },
            action("unload") { id, _ in try await unload(id) },
        ]
    }

    /// An action on a version; the action's word follows the version in the path.
    private func action(
        _ word: String,
        parameters: [String] = [],
        _ act: @escaping @Sendable (VersionID, Request) async throws -> Response
    ) -> Operation {
        Operation(
            method: .post,
            path: "/v1/models/{model}/versions/{version}:\(word)",
            isOpen: false,
            parameters: parameters
        ) {
            try await act(try target($1), $0)
        }
    }

    /// The version in a path.
    private func target(_ context: BasicRequestContext) throws -> VersionID {
        let text = try Self.parameter("version", context)
        guard let version = Int(text), "\(version)" == text, version >= 1 else {
            throw Problem(.versionNotFound, "'\(text)' is not a version; versions are whole numbers from 1.")
        }
        return VersionID(try Self.parameter("model", context), version)
    }

    private func models() async throws -> [ModelDescription] {
        try await reading { [source, controller] in
            let aliases = try source.aliases()
            return try source.modelNames().map {
                try ModelDescription(name: $0, source: source, controller: controller, aliases: aliases)
            }
        }
    }

    private func describe(_ name: String) async throws -> ModelDescription {
        try await reading { [source, controller] in
            guard try source.modelNames().contains(name) else {
                throw Problem(.notFound, "There is no model '\(name)'; GET /v1/models lists them.")
            }
            let aliases = try source.aliases()
            return try ModelDescription(name: name, source: source, controller: controller, aliases: aliases)
        }
    }

    private func describe(_ id: VersionID) async throws -> VersionDescription {
        try await reading { [source, controller] in
            guard let stored = try source.inventory(of: id.model).first(where: { $0.number == id.version }) else {
                throw Problem(ServingError.versionNotFound(id))
            }
            return VersionDescription(stored, of: id.model, controller: controller, hasDigest: true)
        }
    }

    private func activate(_ id: VersionID, waits: Bool) async throws -> Response {
        let isActive = try await changing { () throws(ServingError) in
            try await controller.activate(model: id.model, version: id.version, wait: waits)
        }
        let state = isActive ? VersionState.active : .loading
        return try json(ActionResult(id, state: state.name), status: isActive ? .ok : .accepted)
    }

    private func rollBack(_ model: String) async throws -> Response {
        let version = try await changing { () throws(ServingError) in try await controller.rollback(model: model) }
        return try json(ActionResult(VersionID(model, version), state: VersionState.active.name))
    }

    private func unload(_ id: VersionID) async throws -> Response {
        let state = try await changing { () throws(ServingError) in
            try await controller.unload(model: id.model, version: id.version)
        }
        return try json(ActionResult(id, state: state.name))
    }

    private func verify(_ id: VersionID) async throws -> Response {
        _ = try await describe(id)
        try await offThread { [source] in
            do {
                try source.verify(model: id.model, version: id.version)
            } catch {
                throw Problem(.checkpointRejected, "\(id) is damaged: \(error)")
            }
        }
        return try json(ActionResult(id, state: "verified"))
    }

    /// Reads the store and converts its errors to problems.
    func reading<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        do {
            return try await offThread(work)
        } catch let error as CheckpointError {
            throw Problem(ServingError(error))
        }
    }

    /// Runs a change and converts its errors to problems.
    func changing<Value>(_ change: () async throws(ServingError) -> Value) async throws -> Value {
        do {
            return try await change()
        } catch {
            switch error {
            case .storeFailed, .searchUnavailable: logger.error("change failed", metadata: ["error": "\(error)"])
            default: break
            }
            throw Problem(error)
        }
    }
}
