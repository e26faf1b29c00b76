import CheckpointStore
import Foundation
import GRDB
import Kernels
import Testing

@Suite("failed export and import") struct TransferFailureTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test("a file that is no export has its own error, and the store is unchanged")
    func refused() throws {
        let path = try directory.exported()
        let whole = try directory.bytes("e.sqlite")
        _ = try CheckpointStore(path: directory.path("none.sqlite")).close()
        let target = try directory.target()
        _ = try target.publish(Fixtures.checkpoint(7))
        func error(_ name: String) throws -> CheckpointError? {
            let before = try directory.files()
            let error = #expect(throws: CheckpointError.self) { try target.importVersion(from: directory.path(name)) }
            #expect(try directory.files() == before, "\(name) leaves nothing")
            #expect("\(String(describing: error))".contains(directory.path(name)), "\(String(describing: error))")
            return error
        }
        #expect(try error("missing") == .notFound(path: directory.path("missing")))
        _ = try directory.write([], to: "empty")
        #expect(try error("empty") == .notAStore(path: directory.path("empty")))
        _ = try directory.write(Array("user,item,timestamp\n".utf8), to: "text")
        #expect(try error("text") == .notADatabase(path: directory.path("text")))
        _ = try directory.write(
            Array(whole[..<(whole.count / 2)]) + [UInt8](repeating: 0, count: whole.count / 2),
            to: "half"
        )
        guard case .corrupted = try error("half") else { throw Unexpected() }
        try DatabaseQueue(path: directory.path("foreign")).write { try $0.execute(sql: "CREATE TABLE version (id)") }
        #expect(try error("foreign") == .notAStore(path: directory.path("foreign")))
        guard case .notAnExport = try error("store.sqlite") else { throw Unexpected() }
        guard case .notAnExport = try error("target.sqlite") else { throw Unexpected() }
        guard case .notAnExport = try error("none.sqlite") else { throw Unexpected() }
        try FileManager.default.createDirectory(atPath: directory.path("folder"), withIntermediateDirectories: true)
        guard case .cannotOpen = try error("folder") else { throw Unexpected() }
        for (name, sql) in [
            ("newer", "INSERT INTO grdb_migrations VALUES ('999-future')"), ("trigger", "DROP TRIGGER blob_immutable"),
            ("view", "CREATE VIEW v AS SELECT 1"), ("rows", "DELETE FROM chunk"),
            ("highest", "UPDATE model SET highest = 9"),
            ("inactive", "DELETE FROM version"), ("alias", "INSERT INTO alias VALUES ('a', '{}', x'00')"),
        ] {
            _ = try directory.write(whole, to: name)
            try DatabaseQueue(path: directory.path(name)).writeWithoutTransaction {
                try $0.execute(sql: "PRAGMA foreign_keys = OFF; \(sql)")
            }
            let found = try error(name)
            switch (name, found) {
            case ("newer", .newerSchema), ("inactive", .notAnExport), ("alias", .notAnExport), (_, .corrupted): break
            default: Issue.record("\(name): \(String(describing: found))")
            }
        }
        // A file with a second version, and one that cannot be served.
        let several = try CheckpointStore(path: path)
        _ = try several.publish(Fixtures.checkpoint(8))
        try several.close()
        try DatabaseQueue(path: path).writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
        let count = try error("e.sqlite")
        #expect("\(String(describing: count))".contains("2 versions"))
        #expect(try target.versions(of: "ml").map(\.manifest.version) == [1])
        #expect(try target.models() == ["ml"])
        try target.verify(model: "ml")
    }

    private struct Unexpected: Error {}

    @Test("a file truncated at any 4 KiB is rejected, and one with a flipped bit is rejected or equal")
    func damaged() throws {
        _ = try directory.exported()
        let bytes = try directory.bytes("e.sqlite")
        let target = try directory.target()
        for length in stride(from: 4096, to: bytes.count, by: 4096) {
            let path = try directory.write(Array(bytes[..<length]), to: "cut")
            let truncated = CheckpointError.truncated(path: path, expectedBytes: bytes.count, foundBytes: length)
            #expect(throws: truncated) { try target.importVersion(from: path) }
        }
        var generator = SequentialGenerator(CounterBasedGenerator(seed: 5, purpose: .simulation))
        var refused = 0
        for page in stride(from: 0, to: bytes.count, by: 16384) {
            for range in [page..<page + 16384, page..<page + 128, page + 14000..<page + 16384] {
                var flipped = bytes
                let position = Int.random(in: range, using: &generator)
                flipped[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                let path = try directory.write(flipped, to: "flipped")
                if let (_, version, _) = try? target.importVersion(from: path) {
                    expectSame(try target.load(model: "ml", version: version), Fixtures.checkpoint(2))
                } else {
                    refused += 1
                }
            }
        }
        #expect(refused > 0)
        let checkpoint = Fixtures.checkpoint(2)
        let contents: [[UInt8]] = [
            Array(checkpoint.index.prefix(60)), Array(#"\"tag\":2}"#.utf8), Array("Title 2 of 1".utf8),
            checkpoint.popularity.prefix(9).flatMap { [UInt8($0), 0, 0, 0] },
        ]
        for content in contents {
            let range = try #require(Data(bytes).range(of: Data(content)))
            var flipped = bytes
            flipped[range.lowerBound + content.count / 2] ^= 2
            let path = try directory.write(flipped, to: "flipped")
            #expect(throws: CheckpointError.self) { try target.importVersion(from: path) }
        }
        #expect(try target.models().isEmpty || target.versions(of: "ml").count == 1)
    }

    @Test("an export to a path that would harm a store is rejected, and a failed export leaves no file")
    func exportRefused() throws {
        _ = try directory.exported()
        let store = try directory.store()
        let before = try directory.files()
        for name in ["store.sqlite", "link"] {
            if name == "link" {
                try FileManager.default.createSymbolicLink(
                    atPath: directory.path("link"),
                    withDestinationPath: directory.path()
                )
            }
            let error = #expect(throws: CheckpointError.self) {
                try store.export(model: "ml", to: directory.path(name))
            }
            guard case .cannotExport = error else { throw Unexpected() }
        }
        try FileManager.default.removeItem(atPath: directory.path("link"))
        let target = try directory.target()
        _ = try target.publish(Fixtures.checkpoint(5))
        let inUse = #expect(throws: CheckpointError.self) {
            try store.export(model: "ml", to: directory.path("target.sqlite"))
        }
        guard case .cannotExport = inUse else { throw Unexpected() }
        expectSame(try target.load(model: "ml"), Fixtures.checkpoint(5))
        try target.close()
        try FileManager.default.removeItem(atPath: directory.path("target.sqlite"))
        #expect(throws: CheckpointError.self) { try store.export(model: "ml", to: directory.path("no/such/file")) }
        #expect(throws: CheckpointError.self) { try store.export(model: "ml", to: directory.url.path) }
        #expect(throws: CheckpointError.versionNotFound(model: "ml", version: 9, available: [1, 2, 3])) {
            try store.export(model: "ml", version: 9, to: directory.path("e.sqlite"))
        }
        let small = try CheckpointStore(
            path: directory.path(),
            readOnly: true,
            chunkBytes: 64,
            busyTimeout: 1,
            pageLimit: 8
        )
        #expect(throws: CheckpointError.diskFull(path: directory.path("f"))) {
            try small.export(model: "ml", to: directory.path("f"))
        }
        #expect(try directory.files() == before)
    }

    @Test("a full disk, a lock and a failure at any row leave the store unchanged")
    func importFails() throws {
        let path = try directory.exported()
        let target = try directory.target(busyTimeout: 0.05, pageLimit: 30)
        _ = try target.publish(Fixtures.checkpoint(5))
        func unchanged() throws {
            #expect(try target.versions(of: "ml").map(\.manifest.version) == [1])
            #expect(try target.activations(of: "ml") == [1])
        }
        let large = try CheckpointStore(path: directory.path("large.sqlite"))
        var checkpoint = Fixtures.checkpoint(6)
        checkpoint.parameters["large"] = Matrix(rows: 1000, columns: 1000)
        _ = try large.publish(checkpoint)
        try large.export(model: "ml", to: directory.path("large"))
        #expect(throws: CheckpointError.diskFull(path: directory.path("target.sqlite"))) {
            try target.importVersion(from: directory.path("large"))
        }
        try unchanged()
        try DatabaseQueue(path: directory.path("target.sqlite")).inTransaction(.immediate) { _ in
            #expect(throws: CheckpointError.locked(path: directory.path("target.sqlite"))) {
                try target.importVersion(from: path)
            }
            return .rollback
        }
        try DatabaseQueue(path: path).inTransaction(.exclusive) { _ in
            #expect(throws: CheckpointError.locked(path: path)) { try target.importVersion(from: path) }
            return .rollback
        }
        for (table, condition) in [
            ("chunk", "NEW.position = 2"), ("blob", "NEW.name = 'popularity'"), ("bundle", "1"), ("version", "1"),
            ("activation", "1"),
        ] {
            try DatabaseQueue(path: directory.path("target.sqlite")).write {
                try $0.execute(
                    sql: """
                        CREATE TRIGGER hostile BEFORE INSERT ON \(table) WHEN \(condition)
                        BEGIN SELECT RAISE(ABORT, 'no'); END
                        """
                )
            }
            #expect(throws: CheckpointError.failed(path: directory.path("target.sqlite"), code: 1811, reason: "no")) {
                try target.importVersion(from: path)
            }
            try DatabaseQueue(path: directory.path("target.sqlite")).write {
                try $0.execute(sql: "DROP TRIGGER hostile")
            }
            try unchanged()
        }
        #expect(try target.importVersion(from: path) == ("ml", 2, true))
    }
}
