public import Foundation

/// The index document of a store of checkpoints: the published versions, oldest first.
///
/// A replica serves the newest release of a model that is meant for it and that it did not refuse.
public struct ReleaseIndex: Codable, Sendable, Equatable {
    /// The name of the document below the address or folder of a store.
    public static let fileName = "index.json"
    /// The largest document that a replica reads, in bytes.
    package static let sizeLimit = 4 << 20
    private static let supportedFormat = 1

    /// The version of the format.
    private var format = supportedFormat
    /// The releases, oldest first.
    public private(set) var releases: [Release] = []

    /// An index without releases.
    public init() {}

    /// Reads a document.
    ///
    /// - Throws: ``FleetError/badIndex(reason:)``.
    public init(json: Data) throws(FleetError) {
        do {
            self = try JSONDecoder().decode(ReleaseIndex.self, from: json)
        } catch {
            throw .badIndex(reason: Self.reason(error))
        }
        guard format == Self.supportedFormat else {
            throw .badIndex(reason: "its format is \(format); this program reads format \(Self.supportedFormat)")
        }
        for (position, release) in releases.enumerated() {
            if let contradiction = release.contradiction {
                throw .badIndex(reason: "releases[\(position)]: \(contradiction)")
            }
            guard position == 0 || releases[position - 1].sequence < release.sequence else {
                throw .badIndex(
                    reason: "releases[\(position)]: sequence \(release.sequence) does not follow "
                        + "\(releases[position - 1].sequence)"
                )
            }
        }
    }

    /// The document, with sorted keys.
    public func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self)
    }

    /// The models with a release, by name.
    package var models: [String] { Set(releases.map(\.model)).sorted() }

    /// The release of a model that a replica must take now, or nil when there is none.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - replica: The replica.
    ///   - taken: The sequence of the release that it took last; only newer ones count.
    ///   - isRefused: Whether the replica does not take a release.
    /// - Returns: The newest such release.
    package func next(
        of model: String,
        for replica: Replica,
        after taken: Int,
        isRefused: (Release) -> Bool
    ) -> Release? {
        releases.last { release in
            release.model == model && release.sequence > taken && replica.takes(release) && !isRefused(release)
        }
    }

    /// Adds a release, or changes share, replicas and guard of the model's newest release if the file is the same.
    ///
    /// An older release of the same file leaves the index, so publishing an old version again makes all replicas
    /// return to it.
    ///
    /// - Parameters:
    ///   - release: The release; its sequence is ignored.
    ///   - keeping: How many releases of the model the index keeps.
    /// - Returns: The release with its sequence, and the releases that left the index and whose files are unused.
    /// - Precondition: `keeping >= 1`.
    package mutating func add(_ release: Release, keeping: Int) -> (release: Release, removed: [Release]) {
        precondition(keeping >= 1, "\(keeping) releases to keep")
        var release = release
        let newest = releases.last { $0.model == release.model }
        if let newest, newest.sha256 == release.sha256 {
            (release.sequence, release.published) = (newest.sequence, newest.published)
        } else {
            release.sequence = (releases.last?.sequence ?? 0) + 1
        }
        releases.removeAll { $0.model == release.model && $0.sha256 == release.sha256 }
        let place = releases.firstIndex { $0.sequence > release.sequence } ?? releases.endIndex
        releases.insert(release, at: place)
        let old = Set(releases.filter { $0.model == release.model }.dropLast(keeping).map(\.sequence))
        let removed = releases.filter { old.contains($0.sequence) }
        releases.removeAll { old.contains($0.sequence) }
        let files = Set(releases.map(\.file))
        return (release, removed.filter { !files.contains($0.file) })
    }

    private static func reason(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        func place(_ context: DecodingError.Context) -> String {
            context.codingPath.map { key in key.intValue.map { "[\($0)]" } ?? ".\(key.stringValue)" }.joined()
        }
        return switch error {
        case .keyNotFound(let key, let context): "\(place(context)).\(key.stringValue) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "\(place(context)): \(context.debugDescription)"
        default: "it is not JSON"
        }
    }
}

/// Why a version could not be published or pulled.
public enum FleetError: Error, Equatable, CustomStringConvertible {
    /// The index document cannot be used.
    case badIndex(reason: String)
    /// The store's answer, or no answer; a repetition may succeed.
    case unreachable(address: String, reason: String)
    /// The store does not have the file.
    case missing(address: String, status: Int)
    /// The file is not the one that the index names.
    case wrongContent(address: String, reason: String)
    /// A local file could not be written.
    case notWritten(path: String, reason: String)
    /// Somebody else changed the index at the same time, again and again.
    case contended(address: String)

    /// The problem and the next step.
    public var description: String {
        switch self {
        case .badIndex(let reason):
            "The index document cannot be used: \(reason). Publish it again with `dimerec models publish`."
        case .unreachable(let address, let reason): "\(address): \(reason)"
        case .missing(let address, let status):
            "\(address) is missing (status \(status)). Publish the version again with `dimerec models publish`."
        case .wrongContent(let address, let reason):
            "\(address) is corrupt: \(reason). Publish the version again with `dimerec models publish`."
        case .notWritten(let path, let reason): "'\(path)' cannot be written: \(reason)"
        case .contended(let address): "\(address) was changed by others at each attempt. Publish again."
        }
    }
}
