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
    private let log: OutcomeLog

    /// The search in the shards at some addresses, in the order in which the versions were published.
    ///
    /// - Throws: ``SearchError/badAddress(position:)``, or ``SearchError/server(_:)`` if libpq is missing.
    public init(in addresses: [String], options: Options = Options(), logger: Logger) throws(SearchError) {
        shards = try ConnectionPool.shards(addresses)
        self.options = options
        log = OutcomeLog(logger, shards: shards.count)
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
            precision: first.precision,
            effort: options.effort ?? first.effort,
            iterates: entries.allSatisfy(\.iterates),
            timeout: UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000),
            allowsPartial: options.allowsPartial,
            onOutcome: { [log] in log.note($1, of: $0) }
        )
        return try ExternalIndex(vectors: vectors, source: source)
    }

    /// How each shard's searches went since the start, in the order of the addresses.
    public var outcomes: [SearchOutcomes] { log.outcomes }

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

/// Counts the outcomes of searches, and logs failures, each server's at most once a second.
private final class OutcomeLog: Sendable {
    private struct State {
        var outcomes: [SearchOutcomes]
        /// When a shard's failure was logged last; 0 for never.
        var logged: [UInt64]
    }

    private static let pause: UInt64 = 1_000_000_000

    private let logger: Logger
    private let state: Mutex<State>

    init(_ logger: Logger, shards: Int) {
        self.logger = logger
        let outcomes = [SearchOutcomes](repeating: SearchOutcomes(), count: shards)
        state = Mutex(State(outcomes: outcomes, logged: [UInt64](repeating: 0, count: shards)))
    }

    var outcomes: [SearchOutcomes] { state.withLock { $0.outcomes } }

    /// Notes the outcome of a shard's search; nil if it answered.
    func note(_ error: PostgreSQLError?, of shard: Int) {
        let now = DispatchTime.now().uptimeNanoseconds
        let isNew = state.withLock { state in
            guard error != nil else {
                state.outcomes[shard].answered += 1
                return false
            }
            state.outcomes[shard].missing += 1
            guard state.logged[shard] == 0 || now >= state.logged[shard] + Self.pause else { return false }
            state.logged[shard] = now
            return true
        }
        if isNew, let error { logger.warning("a search server did not answer", metadata: ["error": "\(error)"]) }
    }
}
