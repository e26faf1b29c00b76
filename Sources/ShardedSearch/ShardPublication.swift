public import CheckpointStore
import Kernels
import PostgreSQL
public import Serving
import Synchronization

/// Puts versions into the tables of the shards, and removes them.
public struct ShardPublication: Sendable {
    /// How a version's tables are built.
    public struct Options: Sendable {
        /// The kind of index.
        public var kind = SearchIndexKind.ivfflat
        /// The numbers in the index; single if a server has no others.
        public var precision = IndexPrecision.half
        /// HNSW: how many neighbours a vector has.
        public var neighbours = 16
        /// HNSW: how many candidates compete for these places.
        public var competing = 128
        /// The recall of 50 items to reach with the least effort, 0 to 1.
        public var recall = 0.98
        /// The memory of each server for the build, in MiB.
        public var memory = 512
        /// Histories of real users, item numbers oldest first, for which the effort is chosen; made-up ones if empty.
        public var histories: [[Int32]] = []

        /// The defaults.
        public init() {}
    }

    /// The result of a publication.
    public struct Report: Sendable {
        /// How many items each shard has.
        public var items: [Int] = []
        /// Whether the shards had the version before, so that nothing changed.
        public var wasComplete = false
        /// The numbers in the index.
        public var precision = IndexPrecision.half
        /// Whether the index is single because a server has no half numbers: its pgvector is older than 0.7.
        public var lacksHalf = false
        /// The effort of searches; nil if the shards had the version before.
        public var effort: Int?
        /// The recall of 50 items with this effort.
        public var recall: Double?
        /// The recall for made-up histories, if the effort was chosen for real ones.
        public var madeUpRecall: Double?
    }

    let shards: [ConnectionPool]

    /// The shards at some addresses, in this order.
    ///
    /// - Throws: ``SearchError/badAddress(position:)``, or ``SearchError/server(_:)`` if libpq is missing.
    public init(to addresses: [String]) throws(SearchError) { shards = try ConnectionPool.shards(addresses) }

    // MARK: Publish

    /// Loads a version into all shards, builds its indexes, and then marks it as complete.
    ///
    /// A publication that was interrupted is repeated from its beginning. One that is complete is left as it is.
    ///
    /// - Parameters:
    ///   - checkpoint: The version's content.
    ///   - digest: The version's digest in the store.
    ///   - builder: Makes the item vectors as the service does.
    ///   - options: How to build the tables.
    ///   - onStep: Called with the name of each step when the step begins.
    /// - Returns: The result.
    /// - Throws: ``SearchError``, or the builder's errors. Then the version stays incomplete, and a service refuses it.
    public func publish(
        _ checkpoint: consuming Checkpoint,
        digest: String,
        with builder: SnapshotBuilder,
        options: Options,
        onStep: (String) -> Void
    ) throws -> Report {
        let (model, version) = (checkpoint.manifest.model, checkpoint.manifest.version)
        let catalogue = checkpoint.catalogue
        let served = try builder.model(of: &checkpoint)
        guard served.itemVectors.columns > 0 else { throw SearchError.noItemVectors(model: model, version: version) }
        guard served.itemVectors.columns <= Self.mostElements else {
            throw SearchError.tooLong(dimension: served.itemVectors.columns, most: Self.mostElements)
        }
        let counts = shards.indices.map { ItemRows.count(items: catalogue.count, shard: $0, of: shards.count) }
        try onAll { _ in SearchTables.create.map { .run($0) } }
        try lock(model)
        defer { _ = try? onAll { _ in [.run(SearchTables.unlock, [.text(model)])] } }
        if let precision = try self.precision(ofComplete: model, version, digest) {
            return Report(items: counts, wasComplete: true, precision: precision)
        }

        let extensions = try onAll { _ in [.run(SearchTables.extensionVersion)] }
        let hasHalf = extensions.allSatisfy { SearchTables.version($0.text(0, 0), isAtLeast: (0, 7)) }
        let precision = hasHalf ? options.precision : .single
        let relation = SearchTables.relation(model: model, version: version)
        onStep("loading \(catalogue.count) items into \(shards.count) shards")
        let key = [Parameter.text(model), .number(version)]
        try onAll { shard in
            let rows = Mutex(ItemRows(catalogue, served.itemVectors, shard: shard, of: shards.count))
            return [
                .run(SearchTables.drop(relation)), .run(SearchTables.delete, key),
                .run(
                    SearchTables.insert,
                    key + [
                        .text(digest), .number(shard), .number(shards.count), .number(counts[shard]), .text(relation),
                        .text(SearchTables.method(options.kind, precision)), .number(1),
                    ]
                ),
                .run(SearchTables.createItems(relation, dimension: served.itemVectors.columns)),
                .copy(SearchTables.copyItems(relation), { rows.withLock { $0.nextBytes() } }),
            ]
        }
        let dimension = served.itemVectors.columns
        onStep("building the indexes" + options.advice(rows: counts.max() ?? 0, dimension: dimension))
        try onAll { shard in
            let parameters = options.parameters(rows: counts[shard], dimension: dimension)
            let statements = SearchTables.index(
                relation,
                options.kind,
                precision,
                dimension: dimension,
                options: parameters
            )
            return [.configure(["maintenance_work_mem": "\(options.memory)MB"])] + statements.map { .run($0) }
        }
        onStep("choosing the effort")
        let tuned = try tunedEffort(of: served, relation, options, precision, counts)
        try onAll { _ in
            [.run(SearchTables.setEffort, key + [.number(tuned.effort)]), .run(SearchTables.complete, key)]
        }
        return Report(
            items: counts,
            precision: precision,
            lacksHalf: precision != options.precision,
            effort: tuned.effort,
            recall: tuned.recall,
            madeUpRecall: tuned.madeUpRecall
        )
    }

