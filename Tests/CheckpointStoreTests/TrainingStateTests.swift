import CheckpointStore
import Foundation
import GRDB
import Kernels
import Testing

@Suite("training state") struct TrainingStateTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func isSame(_ found: TrainingState?, _ expected: TrainingState) -> Bool {
        guard var found else { return false }
        var expected = expected
        func bits(_ state: TrainingState) -> [String: [UInt32]] {
            state.matrices.mapValues { $0.shape.map { UInt32($0) } + $0.elements.map(\.bitPattern) }
        }
        guard bits(found) == bits(expected) else { return false }
        (found.matrices, expected.matrices) = ([:], [:])
        return found == expected
    }

    private func rows(_ table: String) throws -> Int? {
        try DatabaseQueue(path: directory.path()).read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table)") }
    }

    @Test("a state is read back, replaced and removed, separately for each model")
    func replace() throws {
        let store = try directory.store()
        #expect(try store.trainingState(model: "ml") == nil)
        try store.saveTrainingState(model: "ml", state: Fixtures.state(1))
        try store.saveTrainingState(model: "other", state: Fixtures.state(9))
        #expect(isSame(try store.trainingState(model: "ml"), Fixtures.state(1)))
        for tag in 2...5 {
            try store.saveTrainingState(model: "ml", state: Fixtures.state(tag))
            #expect(isSame(try store.trainingState(model: "ml"), Fixtures.state(tag)))
        }
        #expect(try rows("bundle") == 2, "the replaced state is removed")
        #expect(try rows("blob") == 4)
        #expect(try store.models().isEmpty)
        try store.close()
        let reopened = try directory.store()
        #expect(isSame(try reopened.trainingState(model: "ml"), Fixtures.state(5)))
        try reopened.removeTrainingState(model: "ml")
        try reopened.removeTrainingState(model: "ml")
        #expect(try reopened.trainingState(model: "ml") == nil)
        #expect(isSame(try reopened.trainingState(model: "other"), Fixtures.state(9)))
        try reopened.removeTrainingState(model: "other")
        for table in ["bundle", "blob", "chunk", "training_state"] { #expect(try rows(table) == 0) }
    }

    @Test("a training state does not affect versions")
    func besideVersions() throws {
        let store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint(1))
        try store.saveTrainingState(model: "ml", state: Fixtures.state())
        _ = try store.publish(Fixtures.checkpoint(2))
        try store.removeTrainingState(model: "ml")
        for version in [1, 2] { try store.verify(model: "ml", version: version) }
    }

    @Test("a replacement that fails keeps the former state")
    func failingReplacement() throws {
        let store = try directory.store()
        try store.saveTrainingState(model: "ml", state: Fixtures.state(1))
        for (event, table) in [("INSERT", "bundle"), ("UPDATE", "training_state"), ("DELETE", "bundle")] {
            try directory.execute(
                "CREATE TRIGGER hostile BEFORE \(event) ON \(table) BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
            #expect(throws: CheckpointError.self) { try store.saveTrainingState(model: "ml", state: Fixtures.state(2)) }
            try directory.execute("DROP TRIGGER hostile")
            #expect(isSame(try store.trainingState(model: "ml"), Fixtures.state(1)))
        }
    }

    @Test("flipped bits and the state of another model are errors")
    func damage() throws {
        let store = try directory.store(chunkBytes: 1024)
        try store.saveTrainingState(model: "ml", state: Fixtures.state(3))
        try store.saveTrainingState(model: "other", state: Fixtures.state(4))
        try store.close()
        let bytes = try directory.bytes()
        let matrix = Matrix(rows: 40, columns: 3, repeating: 3)
        let range = try #require(Data(bytes).range(of: Data(matrix.littleEndianBytes(ofElements: 0..<120))))
        for position in stride(from: range.lowerBound, to: range.upperBound, by: 7) {
            var damaged = bytes
            damaged[position] ^= 4
            let copy = try TemporaryDirectory()
            let reader = try CheckpointStore(path: copy.write(damaged, to: "store.sqlite"), readOnly: true)
            #expect(throws: CheckpointError.self) { try reader.trainingState(model: "ml") }
            #expect(isSame(try reader.trainingState(model: "other"), Fixtures.state(4)))
        }
        try directory.execute(
            "PRAGMA foreign_keys = OFF; UPDATE training_state SET bundle = -bundle; UPDATE training_state SET bundle = 3 + bundle"
        )
        let swapped = try directory.store(readOnly: true)
        #expect(throws: CheckpointError.self) { try swapped.trainingState(model: "ml") }
    }

    @Test("a state that is written and read in rows is that of whole matrices", arguments: [4, 12, 20, 64, 4096])
    func rows(chunkBytes: Int) throws {
        let store = try directory.store(chunkBytes: chunkBytes)
        var state = Fixtures.state(1)
        let table = Matrix(rows: 41, columns: 3, elements: (0..<123).map { Float($0) })
        let source = RowSource(rows: 41, columns: 3) { table.rows($0) }
        try store.saveTrainingState(model: "ml", state: state, with: ["table": source])
        state.matrices["table"] = table
        #expect(isSame(try store.trainingState(model: "ml"), state))
        for ranges in [[0..<41], [0..<1, 1..<40, 40..<41], (0..<41).map { $0..<$0 + 1 }] {
            let parts = try store.readTrainingState(model: "ml") { stored in
                #expect(stored.header == state.header && stored.shapes.map(\.name) == ["m/w", "table", "w"])
                var parts: [Matrix] = []
                try stored.eachRows(of: "table", in: ranges) { parts.append($0) }
                return parts
            }
            #expect(parts == ranges.map { table.rows($0) })
        }
        #expect(try store.readTrainingState(model: "other") { $0.shapes.count } == nil)
    }

    @Test("an error of a source leaves the earlier state") func failingSource() throws {
        struct Lost: Error {}
        let store = try directory.store()
        try store.saveTrainingState(model: "ml", state: Fixtures.state(1))
        let source = RowSource(rows: 9, columns: 3) { range in
            guard range.lowerBound < 5 else { throw Lost() }
            return Matrix(rows: range.count, columns: 3)
        }
        #expect(throws: CheckpointError.self) {
            try store.saveTrainingState(model: "ml", state: Fixtures.state(2), with: ["table": source])
        }
        #expect(isSame(try store.trainingState(model: "ml"), Fixtures.state(1)))
    }

    @Test("the stored header is one object with the model's name") func header() throws {
        try directory.store().saveTrainingState(model: "ml", state: Fixtures.state(1))
        let stored = try DatabaseQueue(path: directory.path()).read { db in
            try Data.fetchOne(db, sql: "SELECT header FROM bundle")
        }
        let fields = try JSONSerialization.jsonObject(with: #require(stored)) as? [String: Any]
        #expect(Set((fields ?? [:]).keys) == ["model", "recipe", "fingerprint", "seed", "step", "json"])
    }
}
