import CheckpointStore
import Foundation
import GRDB
import Kernels
import Testing

@Suite("aliases") struct AliasTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func store() throws -> CheckpointStore {
        let store = try directory.store()
        for tag in 1...3 { _ = try store.publish(Fixtures.checkpoint(tag)) }
        return store
    }

    private let canary = Alias(
        name: "stable",
        model: "ml",
        split: [.init(version: 1, percent: 95.5), .init(version: 3, percent: 4.5)],
        shadow: 12.25,
        guard: .init(maxErrorRate: 0.01, maxP99Ms: 1.5, minRequests: 10)
    )

    @Test("an alias is read back by every connection, with a revision that rises")
    func roundTrip() throws {
        let store = try store()
        let reader = try directory.store(readOnly: true)
        #expect(try reader.aliases() == [])
        var expected = canary
        expected.revision = 1
        #expect(try store.setAlias(canary, ifRevision: 0) == expected)
        #expect(try reader.aliases() == [expected])
        let simple = Alias(name: "a\"\u{301}", model: "ml", revision: 77)
        #expect(try store.setAlias(simple).revision == 1)
        expected.revision = 2
        #expect(try store.setAlias(canary, ifRevision: 1) == expected)
        #expect(try reader.aliases().map(\.name) == [simple.name, "stable"])
        try store.close()
        let reopened = try directory.store()
        #expect(try reopened.aliases().last == expected)
        try reopened.removeAlias("stable")
        #expect(try reopened.aliases().map(\.name) == [simple.name])
        #expect(try reopened.setAlias(canary).revision == 1)
    }

    @Test("a condition on the revision rejects a change after somebody else's, and nothing is lost")
    func revisions() throws {
        let store = try store()
        func mismatch(_ expected: Int, _ found: Int) -> CheckpointError {
            .revisionMismatch(alias: "stable", expected: expected, found: found)
        }
        #expect(throws: mismatch(1, 0)) { try store.setAlias(canary, ifRevision: 1) }
        _ = try store.setAlias(canary)
        #expect(throws: mismatch(0, 1)) { try store.setAlias(Alias(name: "stable", model: "ml"), ifRevision: 0) }
        #expect(throws: mismatch(2, 1)) { try store.removeAlias("stable", ifRevision: 2) }
        #expect(try store.aliases().first?.split == canary.split)
        #expect(throws: CheckpointError.aliasNotFound(alias: "none", available: ["stable"])) {
            try store.removeAlias("none", ifRevision: 3)
        }
        try store.removeAlias("stable", ifRevision: 1)
        #expect(try store.aliases() == [])
    }

    @Test("an alias that contradicts itself, a model or the versions is rejected")
    func validation() throws {
        let store = try store()
        let changes: [(inout Alias) -> Void] = [
            { $0.name = "" }, { $0.name = "a\u{0}b" }, { $0.name = "ml" },
            { $0.split[0].percent = 95 }, { $0.split[0].percent = 95.50001 }, { $0.split[0].percent = .nan },
            { $0.split = [.init(version: 1, percent: 101), .init(version: 2, percent: -1)] },
            { $0.split[1].version = 1 }, { $0.shadow = -1 }, { $0.shadow = 100.5 }, { $0.shadow = .nan },
            { $0.split = [.init(version: 1, percent: 100)] }, { $0.split = [] },
            {
                $0.split = [.init(version: 1, percent: 100)]
                $0.shadow = 0
            },
            {
                $0.split = []
                $0.guard = nil
            },
            { $0.guard?.maxErrorRate = 0 }, { $0.guard?.maxErrorRate = 1.01 }, { $0.guard?.maxP99Ms = 0 },
            { $0.guard?.maxP99Ms = .infinity }, { $0.guard?.minRequests = 0 },
            { $0.guard = .init() },
        ]
        for (number, change) in changes.enumerated() {
            var alias = canary
            change(&alias)
            let error = #expect(throws: CheckpointError.self) { try store.setAlias(alias) }
            guard case .invalid = error else {
                Issue.record("change \(number): \(String(describing: error)) is not .invalid")
                continue
            }
        }
        var unknown = canary
        unknown.model = "no"
        #expect(throws: CheckpointError.modelNotFound(model: "no", available: ["ml"])) { try store.setAlias(unknown) }
        unknown = canary
        unknown.split[1].version = 4
        #expect(throws: CheckpointError.versionNotFound(model: "ml", version: 4, available: [1, 2, 3])) {
            try store.setAlias(unknown)
        }
        #expect(try store.aliases() == [])
        let allowed: [(inout Alias) -> Void] = [
            { $0.split[0].percent = 95.5 + 1e-7 },
            {
                $0.split = []
                $0.shadow = 0
                $0.guard = nil
            },
            { $0.split = [.init(version: 1, percent: 100), .init(version: 2, percent: 0)] },
            { $0.guard?.maxErrorRate = nil }, { $0.guard?.maxErrorRate = 1 }, { $0.shadow = 100 },
        ]
        for (number, change) in allowed.enumerated() {
            var alias = canary
            change(&alias)
            #expect(try store.setAlias(alias).revision == number + 1)
        }
    }

    @Test("no new alias has the name of a path; one from an earlier version is read, changed and removed")
    func pathNames() throws {
        var store = try store()
        let unclear = ["e\u{301}", "\u{1b}[31m", "a\nb", "\u{202e}abc", String(repeating: "a", count: 257)]
        for name in ["a/b", "/", ".", ".."] + unclear {
            #expect(throws: CheckpointError.self, "\(name)") { try store.setAlias(Alias(name: name, model: "ml")) }
        }
        #expect(try store.aliases() == [])
        let odd = ["...", ".a", "a b", "\u{2603}", "\u{e9}"]
        for name in odd + ["a.b"] { _ = try store.setAlias(Alias(name: name, model: "ml")) }
        for name in odd { try store.removeAlias(name) }
        try store.close()
        try DatabaseQueue(path: directory.path()).write { db in
            let content = try #require(try String.fetchOne(db, sql: "SELECT content FROM alias"))
                .replacing("\"a.b\"", with: "\"a/b\"")
            let digest = Data(SHA256.hash(Array("dimerec alias 1\n\(content)".utf8).span))
            let values: StatementArguments = ["a/b", content, digest]
            try db.execute(sql: "UPDATE alias SET name = ?, content = ?, digest = ?", arguments: values)
        }
        store = try directory.store()
        #expect(try store.damage() == [])
        let old = try #require(try store.aliases().first)
        #expect(old.name == "a/b" && old.nameFault?.contains("\"a/b\"") == true)
        #expect(try store.setAlias(old, ifRevision: old.revision).revision == old.revision + 1)
        try store.removeAlias("a/b")
        #expect(throws: CheckpointError.self) { try store.setAlias(old) }
    }

    @Test("a new model cannot take the name of an alias")
    func modelOfSameName() throws {
        let store = try store()
        _ = try store.setAlias(canary)
        let error = #expect(throws: CheckpointError.self) {
            try store.publish(Fixtures.checkpoint(1, model: "stable"))
        }
        guard case .invalid = error else {
            Issue.record("\(String(describing: error)) is not .invalid")
            return
        }
        #expect(try store.models() == ["ml"])
    }
}
