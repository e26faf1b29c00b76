import CheckpointStore
import Kernels
import PostgreSQL
import ShardedSearch
import Testing

@Suite("statements and rows for the shards") struct StatementTests {
    @Test("a table's name is plain for any model, and different for different models")
    func namesTables() {
        let name = SearchTables.relation(model: "Shop \"1\"; DROP", version: 12)
        #expect(name.hasPrefix("items_shop__1___drop_") && name.hasSuffix("_12"))
        #expect(name.utf8.allSatisfy { $0 == UInt8(ascii: "_") || 0x30...0x39 ~= $0 || 0x61...0x7A ~= $0 })
        let long = String(repeating: "é", count: 200)
        #expect(SearchTables.relation(model: long, version: 2_000_000_000).utf8.count <= 63)
        #expect(SearchTables.relation(model: "a b", version: 1) != SearchTables.relation(model: "a_b", version: 1))
    }

    @Test("the build of the lists fits into its memory, as a server counts it")
    func fitsLists() {
        var options = ShardPublication.Options()
        // pgvector refused 2828 lists of vectors of 64 elements: "memory required is 1595 MB".
        #expect(ShardPublication.Options.buildBytes(lists: 2828, dimension: 64) >> 20 + 1 == 1595)
        for rows in [1, 1000, 100_000, 500_000, 50_000_000] {
            for memory in [16, 64, 512, 4096] {
                options.memory = memory
                let lists = options.lists(rows: rows, dimension: 64)
                let bytes = ShardPublication.Options.buildBytes(lists: lists, dimension: 64)
                #expect(lists >= 1 && lists <= 4 * rows && bytes <= memory << 20)
                let isBest = lists == max(1, min(32_768, Int(4 * Double(rows).squareRoot())))
                let more = ShardPublication.Options.buildBytes(lists: lists + 1, dimension: 64)
                #expect(isBest || more > memory << 20)
            }
        }
    }

    private func settings(_ kind: SearchIndexKind, iterates: Bool, effort: Int?, count: Int) -> [String: String] {
        let source = ShardSource(
            shards: [],
            relation: "items",
            kind: kind,
            precision: .single,
            effort: 120,
            iterates: iterates,
            timeout: 200_000_000
        )
        for command in source.commands(near: [1, 0].span, count: count, effort: effort) {
            if case .configure(let values) = command { return values }
        }
        return [:]
    }

    private func level(_ kind: SearchIndexKind, iterates: Bool, effort: Int?, count: Int) -> String? {
        settings(kind, iterates: iterates, effort: effort, count: count)[kind.effort.parameter]
    }

    @Test("a graph's effort covers the rows to find, and stays within pgvector's range")
    func choosesEffort() {
        #expect(level(.hnsw, iterates: false, effort: nil, count: 50) == "120")
        #expect(level(.hnsw, iterates: false, effort: 400, count: 50) == "400")
        #expect(level(.hnsw, iterates: false, effort: 5000, count: 50) == "1000")
        #expect(level(.hnsw, iterates: false, effort: nil, count: 121) == "150")
        #expect(level(.hnsw, iterates: false, effort: nil, count: 1000) == "1000")
        #expect(level(.hnsw, iterates: true, effort: nil, count: 4000) == "120")
        #expect(level(.ivfflat, iterates: true, effort: nil, count: 4000) == "120")
        #expect(level(.ivfflat, iterates: true, effort: 50_000, count: 50) == "32768")
    }

    @Test("a search that goes on by itself orders as many lists as it may need, not all")
    func limitsLists() {
        func limit(_ kind: SearchIndexKind, iterates: Bool, effort: Int?, count: Int) -> String? {
            settings(kind, iterates: iterates, effort: effort, count: count)["ivfflat.max_probes"]
        }
        #expect(limit(.ivfflat, iterates: true, effort: 8, count: 50) == "256")
        #expect(limit(.ivfflat, iterates: true, effort: nil, count: 136) == "256")
        #expect(limit(.ivfflat, iterates: true, effort: nil, count: 137) == "512")
        #expect(limit(.ivfflat, iterates: true, effort: 8, count: 10_000) == "10240")
        #expect(limit(.ivfflat, iterates: true, effort: 50_000, count: 50) == "32768")
        #expect(limit(.ivfflat, iterates: false, effort: 8, count: 50) == nil)
        #expect(limit(.hnsw, iterates: true, effort: 8, count: 50) == nil)
    }

