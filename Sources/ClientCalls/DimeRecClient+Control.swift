import Foundation
import NIOHTTP1

extension DimeRecClient {
    /// The models of the store and their versions.
    public func models() async throws -> [ModelDescription] {
        let list: [String: [ModelDescription]] = try await change(.GET, "/v1/models")
        return list["models"] ?? []
    }

    /// Activates a version.
    ///
    /// The call is idempotent.
    ///
    /// - Parameters:
    ///   - version: The version.
    ///   - model: The model's name.
    ///   - waits: Whether to wait until the version is in service; otherwise the returned state may be `loading`.
    /// - Returns: The version and its state.
    /// - Throws: ``DimeRecError``.
    public func activate(version: Int, of model: String, waits: Bool = true) async throws -> VersionAction {
        try await change(.POST, "/v1/models/\(Self.segment(model))/versions/\(version):activate?wait=\(waits)")
    }

    /// Rolls back to the previously active version.
    ///
    /// The call is not idempotent: a second call goes further back. So the client retries only if the service cannot
    /// have executed the call.
    ///
    /// - Parameter model: The model's name.
    /// - Returns: The version that is active now, and its state.
    /// - Throws: ``DimeRecError``.
    public func rollback(model: String) async throws -> VersionAction {
        try await change(.POST, "/v1/models/\(Self.segment(model)):rollback", isIdempotent: false)
    }

    /// Creates or changes an alias, a name for the versions of a model.
    ///
    /// - Parameters:
    ///   - name: The alias' name in requests.
    ///   - alias: The alias' model, split and bounds.
    ///   - revision: The expected current revision, 0 if the alias must not exist, nil for no condition. If it
    ///     differs, the service answers with a problem of status 412.
    /// - Returns: The stored alias, with its new revision.
    /// - Throws: ``DimeRecError``.
    public func setAlias(
        _ name: String,
        to alias: AliasDescription,
        ifRevision revision: Int? = nil
    ) async throws -> AliasDescription {
        let condition: [(String, String)] =
            switch revision {
            case nil: []
            case 0: [("If-None-Match", "*")]
            case let revision?: [("If-Match", "\"\(revision)\"")]
            }
        return try await change(
            .PUT,
            "/v1/aliases/\(Self.segment(name))",
            headers: condition,
            body: try JSONEncoder().encode(alias),
            isIdempotent: revision == nil
        )
    }

    func change<Answer: Decodable>(
        _ method: HTTPMethod,
        _ path: String,
        headers: [(String, String)] = [],
        body: Data? = nil,
        isIdempotent: Bool = true
    ) async throws -> Answer {
        guard let control else { throw DimeRecError.noControlPlane }
        var headers = headers
        if let token = options.token { headers.append(("Authorization", "Bearer \(token)")) }
        let call = Call(
            method: method,
            path: path,
            headers: headers,
            body: body,
            isIdempotent: isIdempotent,
            timeout: options.controlTimeout
        )
        return try Self.decode(try await control.send(call), of: path)
    }
}
