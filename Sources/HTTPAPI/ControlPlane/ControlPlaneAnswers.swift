import CheckpointStore
import Dispatch
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Serving

/// A description of the running program, for GET /version.
public struct BuildDescription: Codable, Sendable, Equatable {
    /// The program's name.
    public let name: String
    /// The program's version.
    public let version: String
    /// The platform: CPU level and BLAS core.
    public let platform: String

    /// Describes a build.
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
    /// The version that the store marks as active.
    let activeVersion: Int?
    /// The version to which a rollback returns.
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

/// The JSON form of a version; a version with a damaged header has a reason and no content.
struct VersionDescription: Encodable {
    let model: String
    let version: Int
    let state: String
    /// The reason for the rejection, or the damage.
    let reason: String?
    /// Whether the version is in memory, so that an activation needs no load.
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
    /// A digest of the whole version; only when a single version is requested.
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
            // A version in memory still answers as before the damage.
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

/// A JSON answer with sorted keys in snake case.
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

/// Runs work that blocks on the disk, outside of the threads that run tasks.
func offThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global(qos: .utility).async { continuation.resume(with: Result(catching: work)) }
    }
}
