public import CheckpointStore
import Dispatch
public import Kernels
public import Logging
import PostgreSQL
public import Serving
import Synchronization
public import VectorIndex

/// The search in PostgreSQL, for versions that ``ShardPublication`` put there.
public struct ShardedSearch: ExternalSearch {
    /// How a service searches.
    public struct Options: Sendable {
        /// How long the searches of one answer may take together.
        public var timeout = Duration.milliseconds(200)
        /// Whether the items of some shards are an answer while others are missing.
        public var allowsPartial = false
        /// The effort of a search that names none; nil is that of the published version.
        public var effort: Int?

        /// The defaults.
        public init() {}
    }

    private static let patience: UInt64 = 5_000_000_000

    private let shards: [ConnectionPool]
    private let options: Options
    private let log: FailureLog

    /// The search in the shards at some addresses, in the order in which the versions were published.
    ///
    /// - Throws: ``SearchError/badAddress(position:)``, or ``SearchError/server(_:)`` if libpq is missing.
    public init(in addresses: [String], options: Options = Options(), logger: Logger) throws(SearchError) {
        shards = try ConnectionPool.shards(addresses)
        self.options = options
        log = FailureLog(logger)
    }

    /// Checks that all shards hold a version completely, in the order of the addresses.
    ///
    /// - Throws: ``SnapshotError/notSearchable(_:)`` or ``SnapshotError/searchUnavailable(_:)``.
    public func require(_ version: VersionSummary) throws(SnapshotError) {
        let manifest = version.manifest
        for (position, (shard, entry)) in zip(shards, try entries(of: manifest)).enumerated() {
            let place = "the search server \(shard.address.name)"
            let id = "version \(manifest.version) of '\(manifest.model)'"
            let publish = "run `dimerec models publish-search` with the addresses of SEARCH"
            guard let entry else { throw .notSearchable("\(place) does not have \(id); \(publish).") }
            guard entry.digest == version.digest else {
                throw .notSearchable("\(place) has another \(id), from another store; use another database.")
            }
            guard entry.shard == position, entry.shards == shards.count else {
                throw .notSearchable(
                    "\(place) has shard \(entry.shard + 1) of \(entry.shards) of \(id), but it is number \(position + 1)"
                        + " of \(shards.count) in SEARCH; keep the order and number of the addresses."
                )
            }
            guard entry.isComplete else {
                throw .notSearchable("\(place) does not have \(id) completely; \(publish) again.")
            }
        }
    }

    /// The index over a version.
    ///
    /// - Returns: An `ExternalIndex` that asks the shards.
    /// - Throws: ``SnapshotError/notSearchable(_:)`` or ``SnapshotError/searchUnavailable(_:)``, or an `IndexError`.
    public func index(of version: CheckpointManifest, vectors: Matrix) throws -> any VectorIndex {
        guard vectors.columns > 0 else {
            let reason = SearchError.noItemVectors(model: version.model, version: version.version)
            throw SnapshotError.notSearchable(reason.description)
        }
        let entries = try entries(of: version).compactMap(\.self)
        guard entries.count == shards.count, let first = entries.first else {
            throw SnapshotError.notSearchable("Version \(version.version) of '\(version.model)' was just removed.")
        }
        let (seconds, attoseconds) = options.timeout.components
        let source = ShardSource(
            shards: shards,
            relation: first.relation,
            kind: first.kind,
            effort: options.effort ?? first.effort,
            iterates: entries.allSatisfy(\.iterates),
            timeout: UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000),
            allowsPartial: options.allowsPartial,
            onFailure: { [log] in log.note($0) }
        )
        return try ExternalIndex(vectors: vectors, source: source)
    }

    /// The entries of a version, one a shard.
    private func entries(of version: CheckpointManifest) throws(SnapshotError) -> [PublishedVersion?] {
        let key = [Parameter.text(version.model), .number(version.version)]
        let deadline = DispatchTime.now().uptimeNanoseconds + Self.patience
        let exists = ConnectionPool.ask(shards.map { ($0, [.run(SearchTables.exists)]) }, until: deadline)
        var entries: [PublishedVersion?] = []
        for (shard, answer) in zip(shards, exists) {
            do throws(PostgreSQLError) {
                guard try answer.get().boolean(0, 0) == true else {
                    entries.append(nil)
                    continue
                }
                let rows = try shard.ask([.run(SearchTables.find, key)], until: deadline)
                entries.append(PublishedVersion(rows))
            } catch {
                throw .searchUnavailable(error.description)
            }
        }
        return entries
    }
}

extension ConnectionPool {
    /// The pools of addresses.
    static func shards(_ addresses: [String]) throws(SearchError) -> [ConnectionPool] {
        do throws(PostgreSQLError) { try requireLibrary() } catch { throw .server(error) }
        guard !addresses.isEmpty else { throw .badAddress(position: 0) }
        var pools: [ConnectionPool] = []
        for (position, text) in addresses.enumerated() {
            guard let address = ServerAddress(text) else { throw .badAddress(position: position) }
            pools.append(ConnectionPool(address))
        }
        return pools
    }
}

/// Logs failures of servers, each server at most once a second.
private final class FailureLog: Sendable {
    private static let pause: UInt64 = 1_000_000_000

    private let logger: Logger
    private let logged = Mutex<[String: UInt64]>([:])

    init(_ logger: Logger) { self.logger = logger }

    func note(_ error: PostgreSQLError) {
        let now = DispatchTime.now().uptimeNanoseconds
        let isNew = logged.withLock { logged in
            guard logged[error.server].map({ now >= $0 + Self.pause }) ?? true else { return false }
            logged[error.server] = now
            return true
        }
        if isNew { logger.warning("a search server did not answer", metadata: ["error": "\(error)"]) }
    }
}
