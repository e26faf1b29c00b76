import AsyncHTTPClient
public import CheckpointStore
package import Foundation
import Kernels
import NIOHTTP1

/// Publishes versions of a store for a fleet: the file first, the index document last.
public struct Publication: Sendable {
    /// Where the files go.
    package enum Target: Sendable {
        case folder(String)
        case address(URLComponents)
    }

    /// Which replicas take a version, and under which bounds.
    public struct Stage: Sendable {
        /// The percentage of the replicas, 0 to 100.
        public var share = 100.0
        /// Replicas that take it in any case.
        public var replicas: [String] = []
        /// Bounds on each replica; nil is none.
        public var bounds: Release.Bounds?

        /// Every replica, without bounds.
        public init() {}
    }

    private static let attempts = 5
    private let target: Target
    private let client: StoreClient

    /// A place for versions.
    ///
    /// - Parameters:
    ///   - place: A folder, or the http or https address of one, without the index document's name.
    ///   - client: Sends the files to an address.
    public init(to place: String, client: StoreClient) {
        let address = URLComponents(string: place.hasSuffix("/") ? place : place + "/")
        if let address, ["http", "https"].contains(address.scheme) {
            target = .address(address)
        } else {
            target = .folder(place)
        }
        self.client = client
    }

    /// Publishes a version, or changes the stage of the newest published one.
    ///
    /// - Parameters:
    ///   - version: The version of the model.
    ///   - model: The model's name.
    ///   - store: The store that has the version.
    ///   - stage: Which replicas take it.
    ///   - keeping: How many releases of the model stay in the index; the files of older ones are removed.
    /// - Returns: The release.
    /// - Throws: ``FleetError``, and `CheckpointError` for a version that cannot be exported.
    public func publish(
        _ version: Int,
        of model: String,
        from store: CheckpointStore,
        stage: Stage,
        keeping: Int
    ) async throws -> Release {
        let folder: String =
            switch target {
            case .folder(let path): path + "/bundles"
            case .address: FileManager.default.temporaryDirectory.appending(path: "publish-\(UUID().uuidString)").path
            }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let file = "\(folder)/.new-\(UUID().uuidString).sqlite"
        defer {
            try? FileManager.default.removeItem(atPath: file)
            if case .address = target { try? FileManager.default.removeItem(atPath: folder) }
        }
        try store.export(model: model, version: version, to: file)
        let digest = try SHA256.digest(ofFile: file)
        let release = Release(
            sequence: 0,
            model: model,
            version: version,
            file: "bundles/\(digest).sqlite",
            bytes: try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int ?? 0,
            sha256: digest,
            share: stage.share,
            replicas: stage.replicas,
            guard: stage.bounds,
            published: Date.now.formatted(.iso8601)
        )
        return switch target {
        case .folder(let path): try place(release, file, in: path, keeping: keeping)
        case .address(let address): try await send(release, file, to: address, keeping: keeping)
        }
    }

    // MARK: Folder

    private func place(_ release: Release, _ file: String, in folder: String, keeping: Int) throws -> Release {
        guard let lock = try FileLock(path: folder + "/.publish.lock") else {
            throw FleetError.contended(address: folder)
        }
        defer { extendLifetime(lock) }
        let document = "\(folder)/\(ReleaseIndex.fileName)"
        var index = ReleaseIndex()
        if let data = FileManager.default.contents(atPath: document) { index = try ReleaseIndex(json: data) }
        let (release, removed) = index.add(release, keeping: keeping)
        try DurableFile.move(file, to: "\(folder)/\(release.file)")
        let part = "\(folder)/.\(ReleaseIndex.fileName).part"
        try index.json().write(to: URL(filePath: part))
        try DurableFile.move(part, to: document)
        for old in removed { try? FileManager.default.removeItem(atPath: "\(folder)/\(old.file)") }
        return release
    }

    // MARK: Object store

    private func send(_ release: Release, _ file: String, to folder: URLComponents, keeping: Int) async throws
        -> Release
    {
        let document = folder.sibling(ReleaseIndex.fileName)
        let content = try FileHandle(forReadingFrom: URL(filePath: file))
        defer { try? content.close() }
        try await put(
            StoreClient.Body(file: content, bytes: release.bytes, digest: release.sha256),
            at: folder.sibling(release.file),
            [("content-type", "application/vnd.sqlite3"), ("cache-control", "public, max-age=31536000, immutable")]
        )
        for _ in 0..<Self.attempts {
            let found = try await index(at: document)
            var index = found?.index ?? ReleaseIndex()
            let (release, removed) = index.add(release, keeping: keeping)
            // Two publishers must not overwrite each other's index; stores without conditions ignore the field.
            let condition = found.map { $0.tag.map { [("if-match", $0)] } ?? [] } ?? [("if-none-match", "*")]
            let isWritten = try await put(
                StoreClient.Body(bytes: index.json()),
                at: document,
                [("content-type", "application/json"), ("cache-control", "no-cache")] + condition
            )
            guard isWritten else { continue }
            for old in removed { _ = try? await client.send(.DELETE, folder.sibling(old.file)) }
            return release
        }
        throw FleetError.contended(address: document.place)
    }

    /// The index document, or nil when there is none yet.
    private func index(at address: URLComponents) async throws(FleetError) -> (index: ReleaseIndex, tag: String?)? {
        do { return try await client.index(at: address) } catch {
            guard case .missing = error else { throw error }
            return nil
        }
    }

    /// Writes a file; false when a condition of the fields does not hold.
    @discardableResult
    private func put(
        _ body: StoreClient.Body,
        at address: URLComponents,
        _ fields: [(String, String)]
    ) async throws(FleetError) -> Bool {
        let answer = try await client.send(.PUT, address, fields, body: body)
        switch answer.status.code {
        case 200, 201, 204: return true
        case 409, 412: return false
        default:
            throw .unreachable(address: address.place, reason: "the file was not written: status \(answer.status.code)")
        }
    }
}