    @Test(
        "a connection's settings come before the one prepared statement of the version",
        arguments: IndexPrecision.allCases
    )
    func ordersCommands(precision: IndexPrecision) {
        let source = ShardSource(
            shards: [],
            relation: "items_m_1",
            kind: .hnsw,
            precision: precision,
            effort: 100,
            iterates: true,
            timeout: 200_000_000
        )
        let commands = source.commands(near: [1, 0].span, count: 50, effort: nil)
        guard case .configure(let settings) = commands.first, commands.count == 2 else {
            Issue.record("no settings before the statement")
            return
        }
        #expect(
            settings == [
                "statement_timeout": "10000", "plan_cache_mode": "force_generic_plan", "enable_seqscan": "off",
                "jit": "off", "hnsw.iterative_scan": "relaxed_order", "hnsw.ef_search": "100",
            ]
        )
        guard case .execute(let name, let statement, let values) = commands.last else {
            Issue.record("no prepared statement")
            return
        }
        let cast = precision == .half ? "::halfvec(2)" : ""
        #expect(name == "items_m_1 \(precision.rawValue)")
        #expect(
            statement
                == "SELECT number FROM dimerec.\"items_m_1\" ORDER BY vector\(cast) <#> $1::vector\(cast) LIMIT $2::integer"
        )
        #expect(values == [.binary([0, 2, 0, 0, 0x3F, 0x80, 0, 0, 0, 0, 0, 0]), .number(50)])
        let index = SearchTables.index("items_m_1", .ivfflat, precision, dimension: 2, options: "lists = 3").first
        let operators = precision == .half ? "halfvec_ip_ops" : "vector_ip_ops"
        #expect(
            index
                == "CREATE INDEX ON dimerec.\"items_m_1\" USING ivfflat ((vector\(cast)) \(operators)) WITH (lists = 3)"
        )
    }

    @Test("the entry of a version says its index, and entries without a precision have single vectors")
    func writesMethod() throws {
        for kind in SearchIndexKind.allCases {
            for precision in IndexPrecision.allCases {
                let read = try #require(SearchTables.method(SearchTables.method(kind, precision)))
                #expect(read == (kind, precision))
            }
            #expect(SearchTables.method(kind, .single) == kind.rawValue)
        }
        #expect(SearchTables.method("ivfflat half more") == nil)
        #expect(SearchTables.method("ivfflat bit") == nil)
        #expect(SearchTables.method("") == nil)
    }

    private let catalogue = Catalogue(
        ids: ["a", "b\"", "c", "d", "e"],
        titles: ["One", "", "Trois\u{1}", "Vier", "Five"],
        categoryNames: ["Comedy", "Sci-Fi \\"],
        categories: [[0, 1], [], [1], [], []],
        attributes: [
            AttributeColumn(name: "price", type: .number, values: .numbers([0.1, .nan, 1e21, -3, 0])),
            AttributeColumn(name: "new", type: .boolean, values: .numbers([1, 0, .nan, 1, 0])),
            AttributeColumn(
                name: "brand",
                type: .keyword,
                values: .texts(names: ["x", "y\n"], lists: [[1], [], [0], [], []])
            ),
            AttributeColumn(
                name: "tags",
                type: .keywords,
                values: .texts(names: ["t", "u"], lists: [[1, 0], [0], [], [], []])
            ),
        ]
    )

    @Test("attributes are JSON objects without missing values")
    func writesAttributes() {
        #expect(
            catalogue.attributesJSON(of: 0)
                == #"{"categories":["Comedy","Sci-Fi \\"],"brand":"y\u000a","new":true,"price":0.1,"tags":["u","t"]}"#
        )
        #expect(catalogue.attributesJSON(of: 1) == #"{"new":false,"tags":["t"]}"#)
        #expect(catalogue.attributesJSON(of: 2) == #"{"categories":["Sci-Fi \\"],"brand":"x","price":1e+21}"#)
        #expect(Catalogue(ids: ["a"]).attributesJSON(of: 0) == "{}")
    }

    /// Reads the rows of a binary COPY.
    private func rows(_ bytes: [UInt8]) throws -> [[[UInt8]?]] {
        var place = 19
        func number(_ width: Int) -> Int {
            defer { place += width }
            let value = bytes[place..<place + width].reduce(0) { $0 << 8 | Int($1) }
            return value >= 1 << (8 * width - 1) ? value - 1 << (8 * width) : value
        }
        var rows: [[[UInt8]?]] = []
        while true {
            let fields = number(2)
            guard fields >= 0 else { break }
            rows.append(
                (0..<fields).map { _ in
                    let length = number(4)
                    guard length >= 0 else { return nil }
                    defer { place += length }
                    return Array(bytes[place..<place + length])
                }
            )
        }
        #expect(place == bytes.count)
        return rows
    }

    @Test(
        "every item is a row of one shard, with its number, id, title, attributes and vector",
        arguments: [1, 2, 3, 7]
    )
    func writesRows(shards: Int) throws {
        let vectors = Matrix(rows: 5, columns: 2, elements: [1, 0, 0, 1, 0.6, 0.8, -1, 0, 0, -1])
        var seen: [Int] = []
        for shard in 0..<shards {
            var source = ItemRows(catalogue, vectors, shard: shard, of: shards)
            var bytes: [UInt8] = []
            while let next = source.nextBytes() { bytes += next }
            let rows = try rows(bytes)
            #expect(rows.count == ItemRows.count(items: 5, shard: shard, of: shards))
            for row in rows {
                let item = try #require(row[0]).reduce(0) { $0 << 8 | Int($1) }
                #expect(item % shards == shard)
                seen.append(item)
                #expect(row[1] == Array(catalogue.ids[item].utf8))
                #expect(row[2] == Array(catalogue.titles[item].utf8))
                #expect(row[3] == [1] + Array(catalogue.attributesJSON(of: item).utf8))
                var vector = BinaryWriter()
                vector.append(vector: vectors.row(item))
                #expect(row[4] == vector.bytes)
            }
        }
        #expect(seen.sorted() == Array(0..<5))
    }
}
