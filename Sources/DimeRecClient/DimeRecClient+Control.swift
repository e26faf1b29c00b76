import Foundation
import NIOHTTP1

extension DimeRecClient {
    /// The models of the store and their versions.
    public func models() async throws -> [ModelDescription] {
        let list: [String: [ModelDescription]] = try await change(.GET, "/v1/models")
        return list["models"] ?? []
    }

    /// Makes a version the one that is served.
    ///
    /// Doing it again changes nothing.
    ///
    /// - Parameters:
    ///   - version: The version.
    ///   - model: The model's name.
    ///   - waits: Whether to wait until it serves; otherwise the answer's state may be `loading`.
    /// - Returns: The version and its state.
    /// - Throws: ``DimeRecError``.
    public func activate(version: Int, of model: String, waits: Bool = true) async throws -> VersionAction {
        try await change(.POST, "/v1/models/\(Self.segment(model))/versions/\(version):activate?wait=\(waits)")
    }

    /// Goes back to the version that was active before.
    ///
    /// Doing it again goes further back, so it is sent again only when it cannot have been done.
    ///
    /// - Parameter model: The model's name.
    /// - Returns: That version and its state.
    /// - Throws: ``DimeRecError``.
    public func rollback(model: String) async throws -> VersionAction {
        try await change(.POST, "/v1/models/\(Self.segment(model)):rollback", isIdempotent: false)
    }

    /// Gives a name to the versions of a model, or changes what it means.
    ///
    /// - Parameters:
    ///   - name: What requests call it.
    ///   - alias: What it means.
    ///   - revision: The revision that it must have now, 0 for an alias that must not exist, nil for no condition. When it is
    ///     another, the service's problem has status 412.
    /// - Returns: What is stored, with its new revision.
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

    private func change<Answer: Decodable>(
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
