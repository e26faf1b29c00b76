import CheckpointStore
import Foundation
import Kernels
import Recommenders

/// The measure by which an old and a new version are compared.
public enum JudgedMeasure: String, Codable, Sendable, CaseIterable {
    /// The share of rows with the target among the first 20.
    case hitRate = "hr@20"
    /// The mean of `1 / rank` of the target, 0 beyond rank 20.
    case reciprocalRank = "mrr@20"
    /// The mean of `1 / log2(rank + 1)` of the target, 0 beyond rank 20.
    case discountedGain = "ndcg@20"

    /// The value of one row, whose target has so many items before it.
    func value(before rank: UInt8) -> Double {
        guard rank < 20 else { return 0 }
        switch self {
        case .hitRate: return 1
        case .reciprocalRank: return 1 / Double(rank + 1)
        case .discountedGain: return 1 / log2(Double(rank) + 2)
        }
    }
}

/// A model that ranks its own catalogue, to be compared with another on the same rows.
struct JudgedModel {
    let model: CountedRecommender
    let ids: [String]
    let popularity: [Int32]

    init(model: CountedRecommender, ids: [String], popularity: [Int32]) {
        (self.model, self.ids, self.popularity) = (model, ids, popularity)
    }

    /// The model of a version.
    init(_ checkpoint: Checkpoint) throws {
        let recipe = try Recipe(stored: checkpoint.manifest.recipe)
        self.init(
            model: try recipe.model(stored: checkpoint.parameters, items: checkpoint.catalogue.count),
            ids: checkpoint.catalogue.ids,
            popularity: checkpoint.popularity
        )
    }

    /// The value of a measure for each row; a target that the catalogue does not have is a miss.
    func values(_ measure: JudgedMeasure, on rows: EvaluationRows) -> [Double] {
        let evaluator = Evaluator(
            rows: rows,
            historyLength: model.system.historyLength,
            popularity: PopularityPredictor(order: popularity, items: ids.count)
        )
        let result = evaluator.evaluate(
            model.system,
            readOut: .served,
            counts: model.counts,
            noiseSeed: Evaluator.validationNoiseSeed
        )
        return result.ranks.map { measure.value(before: $0) }
    }
}

extension DividedLog {
    /// The most rows that are ranked.
    static let mostRows = 10_000

    /// The fewest users whose differences tell how certain their mean is.
    static let fewestUsers = 10

    /// Compares two models on the newer events, by a paired bootstrap over users.
    ///
    /// With fewer than ``fewestUsers`` users it draws events: one user drawn again and again has no spread at all, and a
    /// version would be worse, or not, by a single event.
    ///
    /// - Parameters:
    ///   - old: The model in use.
    ///   - new: The candidate.
    ///   - measure: The compared measure.
    ///   - replaced: The version of the old model.
    /// - Returns: The means of both, and the interval of the difference.
    /// - Precondition: There is a row.
    func judgement(
        _ old: JudgedModel,
        _ new: JudgedModel,
        by measure: JudgedMeasure,
        replaced: Int
    ) -> VersionJudgement {
        let (oldRows, newRows) = (rows(for: old.ids, limit: Self.mostRows), rows(for: new.ids, limit: Self.mostRows))
        let (oldValues, newValues) = (old.values(measure, on: oldRows), new.values(measure, on: newRows))
        var numbers: [Int: Int] = [:]
        let userOfRow = (0..<newRows.count).map { row in
            let user = newRows.user(of: row)
            let number = numbers[user] ?? numbers.count
            numbers[user] = number
            return number
        }
        let drawn = numbers.count < Self.fewestUsers ? Array(userOfRow.indices) : userOfRow
        let difference = PairedBootstrap(userOfRow: drawn).differences(from: oldValues, of: [newValues])[0]
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        return VersionJudgement(
            replaced: replaced,
            measure: measure.rawValue,
            rows: newValues.count,
            users: numbers.count,
            unknown: (0..<newRows.count).count { oldRows.target(of: $0) == nil && newRows.target(of: $0) == nil },
            old: mean(oldValues),
            new: mean(newValues),
            low: difference.low,
            high: difference.high
        )
    }
}
