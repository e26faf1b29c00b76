import Kernels
import Serving
import VectorIndex

extension ShardPublication {
    /// The least effort that reaches a recall, its recall, and that for made-up histories if the others are real.
    func tunedEffort(
        of model: ServedModel,
        _ relation: String,
        _ options: Options,
        _ precision: IndexPrecision,
        _ counts: [Int]
    ) throws -> (effort: Int, recall: Double, madeUpRecall: Double?) {
        let k = min(50, model.itemVectors.rows)
        let exact = try FlatIndex(vectors: model.itemVectors)
        func truths(_ queries: [[Float]]) -> [Set<Int32>] {
            queries.map { Set(exact.search($0.span, k: k).map(\.id)) }
        }
        func recall(_ effort: Int, _ queries: [[Float]], _ truths: [Set<Int32>]) throws -> Double {
            let source = ShardSource(
                shards: shards,
                relation: relation,
                kind: options.kind,
                precision: precision,
                effort: effort,
                iterates: false,
                timeout: 60_000_000_000
            )
            let index = try ExternalIndex(vectors: model.itemVectors, source: source)
            var found = 0
            let workspace = SearchWorkspace()
            for (query, truth) in zip(queries, truths) {
                workspace.beginAnswer()
                index.search(query.span, k: k, effort: nil, among: Eligibility(), in: workspace)
                // Too few candidates make the index score all items itself, which is no merit of the effort.
                if !workspace.fellBack { found += workspace.results.count { truth.contains($0.id) } }
            }
            return Double(found) / Double(queries.count * k)
        }
        let madeUp = model.userVectors(of: model.madeUpHistories(64))
        let queries = options.histories.isEmpty ? madeUp : model.userVectors(of: options.histories)
        let wanted = truths(queries)
        var best = (effort: 1, recall: 0.0)
        let lists = options.lists(rows: counts.max() ?? 1, dimension: model.itemVectors.columns)
        for effort in SearchIndexKind.efforts(upTo: options.kind == .hnsw ? 1000 : lists) {
            let reached = try recall(effort, queries, wanted)
            if reached > best.recall || best.recall == 0 { best = (effort, reached) }
            if reached >= options.recall { break }
        }
        guard !options.histories.isEmpty else { return (best.effort, best.recall, nil) }
        return (best.effort, best.recall, try recall(best.effort, madeUp, truths(madeUp)))
    }
}

extension SearchIndexKind {
    /// Efforts to try, ascending by about a third.
    fileprivate static func efforts(upTo most: Int) -> [Int] {
        var efforts = [
            1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 80, 100, 128, 160, 200, 256, 320, 400, 512, 640, 800, 1000,
        ]
        efforts.removeAll { $0 >= most }
        return efforts + [most]
    }
}

extension ServedModel {
    /// Histories that walk through the catalogue.
    fileprivate func madeUpHistories(_ count: Int) -> [[Int32]] {
        (0..<count).map { number in
            let length = 1 + number % encoder.historyLength
            return (0..<length).map { Int32((number * 7919 + $0 * 31) % itemVectors.rows) }
        }
    }

    /// The vectors of users with some histories.
    fileprivate func userVectors(of histories: [[Int32]]) -> [[Float]] {
        let workspace = encoder.makeWorkspace()
        return histories.enumerated().map { number, history in
            let newest = history.suffix(encoder.historyLength)
            workspace.removeAll()
            encoder.add(history: newest, seed: UInt64(number), steps: encoder.maxSteps, samples: 1, to: workspace)
            encoder.generate(in: workspace)
            return Array(workspace.userVectors.prefix(encoder.dimension))
        }
    }
}
