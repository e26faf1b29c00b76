import CheckpointStore
import Foundation
import GRDB
import Kernels
import Testing

@Suite("activation, rollback and prune") struct ActivationTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test("rolling back twice goes back two versions, and then there is none left")
    func stack() throws {
        let store = try directory.store()
        for tag in 1...4 { _ = try store.publish(Fixtures.checkpoint(tag)) }
        _ = try store.publish(Fixtures.checkpoint(9, model: "other"))
        try store.activate(model: "ml", version: 2)
        #expect(try store.activations(of: "ml") == [1, 2, 3, 4, 2])
        var seen: [Int] = []
        while let target = try store.rollbackTarget(of: "ml") {
            #expect(try store.rollback(model: "ml") == target)
            expectSame(try store.load(model: "ml"), Fixtures.checkpoint(target))
            seen.append(target)
        }
        #expect(seen == [4, 3, 2, 1])
        let nothing = CheckpointError.nothingToRollBackTo(model: "ml", active: 1)
        #expect(throws: nothing) { try store.rollback(model: "ml") }
        #expect(try store.activeVersion(of: "ml") == 1)
        #expect(try store.activations(of: "other") == [1])
        #expect(throws: CheckpointError.modelNotFound(model: "no", available: ["ml", "other"])) {
            try store.rollback(model: "no")
        }
        _ = try store.publish(Fixtures.checkpoint(7, model: "idle"), activate: false)
        #expect(throws: CheckpointError.nothingToRollBackTo(model: "idle", active: nil)) {
            try store.rollback(model: "idle")
        }
    }

    /// A model of a store's behaviour, in plain arrays.
    private struct Expectation {
        var versions: [Int] = []
        var highest = 0
        var stack: [Int] = []
        var aliased: Set<Int> = []

        mutating func activate(_ version: Int) {
            if stack.last != version { stack.append(version) }
        }

        mutating func prune(_ count: Int) -> [Int] {
            let kept = Set(versions.suffix(count)).union(stack.suffix(2)).union(aliased)
            let removed = versions.filter { !kept.contains($0) }
            versions.removeAll { !kept.contains($0) }
            let remaining = stack.filter(kept.contains)
            stack = remaining.enumerated().filter { $0 == 0 || remaining[$0 - 1] != $1 }.map(\.element)
            return removed
        }
    }

    @Test("any sequence of operations gives the same state as plain arrays", arguments: 0..<6)
    func property(seed: UInt64) throws {
        let store = try directory.store(chunkBytes: 4096)
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        var expected = Expectation()
        for _ in 0..<40 {
            switch Int.random(in: 0..<8, using: &generator) {
            case 0, 1, 2:
                let activate = Bool.random(using: &generator)
                expected.highest += 1
                expected.versions.append(expected.highest)
                if activate { expected.activate(expected.highest) }
                let version = try store.publish(Fixtures.checkpoint(expected.highest), activate: activate)
                #expect(version == expected.highest)
            case 3, 4:
                guard let version = expected.versions.randomElement(using: &generator) else { continue }
                expected.activate(version)
                try store.activate(model: "ml", version: version)
            case 5:
                guard !expected.versions.isEmpty else { continue }
                if expected.stack.count > 1 {
                    expected.stack.removeLast()
                    #expect(try store.rollback(model: "ml") == expected.stack.last)
                } else {
                    #expect(throws: CheckpointError.self) { try store.rollback(model: "ml") }
                }
            case 6:
                guard let version = expected.versions.randomElement(using: &generator) else { continue }
                expected.aliased = [version]
                let split = [Alias.Share(version: version, percent: 100)]
                _ = try store.setAlias(Alias(name: "stable", model: "ml", split: split))
            default:
                guard !expected.versions.isEmpty else { continue }
                let count = Int.random(in: 1...4, using: &generator)
                let removed = expected.prune(count)
                #expect(try store.prune(model: "ml", keeping: count) == removed)
            }
            guard !expected.versions.isEmpty else { continue }
            #expect(try store.versions(of: "ml").map(\.manifest.version) == expected.versions)
            #expect(try store.activations(of: "ml") == expected.stack)
            #expect(try store.activeVersion(of: "ml") == expected.stack.last)
            #expect(try store.rollbackTarget(of: "ml") == expected.stack.dropLast().last)
        }
        for version in expected.versions {
            expectSame(try store.load(model: "ml", version: version), Fixtures.checkpoint(version))
        }
        if let version = expected.versions.first { try store.verify(model: "ml", version: version) }
    }

    @Test("a removal leaves no rows behind, and a reader that holds the version keeps it")
    func removal() throws {
        let store = try directory.store()
        for tag in 1...5 { _ = try store.publish(Fixtures.checkpoint(tag)) }
        let reader = try directory.store(readOnly: true)
        #expect(try reader.versions(of: "ml").count == 5)
        #expect(try store.prune(model: "ml", keeping: 1) == [1, 2, 3])
        #expect(try reader.versions(of: "ml").map(\.manifest.version) == [4, 5])
        #expect(throws: CheckpointError.versionNotFound(model: "ml", version: 2, available: [4, 5])) {
            try reader.load(model: "ml", version: 2)
        }
        let bundles = try DatabaseQueue(path: directory.path()).read { db in
            try ["bundle", "version", "activation"].map { try Int.fetchOne(db, sql: "SELECT count(*) FROM \($0)") }
                + [Int.fetchOne(db, sql: "SELECT count(DISTINCT bundle) FROM blob")]
        }
        #expect(bundles == [2, 2, 2, 2])
        #expect(try store.prune(model: "ml", keeping: 1) == [])
        #expect(try store.publish(Fixtures.checkpoint(6)) == 6)
        #expect(throws: CheckpointError.readOnly(path: directory.path())) {
            try reader.prune(model: "ml", keeping: 1)
        }
    }

    @Test("the file stops growing if each version is pruned after the next, and shrinks when most of it is free")
    func boundedSize() throws {
        let store = try directory.store(chunkBytes: 4096)
        func publish(_ tag: Int) throws {
            var checkpoint = Fixtures.checkpoint(tag)
            checkpoint.parameters["large"] = Matrix(rows: 1000, columns: 40, repeating: Float(tag))
            _ = try store.publish(checkpoint)
        }
        func pages() throws -> Int {
            try DatabaseQueue(path: directory.path()).read { try Int.fetchOne($0, sql: "PRAGMA page_count") ?? 0 }
        }
        var sizes: [Int] = []
        for round in 1...30 {
            try publish(round)
            _ = try store.prune(model: "ml", keeping: 2)
            sizes.append(try pages())
        }
        #expect(sizes.suffix(20).max() == sizes[9], "rounds 11 to 30 need no more space than round 10")
        for round in 31...50 { try publish(round) }
        let full = try pages()
        _ = try store.prune(model: "ml", keeping: 1)
        #expect(try pages() * 4 < full)
        try store.verify(model: "ml")
        #expect(try store.load(model: "ml").manifest.trainRows == 1050)
    }
}
