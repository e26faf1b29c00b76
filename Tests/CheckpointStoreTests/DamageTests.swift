import CheckpointStore
import Foundation
import GRDB
import Kernels
import Testing

@Suite("damaged and foreign stores") struct DamageTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// The bytes of a closed store with two versions, the second active, and a training state.
    private func smallStore() throws -> [UInt8] {
        let store = try directory.store(chunkBytes: 1024)
        _ = try store.publish(Fixtures.checkpoint(1))
        _ = try store.publish(Fixtures.checkpoint(2))
        try store.saveTrainingState(model: "ml", state: Fixtures.state())
        try store.close()
        #expect(!FileManager.default.fileExists(atPath: directory.path("store.sqlite-wal")), "closing merges the log")
        return try directory.bytes()
    }

    /// Reads the active version of damaged bytes; nil if that fails with a ``CheckpointError``.
    private func load(_ bytes: [UInt8], readOnly: Bool) throws -> Checkpoint? {
        let copy = try TemporaryDirectory()
        let path = try copy.write(bytes, to: "store.sqlite")
        do {
            return try CheckpointStore(path: path, readOnly: readOnly).load(model: "ml")
        } catch let error {
            #expect(!error.description.isEmpty)
            return nil
        }
    }

    @Test("a flipped bit in any page is an error or has no effect", arguments: [true, false])
    func flipInEveryPage(readOnly: Bool) throws {
        let bytes = try smallStore()
        let pageSize = Int(bytes[16]) << 8 | Int(bytes[17])
        #expect(pageSize == 16384)
        var generator = SequentialGenerator(CounterBasedGenerator(seed: 3, purpose: .simulation))
        var refused = 0
        for page in 0..<bytes.count / pageSize {
            // Somewhere in the page; in its header and cell pointers; in its last cells.
            for range in [0..<pageSize, 0..<128, pageSize - 2048..<pageSize] {
                for _ in 0..<8 {
                    var damaged = bytes
                    let position = page * pageSize + Int.random(in: range, using: &generator)
                    damaged[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                    if let read = try load(damaged, readOnly: readOnly) {
                        #expect(isSame(read, Fixtures.checkpoint(2)), "byte \(position)")
                    } else {
                        refused += 1
                    }
                }
            }
        }
        #expect(refused > bytes.count / pageSize)
    }

    @Test("a flipped bit in content is always an error")
    func flipInContent() throws {
        let bytes = try smallStore()
        let checkpoint = Fixtures.checkpoint(2)
        let weights = try #require(checkpoint.parameters["denoiser/0/weights"])
        let contents: [[UInt8]] = [
            weights.littleEndianBytes(ofElements: 0..<weights.count),
            checkpoint.index,
            Array(#"\"tag\":2}"#.utf8),
            Array("Title 2 of 0".utf8),
            checkpoint.popularity.flatMap { [UInt8($0), 0, 0, 0] },
        ]
        let data = Data(bytes)
        for content in contents {
            let range = try #require(data.range(of: Data(content)))
            for position in range {
                var damaged = bytes
                damaged[position] ^= 1 << UInt8(position % 8)
                #expect(
                    try load(damaged, readOnly: true) == nil,
                    "byte \(position - range.lowerBound) of \(range.count)"
                )
            }
        }
    }

    @Test("verify finds flipped bits that SQLite cannot see, or they have no effect")
    func verifyFindsFlips() throws {
        let bytes = try smallStore()
        let content = Data(Fixtures.checkpoint(1).index)
        let position = try #require(Data(bytes).range(of: content)).lowerBound
        var damaged = bytes
        damaged[position + 9] ^= 16
        let copy = try TemporaryDirectory()
        let store = try CheckpointStore(path: copy.write(damaged, to: "store.sqlite"), readOnly: true)
        let expected = CheckpointError.corrupted(
            what: "'index' does not match its SHA-256",
            location: "version 1 of 'ml'"
        )
        #expect(throws: expected) { try store.verify(model: "ml", version: 1) }
        #expect(throws: expected) { try store.load(model: "ml", version: 1) }
        expectSame(try store.load(model: "ml"), Fixtures.checkpoint(2))
        #expect(try store.versions(of: "ml").count == 2)
    }

    @Test("a truncated store is rejected", arguments: [true, false])
    func truncation(readOnly: Bool) throws {
        let bytes = try smallStore()
        for length in [1, 99, 100, 512] + stride(from: 4096, to: bytes.count, by: 4096) {
            let copy = try TemporaryDirectory()
            let path = try copy.write(Array(bytes[..<length]), to: "store.sqlite")
            let expected =
                length < 100
                ? CheckpointError.notADatabase(path: path)
                : .truncated(path: path, expectedBytes: bytes.count, foundBytes: length)
            #expect(throws: expected) { try CheckpointStore(path: path, readOnly: readOnly) }
            #expect(try copy.bytes().count == length, "the file was not changed")
        }
        let empty = try directory.write([], to: "empty")
        #expect(throws: CheckpointError.notAStore(path: empty)) { try CheckpointStore(path: empty, readOnly: true) }
    }

    @Test("a truncated store beside its log is rejected", arguments: [4096, 16384, 32768, 65536])
    func truncationBesideLog(length: Int) throws {
        let bytes = try smallStore()
        let copy = try TemporaryDirectory()
        let path = try copy.write(Array(bytes[..<length]), to: "store.sqlite")
        _ = try copy.write([1, 2, 3], to: "store.sqlite-wal")
        #expect(throws: CheckpointError.self) { try CheckpointStore(path: path, readOnly: true).load(model: "ml") }
    }

    @Test("a log that a kill or a power loss truncated leaves whole versions", arguments: [true, false])
    func cutLog(readOnly: Bool) throws {
        _ = try smallStore()
        let store = try directory.store(chunkBytes: 1024)
        _ = try store.publish(Fixtures.checkpoint(3))
        let (file, log) = (try directory.bytes(), try directory.bytes("store.sqlite-wal"))
        var versions: [Int] = []
        for length in Array(stride(from: 0, to: log.count, by: 4096)) + [log.count] {
            let copy = try TemporaryDirectory()
            let path = try copy.write(file, to: "store.sqlite")
            _ = try copy.write(Array(log[..<length]), to: "store.sqlite-wal")
            let read = try CheckpointStore(path: path, readOnly: readOnly).load(model: "ml")
            versions.append(read.manifest.version)
            expectSame(read, Fixtures.checkpoint(read.manifest.version))
        }
        #expect(versions == versions.sorted())
        #expect(Set(versions) == [2, 3])
        #expect(versions.last == 3)
    }

    @Test("foreign files are rejected and not changed", arguments: [true, false])
    func foreign(readOnly: Bool) throws {
        let text = try directory.write(Array(String(repeating: "user,item,timestamp\n", count: 99).utf8), to: "text")
        #expect(throws: CheckpointError.notADatabase(path: text)) {
            try CheckpointStore(path: text, readOnly: readOnly)
        }
        let other = directory.path("other")
        try DatabaseQueue(path: other).write {
            try $0.execute(sql: "CREATE TABLE bundle (id); PRAGMA user_version = 3")
        }
        let before = try directory.bytes("other")
        #expect(throws: CheckpointError.notAStore(path: other)) {
            try CheckpointStore(path: other, readOnly: readOnly)
        }
        #expect(try directory.bytes("other") == before)
    }

    @Test("an error names a newer schema", arguments: [true, false])
    func newerSchema(readOnly: Bool) throws {
        _ = try smallStore()
        try directory.execute("INSERT INTO grdb_migrations VALUES ('999-future')")
        let error = CheckpointError.newerSchema(
            path: directory.path(),
            found: "999-future",
            supported: "003-attributes"
        )
        #expect(throws: error) { try directory.store(readOnly: readOnly) }
    }

    @Test(
        "a store with foreign triggers, views or tables is rejected",
        arguments: [
            "CREATE TRIGGER t AFTER INSERT ON chunk BEGIN DELETE FROM version; END", "CREATE VIEW v AS SELECT 1",
            "CREATE TABLE sqlit (id)", "DROP TRIGGER chunk_immutable", "CREATE INDEX i ON chunk (data)",
        ]
    )
    func alteredSchema(sql: String) throws {
        let store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint())
        try directory.execute(sql)
        for readOnly in [true, false] {
            let error = #expect(throws: CheckpointError.self) { try directory.store(readOnly: readOnly) }
            #expect("\(String(describing: error))".contains("tables and triggers"))
        }
        #expect(throws: CheckpointError.self) { try store.verify(model: "ml") }
    }

    @Test(
        "stored numbers that do not match the content are rejected",
        arguments: [
            "UPDATE blob SET rows = 2147483648", "UPDATE blob SET rows = -1", "UPDATE blob SET columns = -1",
            "UPDATE blob SET rows = 9223372036854775807, columns = 9223372036854775807",
            "UPDATE bundle SET header = x'7B7D'", "UPDATE bundle SET kind = 'trainingState'", "DELETE FROM chunk",
            "UPDATE chunk SET data = zeroblob(100000)", "UPDATE chunk SET data = substr(data, 2)",
            "UPDATE chunk SET position = position + 1000000", "UPDATE chunk SET position = -position",
            "DELETE FROM blob WHERE name = 'index'",
            "UPDATE version SET number = -number; UPDATE version SET number = 3 + number",
            "UPDATE chunk SET data = x'' WHERE position = 1",
            "INSERT INTO chunk SELECT blob, 100, x'00' FROM chunk WHERE position = 0",
            "INSERT INTO blob SELECT 1000 + id, bundle, name || 'x', format, rows, columns, digest FROM blob",
        ]
    )
    func hostileRows(sql: String) throws {
        let store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint(1))
        _ = try store.publish(Fixtures.checkpoint(2))
        // The schema refuses such changes; another program can switch that off.
        try directory.execute(
            """
            DROP TRIGGER version_immutable; DROP TRIGGER bundle_immutable; DROP TRIGGER blob_immutable;
            DROP TRIGGER chunk_immutable;
            """
        )
        try directory.execute("PRAGMA foreign_keys = OFF; \(sql)")
        #expect(throws: CheckpointError.self) { try store.load(model: "ml") }
    }

    @Test("a publish that fails part-way leaves nothing")
    func failingPublish() throws {
        let store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint(1))
        for (table, condition) in [
            ("chunk", "NEW.position = 2"), ("blob", "NEW.name = 'popularity'"), ("bundle", "1"), ("version", "1"),
            ("activation", "1"),
        ] {
            try directory.execute(
                """
                CREATE TRIGGER hostile BEFORE INSERT ON \(table) WHEN \(condition)
                BEGIN SELECT RAISE(ABORT, 'no'); END
                """
            )
            let error = #expect(throws: CheckpointError.self) { try store.publish(Fixtures.checkpoint(2)) }
            #expect(error == .failed(path: directory.path(), code: 1811, reason: "no"))
            try directory.execute("DROP TRIGGER hostile")
            #expect(try store.versions(of: "ml").map(\.manifest.version) == [1])
            #expect(try store.activations(of: "ml") == [1])
            expectSame(try store.load(model: "ml"), Fixtures.checkpoint(1))
        }
        try store.verify(model: "ml")
        #expect(try store.publish(Fixtures.checkpoint(2)) == 2)
    }

    @Test("a full disk has its own error, and nothing of the version stays")
    func diskFull() throws {
        let path = directory.path()
        let store = try CheckpointStore(path: path, readOnly: false, chunkBytes: 1024, busyTimeout: 1, pageLimit: 40)
        _ = try store.publish(Fixtures.checkpoint(1))
        var large = Fixtures.checkpoint(2)
        large.parameters["large"] = Matrix(rows: 1000, columns: 1000)
        #expect(throws: CheckpointError.diskFull(path: path)) { try store.publish(large) }
        #expect(try store.versions(of: "ml").map(\.manifest.version) == [1])
        #expect(try store.publish(Fixtures.checkpoint(2)) == 2)
        try store.verify(model: "ml")
    }

    @Test("tables with counts beyond their bytes do not decode")
    func hostileTables() {
        let texts = ["", "a", "ß🎬", "\u{0}"]
        let lists: [[Int32]] = [[], [1], [.min, .max], []]
        let (encodedTexts, encodedLists) = (TextTable.encode(texts), NumberLists.encode(lists))
        #expect(TextTable.decode(encodedTexts) == texts)
        #expect(NumberLists.decode(encodedLists) == lists)
        #expect(TextTable.decode(TextTable.encode([])) == [])
        for length in encodedTexts.indices { #expect(TextTable.decode(Array(encodedTexts[..<length])) == nil) }
        for length in encodedLists.indices { #expect(NumberLists.decode(Array(encodedLists[..<length])) == nil) }
        #expect(TextTable.decode(encodedTexts + [0]) == nil)
        #expect(NumberLists.decode(encodedLists + [0, 0, 0, 0]) == nil)
        for value in [UInt64.max, 1 << 63, 1 << 62, 1 << 31, 5] {
            let count = (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
            #expect(TextTable.decode(count + encodedTexts.dropFirst(8)) == nil)
            #expect(NumberLists.decode(count + encodedLists.dropFirst(8)) == nil)
        }
        var badText = TextTable.encode(["abc"])
        badText[13] = 0xFF
        #expect(TextTable.decode(badText) == nil, "bad UTF-8 is rejected, not repaired")
    }

    @Test("every message says what happened and what to do")
    func messages() {
        let errors: [CheckpointError] = [
            .notFound(path: "p"), .cannotOpen(path: "p", reason: "r"), .notADatabase(path: "p"), .notAStore(path: "p"),
            .newerSchema(path: "p", found: "2", supported: "1"), .olderSchema(path: "p", missing: "2"),
            .truncated(path: "p", expectedBytes: 2, foundBytes: 1), .corrupted(what: "w", location: "p"),
            .modelNotFound(model: "p", available: ["a", "b"]), .modelNotFound(model: "p", available: []),
            .versionNotFound(model: "p", version: 9, available: [1]), .noActiveVersion(model: "p", available: [1]),
            .aliasNotFound(alias: "p", available: []), .aliasNotFound(alias: "p", available: ["a"]),
            .revisionMismatch(alias: "p", expected: 1, found: 2), .nothingToRollBackTo(model: "p", active: nil),
            .nothingToRollBackTo(model: "p", active: 3), .notAnExport(path: "p", reason: "r"),
            .cannotExport(path: "p", reason: "r"), .invalid(reason: "p"), .diskFull(path: "p"), .readOnly(path: "p"),
            .locked(path: "p"),
            .inputOutput(path: "p", reason: "r"), .failed(path: "p", code: 1, reason: "r"),
        ]
        #expect(Set(errors.map(\.description)).count == errors.count)
        for error in errors { #expect(error.description.contains("p") && error.description.hasSuffix(".")) }
        #expect("\(CheckpointError.modelNotFound(model: "p", available: ["a", "b"]))".contains("'a', 'b'"))
    }
}
