import Kernels
import Serving
import VectorIndex

extension ShardPublication {
    /// A user's vector, and the items that an exact search finds for it without those of the history, as requests leave
    /// them out by default.
    private struct Query {
        let vector: [Float]
        let history: [Int32]
        let truth: Set<Int32>
    }

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
        func queries(_ histories: [[Int32]]) -> [Query] {
            zip(histories, model.userVectors(of: histories)).map { history, vector in
                let truth = exact.search(vector.span, k: k, excluding: history).map(\.id)
                return Query(vector: vector, history: history, truth: Set(truth))
            }
        }
        func recall(_ effort: Int, _ queries: [Query]) throws -> Double {
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
            for query in queries {
                workspace.beginAnswer()
                let eligible = Eligibility(excluded: query.history)
                index.search(query.vector.span, k: k, effort: nil, among: eligible, in: workspace)
                // Too few candidates make the index score all items itself, which is no merit of the effort.
                if !workspace.fellBack { found += workspace.results.count { query.truth.contains($0.id) } }
            }
            return Double(found) / Double(max(1, queries.reduce(0) { $0 + $1.truth.count }))
        }
        let madeUp = queries(model.madeUpHistories(64))
        let wanted = options.histories.isEmpty ? madeUp : queries(options.histories)
        var best = (effort: 1, recall: 0.0)
        let lists = options.lists(rows: counts.max() ?? 1, dimension: model.itemVectors.columns)
        for effort in SearchIndexKind.efforts(upTo: options.kind == .hnsw ? 1000 : lists) {
            let reached = try recall(effort, wanted)
            if reached > best.recall || best.recall == 0 { best = (effort, reached) }
            if reached >= options.recall { break }
        }
        guard !options.histories.isEmpty else { return (best.effort, best.recall, nil) }
        return (best.effort, best.recall, try recall(best.effort, madeUp))
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
