import CheckpointStore
import Foundation
import Kernels
import Testing
import Training

@Suite("Made-up logs") struct MadeUpLogTests {
    @Test("a log is split eight to one to one, is the same for the same seed, and has items of its catalogue")
    func shape() throws {
        let log = try #require(MadeUpLog.all.first { $0.name == "few rows" })
        let data = log.data(seed: 1)
        #expect(data.split.train.sequences.count == 320)
        #expect(data.split.validation.sequences.count == 40 && data.split.test.sequences.count == 40)
        #expect(data.split == log.data(seed: 1).split && data.split != log.data(seed: 2).split)
        for part in [data.split.train, data.split.validation, data.split.test] {
            #expect(part.sequences.ids.allSatisfy { 0..<Int32(data.catalogue.count) ~= $0 })
            #expect(part.sequences.lengths.allSatisfy { $0 >= 2 })
        }
    }

    @Test("each log has the trait of its name") func traits() throws {
        func sequences(_ name: String) throws -> RaggedRows {
            try #require(MadeUpLog.all.first { $0.name == name }).data(seed: 3).split.train.sequences
        }
        /// The share of events that repeat an earlier item of their sequence.
        func repeats(_ rows: RaggedRows) -> Double {
            let fresh = (0..<rows.count).reduce(0) { $0 + Set(rows[$1]).count }
            return 1 - Double(fresh) / Double(rows.ids.count)
        }
        #expect(try repeats(sequences("repeats")) > 3 * repeats(sequences("transitions")))
        let histories = try sequences("histories").lengths
        #expect(histories.reduce(0, +) > 60 * histories.count)
        // In a log that drifts, the first and the last tenth share few items.
        func overlap(_ rows: RaggedRows) -> Double {
            func items(_ range: Range<Int>) -> Set<Int32> { Set(range.flatMap { rows[$0] }) }
            let (first, last) = (items(0..<rows.count / 10), items(rows.count * 9 / 10..<rows.count))
            return Double(first.intersection(last).count) / Double(last.count)
        }
        #expect(try overlap(sequences("drift")) < 0.15)
        #expect(try overlap(sequences("transitions")) > 0.5)
    }

    @Test("the benchmark judges what is served, read-outs and simple systems on the same rows") func benchmark() throws
    {
        let path = FileManager.default.temporaryDirectory.appending(path: "dimerec-\(UUID().uuidString).sqlite").path
        defer { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) } }
        let log = try #require(MadeUpLog.all.first { $0.name == "few rows" })
        let benchmark = RobustnessBenchmark(
            seed: 1,
            budget: TrainingBudget(steps: 5),
            store: try CheckpointStore(path: path)
        )
        let result = try benchmark.run(on: log.data(seed: 1))
        #expect(result.readOuts.first?.name == "served" && result.rows > 100)
        #expect(
            result.simple.map(\.name) == [
                "popularity", "session-popularity", "transitions", "item-knn", "vsknn", "ease",
            ]
        )
        for accuracy in result.readOuts + result.simple {
            #expect(0...1 ~= accuracy.hitRate && 0...accuracy.hitRate ~= accuracy.reciprocalRank)
        }
    }
}
