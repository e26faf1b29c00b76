import CheckpointStore
import Foundation
import Kernels
import Testing
import Training

/// The shared research data next to the repository, if present.
private enum SharedData {
    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "../shared/data").standardizedFileURL

    static func path(_ file: String) -> String { folder.appending(path: file).path }

    static var isThere: Bool { FileManager.default.fileExists(atPath: path("ml-1m/events.csv")) }
}

@Suite(
    "Real data",
    .enabled(if: SharedData.isThere, "put the data sets into ../shared/data beside the repository to run these")
)
struct RealDataTests {
    @Test("ml-1m loads whole and divides by users") func movieLens() throws {
        var vocabulary = ItemVocabulary()
        let clock = ContinuousClock()
        let start = clock.now
        let dataset = try InteractionDataset.load(events: SharedData.path("ml-1m/events.csv"), vocabulary: &vocabulary)
        print("ml-1m loaded in \(clock.now - start), digest \(dataset.digest)")
        #expect((dataset.userCount, vocabulary.count, dataset.eventCount) == (6_040, 3_706, 1_000_209))
        let split = DataSplit(dataset, by: .users, seed: 42)
        let windows = TrainingWindows(split.train.sequences, historyLength: 50, wholeWindows: true)
        #expect(windows.targets == split.train.sequences.ids.count - split.train.userIDs.count)
        let metadata = try ItemMetadata.load(items: SharedData.path("ml-1m/items.csv"))
        let catalogue = metadata.catalogue(of: vocabulary)
        #expect(metadata.categoryNames.count == 18)
        #expect(catalogue.titles.allSatisfy { !$0.isEmpty } && catalogue.categories.allSatisfy { !$0.isEmpty })

        var diversity = Diversity(items: vocabulary.count, categories: catalogue.categories)
        let transitions = TransitionPredictor(sequences: split.train.sequences, items: vocabulary.count)
        diversity.add(ranking: transitions.popularity.order)
        print("popular: \(diversity.values)")
        let asked = EvaluationRows(split.test, protocol: .fiveCuts)
        report("ml-1m test, five cuts, popularity", transitions.popularity.metrics(on: asked))
        report("ml-1m test, five cuts, transitions", transitions.metrics(on: asked))
        report("ml-1m test, five cuts, repeat last", RepeatLastPredictor().metrics(on: asked))
    }

    @Test("a batch of ml-1m draws no negative from its user's items") func negatives() throws {
        var vocabulary = ItemVocabulary()
        let dataset = try InteractionDataset.load(events: SharedData.path("ml-1m/events.csv"), vocabulary: &vocabulary)
        let windows = TrainingWindows(dataset.sequences, historyLength: 50, wholeWindows: false)
        let sampler = NegativeSampler(sequences: dataset.sequences, items: vocabulary.count, seed: 1)
        let clock = ContinuousClock()
        let start = clock.now
        for step in 0..<20 {
            let batch = windows.step(step, size: 256, seed: 1)
            let users = batch.map(\.user)
            let targets = batch.map {
                dataset.sequences[$0.user][dataset.sequences.offsets[$0.user] + $0.targets.lowerBound]
            }
            let pool = sampler.uniformPool(step: step, count: 2_560).items
            let masked = sampler.maskedColumns(SharedPool(items: pool), users, targets)
            let negatives = try sampler.privateNegatives(streams: batch.map(\.stream), users: users, count: 10)
            guard step == 19 else { continue }
            print("a batch with its pool, masks and private negatives takes \((clock.now - start) / 20)")
            for row in batch.indices {
                let own = Set(sampler.items(of: users[row]))
                #expect(masked[row].sorted() == pool.indices.filter { own.contains(pool[$0]) }.map(Int32.init))
                #expect(own.isDisjoint(with: negatives[row * 10..<(row + 1) * 10]) && own.contains(targets[row]))
            }
        }
    }

    @Test("yoochoose has the counts of its description, and strong trivial predictors") func yoochoose() throws {
        var vocabulary = ItemVocabulary()
        func load(_ part: String, _ unknown: UnknownItems) throws -> InteractionDataset {
            try InteractionDataset.load(
                events: SharedData.path("yoochoose-1-64/\(part).csv"),
                vocabulary: &vocabulary,
                unknownItems: unknown
            )
        }
        let (train, validation) = (try load("train", .extend), try load("validation", .extend))
        let test = try load("test", .mark)
        #expect([train, validation, test].map(\.userCount) == [104_550, 11_617, 15_324])
        #expect([train, validation, test].map(\.eventCount).reduce(0, +) == 557_248)
        let learnt = DataSplit(train: train, validation: validation, test: test)
        let asked = EvaluationRows(learnt.test, protocol: .allPrefixes)
        print(
            "yoochoose: \(vocabulary.count) known items, \(test.unknownItems) unknown ones in test "
                + "(\(test.unknownEvents) events, \((0..<asked.count).count { asked.target(of: $0) == nil }) targets)"
        )
        for (name, parts) in [("train", [train]), ("train + validation", [train, validation])] {
            let sequences = RaggedRows(parts.flatMap { part in (0..<part.userCount).map { part.sequences[$0] } })
            let transitions = TransitionPredictor(sequences: sequences, items: vocabulary.count)
            report("yoochoose test from \(name), popularity", transitions.popularity.metrics(on: asked))
            report("yoochoose test from \(name), transitions", transitions.metrics(on: asked))
            #expect(transitions.metrics(on: asked).hitRate(at: 20) > 0.3)
        }
        report("yoochoose test, repeat last", RepeatLastPredictor().metrics(on: asked))
    }

    private func report(_ name: String, _ metrics: RankingMetrics) {
        let values = metrics.values.sorted { $0.key < $1.key }
            .map { "\($0.key) \(($0.value * 10_000).rounded() / 100)" }.joined(separator: ", ")
        print("\(name): \(metrics.rows) rows, percent: \(values)")
    }
}
