import Kernels
package import PostgreSQL
package import VectorIndex

/// Asks all shards of a version for candidates at once.
package struct ShardSource: CandidateSource {
    /// The most rows of an iterative scan; pgvector stops after 20,000 visited ones.
    private static let mostIterated = 10_000

    let shards: [ConnectionPool]
    let relation: String
    let kind: SearchIndexKind
    let precision: IndexPrecision
    /// The effort of searches that name none.
    let effort: Int
    /// Whether a search that finds too few rows goes on by itself.
    let iterates: Bool
    package let timeout: UInt64
    /// Whether the items of some shards are an answer.
    let allowsPartial: Bool
    /// Told the outcome of each shard's search: nil if it answered.
    let onOutcome: @Sendable (_ shard: Int, PostgreSQLError?) -> Void

    /// A source over the shards of one version.
    package init(
        shards: [ConnectionPool],
        relation: String,
        kind: SearchIndexKind,
        precision: IndexPrecision,
        effort: Int,
        iterates: Bool,
        timeout: UInt64,
        allowsPartial: Bool = false,
        onOutcome: @escaping @Sendable (_ shard: Int, PostgreSQLError?) -> Void = { _, _ in }
    ) {
        self.shards = shards
        self.relation = relation
        self.kind = kind
        self.precision = precision
        self.effort = effort
        self.iterates = iterates
        self.timeout = timeout
        self.allowsPartial = allowsPartial
        self.onOutcome = onOutcome
    }

    package var most: Int { kind == .hnsw && !iterates ? kind.effort.range.upperBound : Self.mostIterated }

    package func candidates(near query: Span<Float>, count: Int, effort: Int?, until deadline: UInt64) -> Candidates {
        let commands = commands(near: query, count: count, effort: effort)
        let results = ConnectionPool.ask(shards.map { ($0, commands) }, until: deadline)
        var items: [Int32] = []
        var missing = 0
        for (shard, result) in results.enumerated() {
            switch result {
            case .success(let rows):
                onOutcome(shard, nil)
                for row in 0..<rows.count { if let item = rows.integer(row, 0) { items.append(item) } }
            case .failure(let error):
                missing += 1
                onOutcome(shard, error)
            }
        }
        guard missing > 0 else { return Candidates(items: items, completeness: .whole) }
        let isAnswer = allowsPartial && missing < shards.count
        return Candidates(items: isAnswer ? items : [], completeness: isAnswer ? .partial : .none)
    }

    /// The commands for one shard; a connection gets most of them once.
    package func commands(near query: Span<Float>, count: Int, effort: Int?) -> [Command] {
        var vector = BinaryWriter()
        vector.append(vector: query.indices.map { query[$0] })
        var parameters = [
            // Ends statements whose answer nobody waits for any more.
            "statement_timeout": "\(max(10_000, timeout / 1_000_000))",
            // The plan must not depend on the estimated cost of the limit, which the plan does not know.
            "plan_cache_mode": "force_generic_plan",
            "enable_seqscan": "off",
            // The plan counts on a tenth of the table, so that it would be compiled for millions of rows.
            "jit": "off",
            kind.effort.parameter: "\(level(effort, count: count))",
        ]
        if iterates { parameters["\(kind.rawValue).iterative_scan"] = "relaxed_order" }
        if iterates, kind == .ivfflat { parameters["ivfflat.max_probes"] = "\(mostLists(effort, count: count))" }
        let values = [Parameter.binary(vector.bytes), .number(count)]
        let statement = SearchTables.search(relation, precision, dimension: query.count)
        return [
            .configure(parameters),
            .execute(name: "\(relation) \(precision.rawValue)", statement: statement, values),
        ]
    }

    /// How many lists a search that goes on by itself may visit.
    ///
    /// pgvector puts so many lists in order before it visits the first one; without a limit it orders all, which takes
    /// a third of a search with a small effort. A list has a row or more on average, so these hold enough rows.
    private func mostLists(_ asked: Int?, count: Int) -> Int {
        // Steps of 256, so that a connection seldom changes its limit.
        min(kind.effort.range.upperBound, (level(asked, count: count) + count + 255) / 256 * 256)
    }

    /// The effort of a search; a graph finds at most as many rows as its effort, unless it iterates.
    private func level(_ asked: Int?, count: Int) -> Int {
        let range = kind.effort.range
        let level = min(range.upperBound, max(range.lowerBound, asked ?? effort))
        guard kind == .hnsw, !iterates || count <= range.upperBound else { return level }
        // Steps of 50, so that a connection seldom changes its level.
        return max(level, min(range.upperBound, (count + 49) / 50 * 50))
    }
}
