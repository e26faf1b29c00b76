import CheckpointStore
import Dispatch
import Foundation
import GRDB
import Kernels
import Synchronization
import Testing

@Suite("export and import") struct TransferTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// The names of all files in the directory, hidden ones too, except for the logs of the two stores.
    private func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.url.path)
            .filter { !["store.sqlite-", "target.sqlite-"].contains(where: $0.hasPrefix) }.sorted()
    }

    private func target(busyTimeout: Double = 10, pageLimit: Int? = nil) throws -> CheckpointStore {
        try CheckpointStore(
            path: directory.path("target.sqlite"),
            readOnly: false,
            chunkBytes: 128,
            busyTimeout: busyTimeout,
            pageLimit: pageLimit
        )
    }

    /// A store with versions 1 to `count` of "ml" besides another model's, and version `version` exported to `name`.
    private func exported(_ version: Int = 2, of count: Int = 3, to name: String = "e.sqlite") throws -> String {
        let store = try directory.store()
        for tag in 1...count { _ = try store.publish(Fixtures.checkpoint(tag)) }
        _ = try store.publish(Fixtures.checkpoint(50, model: "other"))
        _ = try store.setAlias(Alias(name: "stable", model: "ml"))
        try store.changeItem(ItemChange(model: "ml", item: "i1", version: 1, content: nil))
        try store.export(model: "ml", version: version, to: directory.path(name))
        try store.close()
        return directory.path(name)
    }

    @Test("an exported file is one closed store with only that version, and importing it gives the same version")
    func roundTrip() throws {
        let path = try exported()
        #expect(try files() == ["e.sqlite", "store.sqlite"])
        let bytes = try directory.bytes("e.sqlite")
        #expect(Array(bytes[18...19]) == [1, 1], "no write-ahead log")
        let (file, source) = (try CheckpointStore(path: path, readOnly: true), try directory.store(readOnly: true))
        #expect(try file.models() == ["ml"])
        #expect(try file.activations(of: "ml") == [2])
        #expect(try file.aliases() == [])
        #expect(try file.itemChanges(of: "ml") == [])
        let original = try #require(try source.versions(of: "ml").dropFirst().first)
        let read = try #require(try file.versions(of: "ml").first)
        #expect(read.digest == original.digest)
        #expect(read.manifest == original.manifest)
        try file.verify(model: "ml")
        try file.close()

        let target = try target()
        #expect(try target.importVersion(from: path) == ("ml", 2, true))
        expectSame(try target.load(model: "ml"), Fixtures.checkpoint(2))
        #expect(try target.versions(of: "ml").map(\.digest) == [original.digest])
        #expect(try directory.bytes("e.sqlite") == bytes)
        #expect(try target.importVersion(from: path) == ("ml", 2, false))
        #expect(try target.publish(Fixtures.checkpoint(9)) == 3)
        try target.close()
        #expect(try files() == ["e.sqlite", "store.sqlite", "target.sqlite"])
    }

    @Test("exports of one version have the same bytes, also when time and other versions come between")
    func repeatable() async throws {
        let path = try exported()
        // Stored times have whole seconds.
        try await Task.sleep(for: .seconds(1.1))
        let source = try directory.store()
        #expect(try source.publish(Fixtures.checkpoint(7)) == 4)
        try source.export(model: "ml", version: 2, to: directory.path("again.sqlite"))
        try source.close()
        #expect(try directory.bytes("again.sqlite") == Array(Data(contentsOf: URL(filePath: path))))
    }

    @Test("without a number the active version is exported, and a rename replaces the file")
    func replacing() throws {
        let path = try exported(1)
        let first = try #require(FileHandle(forReadingAtPath: path))
        let before = try first.readToEnd()
        let store = try directory.store()
        try store.export(model: "ml", to: path)
        try first.seek(toOffset: 0)
        #expect(try first.readToEnd() == before, "an open handle keeps the former file")
        let file = try CheckpointStore(path: path, readOnly: true)
        expectSame(try file.load(model: "ml"), Fixtures.checkpoint(3))
        #expect(try file.versions(of: "ml").map(\.manifest.version) == [3])
    }

    @Test("a version keeps its number if it is above all others, else it gets the next")
    func numbers() throws {
        let source = try directory.store()
        var paths: [Int: String] = [:]
        for tag in 1...6 {
            _ = try source.publish(Fixtures.checkpoint(tag))
            paths[tag] = directory.path("\(tag)")
            try source.export(model: "ml", to: directory.path("\(tag)"))
        }
        let target = try target()
        func load(_ tag: Int, activate: Bool = true) throws -> (String, Int, Bool) {
            try target.importVersion(from: try #require(paths[tag]), activate: activate)
        }
        #expect(try load(3) == ("ml", 3, true))
        #expect(try load(5, activate: false) == ("ml", 5, true))
        #expect(try target.activeVersion(of: "ml") == 3)
        #expect(try load(4) == ("ml", 6, true), "lower than the highest")
        #expect(try load(6) == ("ml", 7, true), "taken")
        for (tag, number) in [(3, 3), (5, 5), (4, 6), (6, 7)] {
            #expect(try load(tag) == ("ml", number, false))
            let read = try target.load(model: "ml", version: number)
            expectSame(read, Fixtures.checkpoint(tag))
            #expect(read.manifest.version == number)
            #expect(try read.manifest.createdAt == source.manifest(model: "ml", version: tag).createdAt)
        }
        #expect(try target.activations(of: "ml") == [3, 6, 7], "known content activates nothing")
        #expect(try target.prune(model: "ml", keeping: 1) == [3, 5])
        #expect(try load(3) == ("ml", 8, true), "the number of a removed version is never reused")
        // The same content of another model is another version.
        var other = Fixtures.checkpoint(3)
        other.manifest.model = "copy"
        _ = try source.publish(other)
        try source.export(model: "copy", to: directory.path("copy"))
        #expect(try target.importVersion(from: directory.path("copy")) == ("copy", 1, true))
        try target.verify(model: "ml")
    }

    @Test("a version whose stored copy is damaged is stored again")
    func repairing() throws {
        let path = try exported()
        let target = try target()
        #expect(try target.importVersion(from: path) == ("ml", 2, true))
        try target.close()
        var bytes = try directory.bytes("target.sqlite")
        let index = Data(Fixtures.checkpoint(2).index.prefix(100))
        bytes[try #require(Data(bytes).range(of: index)).lowerBound + 5] ^= 1
        _ = try directory.write(bytes, to: "target.sqlite")
        let damaged = try self.target()
        #expect(throws: CheckpointError.self) { try damaged.load(model: "ml") }
        #expect(try damaged.importVersion(from: path) == ("ml", 3, true))
        expectSame(try damaged.load(model: "ml"), Fixtures.checkpoint(2))
    }

    @Test("a file that is no export has its own error, and the store is unchanged")
    func refused() throws {
        let path = try exported()
        let whole = try directory.bytes("e.sqlite")
        _ = try CheckpointStore(path: directory.path("none.sqlite")).close()
        let target = try target()
        _ = try target.publish(Fixtures.checkpoint(7))
        func error(_ name: String) throws -> CheckpointError? {
            let before = try files()
            let error = #expect(throws: CheckpointError.self) { try target.importVersion(from: directory.path(name)) }
            #expect(try files() == before, "\(name) leaves nothing")
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
        _ = try exported()
        let bytes = try directory.bytes("e.sqlite")
        let target = try target()
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
        _ = try exported()
        let store = try directory.store()
        let before = try files()
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
        let target = try target()
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
        #expect(try files() == before)
    }

    @Test("a full disk, a lock and a failure at any row leave the store unchanged")
    func importFails() throws {
        let path = try exported()
        let target = try target(busyTimeout: 0.05, pageLimit: 30)
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

    @Test("readers and imports see whole versions while files are replaced and versions arrive")
    func concurrent() throws {
        let path = try exported(1, of: 6)
        let source = try directory.store()
        let target = try target()
        _ = try target.importVersion(from: path)
        let reader = try CheckpointStore(path: directory.path("target.sqlite"), readOnly: true)
        let failures = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 4) { worker in
            do {
                for round in 0..<12 {
                    switch worker {
                    case 0, 1: try source.export(model: "ml", version: 1 + (round + 3 * worker) % 6, to: path)
                    case 2: _ = try target.importVersion(from: path)
                    default:
                        let read = try reader.load(model: "ml")
                        guard isSame(read, Fixtures.checkpoint(read.manifest.trainRows - 1000)) else {
                            failures.withLock { $0.append("version \(read.manifest.version) is a mixture") }
                            continue
                        }
                    }
                }
            } catch {
                failures.withLock { $0.append("\(error)") }
            }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(try files().filter { $0.hasPrefix(".") } == [])
        let rows = try target.versions(of: "ml").map(\.manifest.trainRows)
        #expect(Set(rows).count == rows.count, "nothing is stored twice")
        try target.verify(model: "ml")
    }
}
