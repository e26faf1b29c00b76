public import CheckpointStore
import Foundation
public import Kernels
public import Recommenders

/// A trained version on held-out rows, as a page: its learning curve, its figures by segment, examples of its answers, and
/// the figures of simpler systems on the same rows.
public struct ModelReport: Sendable {
    /// The version.
    public let manifest: CheckpointManifest
    /// The protocol of the rows.
    public let `protocol`: EvaluationProtocol
    /// HR@20 and MRR@20 of all rows.
    public let overall: Segment
    /// The rows by the number of known items before the target.
    public let byHistory: [Segment]
    /// The rows by the popularity of the target in the training part.
    public let byPopularity: [Segment]
    /// Rows with their answers.
    public let examples: [Example]
    /// Simpler systems on the same rows; nil without the training part.
    public let baselines: BaselineComparison?

    /// The figures of some rows.
    public struct Segment: Sendable, Equatable {
        /// The common trait of the rows.
        public let name: String
        /// Number of rows.
        public let rows: Int
        /// HR@20; 0 without rows.
        public let hitRate: Double
        /// MRR@20; 0 without rows.
        public let reciprocalRank: Double
    }

    /// A row with its answer: titles, or ids of items without a title.
    public struct Example: Sendable, Equatable {
        /// The newest items before the target, oldest first.
        public let history: [String]
        /// The item that came next.
        public let target: String
        /// The first items of the answer, without those of the history.
        public let answer: [String]
    }

    /// The most rows that are ranked.
    static let mostRows = 2000

    /// Ranks and compares.
    ///
    /// - Parameters:
    ///   - checkpoint: The version; its parameters are not used.
    ///   - model: The model of the version.
    ///   - part: The held-out rows' sequences.
    ///   - protocol: Which of their prefixes are rows.
    ///   - train: The sequences of the training part, in the numbers of the catalogue; nil to leave out simpler systems.
    /// - Precondition: There is at least one row.
    public init(
        _ checkpoint: Checkpoint,
        _ model: CountedRecommender,
        on part: DataPart,
        protocol: EvaluationProtocol,
        train: RaggedRows?
    ) {
        let all = EvaluationRows(part, protocol: `protocol`)
        let rows = EvaluationRows(all, limit: Self.mostRows)
        let items = checkpoint.catalogue.count
        let popularity = PopularityPredictor(order: checkpoint.popularity, items: items)
        let ranks = Evaluator(rows: rows, historyLength: model.system.historyLength, popularity: popularity).evaluate(
            model.system,
            readOut: .served,
            counts: model.counts,
            noiseSeed: Evaluator.validationNoiseSeed
        ).ranks
        func segment(_ name: String, _ isMember: (Int) -> Bool) -> Segment {
            let own = ranks.indices.filter(isMember)
            func mean(_ measure: JudgedMeasure) -> Double {
                own.isEmpty ? 0 : own.reduce(0) { $0 + measure.value(before: ranks[$1]) } / Double(own.count)
            }
            return Segment(name: name, rows: own.count, hitRate: mean(.hitRate), reciprocalRank: mean(.reciprocalRank))
        }
        let lengths = ranks.indices.map { rows.history(of: $0, limit: .max).count }
        let places = ranks.indices.map { row in
            rows.target(of: row).map { popularity.rank(of: $0, after: nil) ?? items }
        }
        manifest = checkpoint.manifest
        self.protocol = `protocol`
        overall = segment("all rows") { _ in true }
        byHistory = Self.lengths.map { name, range in segment(name) { range.contains(lengths[$0]) } }
        byPopularity = [
            segment("the most popular tenth of the items") { places[$0].map { $0 * 10 < items } ?? false },
            segment("the next four tenths") { places[$0].map { $0 * 10 >= items && $0 * 2 < items } ?? false },
            segment("the other half") { places[$0].map { $0 * 2 >= items } ?? false },
            segment("not in the catalogue") { places[$0] == nil },
        ]
        examples = Self.examples(of: model, rows, checkpoint.catalogue)
        baselines = train.map { train in
            BaselineComparison(train: train, rows: rows, of: all.count, items: items, protocol: `protocol`)
        }
    }

    /// Numbers of known items before a target.
    private static let lengths: [(name: String, range: Range<Int>)] = [
        ("none known: a new user", 0..<1), ("1 to 2", 1..<3), ("3 to 5", 3..<6), ("6 to 10", 6..<11),
        ("11 to 20", 11..<21), ("21 to 50", 21..<51), ("more than 50", 51..<Int.max),
    ]

    /// How many examples there are, how many items of a history they show, and how many of an answer.
    private static let (exampleCount, shownHistory, shownAnswer) = (8, 5, 5)

    private static func examples(
        of model: CountedRecommender,
        _ rows: EvaluationRows,
        _ catalogue: Catalogue
    ) -> [Example] {
        let known = (0..<rows.count).filter { !rows.history(of: $0, limit: 1).isEmpty && rows.target(of: $0) != nil }
        let count = min(exampleCount, known.count)
        guard count > 0 else { return [] }
        let chosen = (0..<count).map { known[$0 * known.count / count] }
        let noise = NoiseSource(seed: Evaluator.validationNoiseSeed, streams: chosen.map(UInt64.init))
        let histories = RaggedRows(chosen.map { rows.history(of: $0, limit: model.system.historyLength) })
        let users = model.system.userVectors(histories, noise: noise, readOut: .served)
        var scores = model.system.itemSpace.scores(of: users)
        model.counts?.add(
            to: &scores,
            histories: RaggedRows(chosen.map { rows.history(of: $0, limit: CountScores.historyLength) })
        )
        func text(_ item: Int32) -> String {
            let title = catalogue.titles.isEmpty ? "" : catalogue.titles[Int(item)]
            return (title.isEmpty ? catalogue.ids[Int(item)] : title).printable
        }
        return chosen.enumerated().map { line, row in
            let history = rows.history(of: row, limit: .max)
            let seen = Set(history)
            var top = TopK(k: shownAnswer)
            let line = scores.row(line)
            top.offer(line, count: line.count) { seen.contains(Int32($0)) ? nil : Int32($0) }
            return Example(
                history: history.suffix(shownHistory).map(text),
                target: rows.target(of: row).map(text) ?? "",
                answer: top.sorted().map { text($0.id) }
            )
        }
    }

    /// The report as one HTML page that needs nothing else; ids and titles in it are escaped.
    public var html: String {
        ReportPage(title: "\(manifest.model) version \(manifest.version)", sections: sections).html
    }

    /// Writes the page atomically; replaces a file of that name.
    public func writePage(to path: String) throws { try DurableFile.write(Data(html.utf8), to: path) }
}