    /// The longest vector that an index of pgvector takes.
    private static let mostElements = 2000

    /// The precision of the version's index; nil if not all shards have the version completely.
    private func precision(
        ofComplete model: String,
        _ version: Int,
        _ digest: String
    ) throws(SearchError) -> IndexPrecision? {
        let found = try onAll { _ in [.run(SearchTables.find, [.text(model), .number(version)])] }
            .map { PublishedVersion($0) }
        for (shard, entry) in zip(shards, found) {
            guard let entry, entry.isComplete, entry.digest != digest else { continue }
            throw .otherVersion(model: model, version: version, server: shard.address.name)
        }
        let isComplete = found.enumerated().allSatisfy { position, entry in
            entry?.isComplete == true && entry?.shard == position && entry?.shards == shards.count
        }
        return isComplete ? found.first??.precision : nil
    }

    private func lock(_ model: String) throws(SearchError) {
        let taken = try onAll { _ in [.run(SearchTables.lock, [.text(model)])] }
        for (shard, rows) in zip(shards, taken) where rows.boolean(0, 0) != true {
            throw .busy(model: model, server: shard.address.name)
        }
    }

    // MARK: Remove

    /// Removes the versions of a model that a store no longer has.
    ///
    /// - Parameters:
    ///   - model: The model's name.
    ///   - kept: The versions that stay.
    /// - Returns: The removed versions, ascending.
    /// - Throws: ``SearchError``.
    public func remove(versionsOf model: String, keeping kept: Set<Int>) throws(SearchError) -> [Int] {
        guard try onAll({ _ in [.run(SearchTables.exists)] }).contains(where: { $0.boolean(0, 0) == true }) else {
            return []
        }
        try onAll { _ in SearchTables.create.map { .run($0) } }
        try lock(model)
        defer { _ = try? onAll { _ in [.run(SearchTables.unlock, [.text(model)])] } }
        var removed: Set<Int> = []
        for (shard, rows) in zip(shards, try onAll { _ in [.run(SearchTables.list, [.text(model)])] }) {
            for row in 0..<rows.count {
                guard let version = rows.integer(row, 0), let relation = rows.text(row, 1),
                    !kept.contains(Int(version))
                else { continue }
                let key = [Parameter.text(model), .number(version)]
                // The note goes first, so that no service takes the version while its table goes.
                try ask(shard, [.run(SearchTables.delete, key), .run(SearchTables.drop(relation))])
                removed.insert(Int(version))
            }
        }
        return removed.sorted()
    }

    // MARK: Shards

    /// Runs commands on all shards at once, however long it takes.
    @discardableResult
    private func onAll(_ commands: (Int) -> [Command]) throws(SearchError) -> [Rows] {
        let results = ConnectionPool.ask(shards.enumerated().map { ($1, commands($0)) }, until: .max)
        do throws(PostgreSQLError) {
            var rows: [Rows] = []
            for result in results { rows.append(try result.get()) }
            return rows
        } catch {
            throw .server(error)
        }
    }

    private func ask(_ shard: ConnectionPool, _ commands: [Command]) throws(SearchError) {
        do throws(PostgreSQLError) { _ = try shard.ask(commands) } catch { throw .server(error) }
    }
}

extension ShardPublication.Options {
    /// The options of the index over some rows.
    fileprivate func parameters(rows: Int, dimension: Int) -> String {
        switch kind {
        case .hnsw: "m = \(neighbours), ef_construction = \(competing)"
        case .ivfflat: "lists = \(lists(rows: rows, dimension: dimension))"
        }
    }

    /// Advice for the case that the memory does not suffice for the best number of lists; empty if it suffices.
    fileprivate func advice(rows: Int, dimension: Int) -> String {
        let (lists, best) = (lists(rows: rows, dimension: dimension), Self.bestLists(rows: rows))
        guard kind == .ivfflat, lists < best else { return "" }
        let memory = Self.buildBytes(lists: best, dimension: dimension) >> 20 + 1
        return " of \(lists) lists; searches are faster with \(best), which need --build-memory-mb \(memory)"
    }

    /// The number of inverted lists over some rows: the best one, or as many as the memory of the build allows.
    package func lists(rows: Int, dimension: Int) -> Int {
        var lists = Self.bestLists(rows: rows)
        while lists > 1, Self.buildBytes(lists: lists, dimension: dimension) > memory << 20 { lists -= 1 }
        return lists
    }

    /// The memory of building some lists, as pgvector counts it.
    ///
    /// It clusters 50 rows a list, at least 10,000, and keeps a bound of the distance between each of them and each mean
    /// (Elkan, ICML 2003), and the distances between all means.
    package static func buildBytes(lists: Int, dimension: Int) -> Int {
        let vector = 4 * dimension + 8
        let samples = max(50 * lists, 10_000)
        return samples * (vector + 4 * lists + 8) + lists * (4 * lists + 2 * vector + 12)
    }

    /// The number of inverted lists with which searches of some rows are fastest.
    ///
    /// A search compares with the mean of every list and with the rows of the nearest lists. More lists need fewer rows
    /// for the same recall, but more means, and more time to build.
    private static func bestLists(rows: Int) -> Int { max(1, min(32_768, Int(Double(rows).squareRoot() * 4))) }
}
