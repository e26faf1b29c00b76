import CheckpointStore
import Dispatch
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Serving

/// What program answers, for GET /version.
public struct BuildDescription: Codable, Sendable, Equatable {
    /// The program's name.
    public let name: String
    /// Its version.
    public let version: String
    /// What it runs on: CPU level, BLAS core.
    public let platform: String

    /// Names a build.
    public init(name: String, version: String, platform: String) {
        self.name = name
        self.version = version
        self.platform = platform
    }
}

struct ModelList: Encodable {
    let models: [ModelDescription]
}

struct ModelDescription: Encodable {
    let name: String
    /// The version that the store says is to be served.
    let activeVersion: Int?
    /// The version that a rollback returns to.
    let rollbackVersion: Int?
    let aliases: [AliasDescription]
    let versions: [VersionDescription]

    init(
        name: String,
        source: any CheckpointSource,
        controller: ServingController,
        aliases: [Alias]
    ) throws {
        self.name = name
        activeVersion = try source.activeVersion(of: name)
        rollbackVersion = try source.rollbackTarget(of: name)
        self.aliases = aliases.filter { $0.model == name }.map(AliasDescription.init)
        versions = try source.inventory(of: name).map {
            VersionDescription($0, of: name, controller: controller, hasDigest: false)
        }
    }
}

/// A version as it is answered; one whose header is damaged has a reason and no content.
struct VersionDescription: Encodable {
    let model: String
    let version: Int
    let state: String
    /// Why it was rejected, or what is damaged.
    let reason: String?
    /// Whether it is in memory, so that activating it takes no load.
    let resident: Bool
    let system: String?
    let createdAt: String?
    let dimension: Int?
    let items: Int?
    let trainRows: Int?
    let seconds: Double?
    let metrics: [String: Double]?
    let seed: UInt64?
    let build: String?
    let data: DataFingerprint?
    /// Over everything the version holds; only where one version is asked for.
    let digest: String?

    init(_ stored: StoredVersion, of model: String, controller: ServingController, hasDigest: Bool) {
        self.model = model
        version = stored.number
        resident = controller.isResident(stored.number, model: model)
        let state = controller.state(of: stored.number, model: model)
        var summary: VersionSummary?
        switch stored.summary {
        case .success(let found):
            summary = found
            self.state = state.name
            if case .rejected(let reason) = state { self.reason = reason } else { reason = nil }
        case .failure(let error):
            // In memory it answers as it was before the damage.
            self.state = resident ? state.name : "damaged"
            reason = "\(error)"
        }
        let manifest = summary?.manifest
        system = manifest?.system
        createdAt = manifest?.createdAt
        dimension = manifest?.dimension
        items = manifest?.items
        trainRows = manifest?.trainRows
        seconds = manifest?.seconds
        metrics = manifest?.metrics
        seed = manifest?.seed
        build = manifest?.build
        data = manifest?.data
        digest = hasDigest ? summary?.digest : nil
    }
}

struct ActionResult: Encodable {
    let model: String
    let version: Int
    let state: String

    init(_ id: VersionID, state: String) {
        model = id.model
        version = id.version
        self.state = state
    }
}

/// An answer in JSON with keys in snake case, sorted.
func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let buffer = ByteBuffer(bytes: try encoder.encode(value))
    return Response(
        status: status,
        headers: [.contentType: "application/json"],
        body: ResponseBody(byteBuffer: buffer)
    )
}

/// Runs work that blocks on the disk outside of the threads that run tasks.
func offThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global(qos: .utility).async { continuation.resume(with: Result(catching: work)) }
    }
}
