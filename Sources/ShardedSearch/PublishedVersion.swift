import PostgreSQL

/// The entry of a version in the table of versions of one shard.
struct PublishedVersion {
    let digest: String
    let shard: Int
    let shards: Int
    let items: Int
    let relation: String
    let kind: SearchIndexKind
    let precision: IndexPrecision
    let effort: Int
    let isComplete: Bool
    /// Whether a search that finds too few rows goes on by itself, from pgvector 0.8 on.
    let iterates: Bool

    /// Reads the answer to ``SearchTables/find``; nil if there is no entry, or one of a newer program.
    init?(_ rows: Rows) {
        guard rows.count == 1, let digest = rows.text(0, 0), let shard = rows.integer(0, 1),
            let shards = rows.integer(0, 2), let items = rows.integer(0, 3), let relation = rows.text(0, 4),
            let method = rows.text(0, 5).flatMap(SearchTables.method), let effort = rows.integer(0, 6),
            let isComplete = rows.boolean(0, 7)
        else { return nil }
        self.digest = digest
        self.shard = Int(shard)
        self.shards = Int(shards)
        self.items = Int(items)
        self.relation = relation
        (kind, precision) = method
        self.effort = Int(effort)
        self.isComplete = isComplete
        iterates = SearchTables.version(rows.text(0, 8), isAtLeast: (0, 8))
    }
}
