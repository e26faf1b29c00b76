import Kernels
import PostgreSQL

/// The index of a version's table.
public enum SearchIndexKind: String, Sendable, CaseIterable {
    /// A graph: slow to build, and it misses many items of catalogues with tight groups or repeated items.
    case hnsw
    /// Inverted lists around the means of clusters: fast to build.
    case ivfflat

    /// The parameter of a session that trades recall for time, and its range.
    package var effort: (parameter: String, range: ClosedRange<Int>) {
        switch self {
        case .hnsw: ("hnsw.ef_search", 1...1000)
        case .ivfflat: ("ivfflat.probes", 1...32_768)
        }
    }
}

/// The numbers of an index's vectors; the service scores candidates with those of 32 bits in any case.
public enum IndexPrecision: String, Sendable, CaseIterable {
    /// 16 bits, from pgvector 0.7 on: a smaller index and faster searches.
    case half
    /// 32 bits.
    case single

    /// Converts a vector of 32 bits, as SQL writes it.
    func cast(dimension: Int) -> String { self == .half ? "::halfvec(\(dimension))" : "" }

    /// The operators of an index.
    var operators: String { self == .half ? "halfvec_ip_ops" : "vector_ip_ops" }
}

/// The tables and statements of the search; every shard has the same tables.
///
/// The schema `dimerec` has a table of versions, and a table of items for each version.
package enum SearchTables {
    /// The name of a version's table of items, without the schema; the model's name may hold any characters.
    package static func relation(model: String, version: Int) -> String {
        let digest = SHA256.hash(Array(model.utf8).span).prefix(4).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        let plain = model.lowercased().utf8.prefix(24).map { byte in
            let isPlain = UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
            return isPlain ? Character(UnicodeScalar(byte)) : "_"
        }
        return "items_\(String(plain))_\(digest.joined())_\(version)"
    }

    /// Creates the schema and the table of versions; repeating it changes nothing.
    static let create = [
        "CREATE EXTENSION IF NOT EXISTS vector",
        "CREATE SCHEMA IF NOT EXISTS dimerec",
        """
        CREATE TABLE IF NOT EXISTS dimerec.versions (
            model text NOT NULL, version integer NOT NULL, digest text NOT NULL, shard integer NOT NULL,
            shards integer NOT NULL, items integer NOT NULL, relation text NOT NULL, method text NOT NULL,
            effort integer NOT NULL, started timestamptz NOT NULL DEFAULT now(), complete boolean NOT NULL DEFAULT false,
            PRIMARY KEY (model, version))
        """,
    ]

    /// Whether the table of versions exists.
    static let exists = "SELECT to_regclass('dimerec.versions') IS NOT NULL"

    /// A version: digest, shard, shards, items, relation, method, effort, complete, the version of pgvector.
    static let find = """
        SELECT digest, shard, shards, items, relation, method, effort, complete,
            (SELECT extversion FROM pg_extension WHERE extname = 'vector')
        FROM dimerec.versions WHERE model = $1 AND version = $2::integer
        """

    /// The version of pgvector.
    static let extensionVersion = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"

    /// Whether a version of pgvector is one or newer.
    static func version(_ text: String?, isAtLeast least: (Int, Int)) -> Bool {
        let parts = (text ?? "").split(separator: ".").compactMap { Int($0) }
        return parts.count >= 2 && (parts[0], parts[1]) >= least
    }

    /// The text of an index in the table of versions; without a precision it is single.
    package static func method(_ kind: SearchIndexKind, _ precision: IndexPrecision) -> String {
        kind.rawValue + (precision == .single ? "" : " \(precision.rawValue)")
    }

    /// Reads the text of an index; nil if a newer program wrote it.
    package static func method(_ text: String) -> (kind: SearchIndexKind, precision: IndexPrecision)? {
        let words = text.split(separator: " ").map(String.init)
        guard let kind = words.first.flatMap(SearchIndexKind.init), words.count <= 2,
            let precision = words.count == 1 ? .single : IndexPrecision(rawValue: words[1])
        else { return nil }
        return (kind, precision)
    }

    /// The versions of a model with the names of their tables.
    static let list = "SELECT version, relation FROM dimerec.versions WHERE model = $1 ORDER BY version"

    /// Notes a version whose table is being filled.
    static let insert = """
        INSERT INTO dimerec.versions (model, version, digest, shard, shards, items, relation, method, effort)
        VALUES ($1, $2::integer, $3, $4::integer, $5::integer, $6::integer, $7, $8, $9::integer)
        """

    static let setEffort =
        "UPDATE dimerec.versions SET effort = $3::integer WHERE model = $1 AND version = $2::integer"

    static let complete = "UPDATE dimerec.versions SET complete = true WHERE model = $1 AND version = $2::integer"
    static let delete = "DELETE FROM dimerec.versions WHERE model = $1 AND version = $2::integer"

    /// Keeps other publishers of a model away for as long as the connection lives.
    static let lock = "SELECT pg_try_advisory_lock(hashtextextended('dimerec ' || $1, 0))"
    static let unlock = "SELECT pg_advisory_unlock(hashtextextended('dimerec ' || $1, 0))"

    static func drop(_ relation: String) -> String { "DROP TABLE IF EXISTS dimerec.\(quoted(relation))" }

    static func createItems(_ relation: String, dimension: Int) -> String {
        """
        CREATE TABLE dimerec.\(quoted(relation)) (number integer NOT NULL, id text NOT NULL, title text,
            attributes jsonb NOT NULL, vector vector(\(dimension)) NOT NULL)
        """
    }

    static func copyItems(_ relation: String) -> String {
        "COPY dimerec.\(quoted(relation)) (number, id, title, attributes, vector) FROM STDIN (FORMAT binary)"
    }

    /// The statements that build the indexes of a filled table.
    package static func index(
        _ relation: String,
        _ kind: SearchIndexKind,
        _ precision: IndexPrecision,
        dimension: Int,
        options: String
    ) -> [String] {
        let key = "(vector\(precision.cast(dimension: dimension))) \(precision.operators)"
        return [
            "CREATE INDEX ON dimerec.\(quoted(relation)) USING \(kind.rawValue) (\(key)) WITH (\(options))",
            "ALTER TABLE dimerec.\(quoted(relation)) ADD PRIMARY KEY (number)",
            "CREATE UNIQUE INDEX ON dimerec.\(quoted(relation)) (id)",
            "ANALYZE dimerec.\(quoted(relation))",
        ]
    }

    /// The numbers of the items with the largest inner products; the first place is the vector, the second the limit.
    static func search(_ relation: String, _ precision: IndexPrecision, dimension: Int) -> String {
        // The index serves only the expression with which it was made.
        let cast = precision.cast(dimension: dimension)
        return "SELECT number FROM dimerec.\(quoted(relation)) ORDER BY vector\(cast) <#> $1::vector\(cast)"
            + " LIMIT $2::integer"
    }

    /// A name as SQL writes it.
    private static func quoted(_ name: String) -> String { "\"\(name.replacing("\"", with: "\"\""))\"" }
}
