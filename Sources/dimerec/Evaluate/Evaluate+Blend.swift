public import ArgumentParser
public import CheckpointStore
import Foundation
import Recommenders
import Training

extension SourceBlend.Fusion: ExpressibleByArgument {}

extension Evaluate {
    /// Fits the weights of several models on the validation part and judges their merged lists on the test part.
    func judgeBlend(_ names: [String]) throws {
        let store = try CheckpointStore(path: self.store, readOnly: true)
        let checkpoints = try names.map { try store.load(model: $0, version: nil) }
        let leading = try blendMember(checkpoints[0])
        let members = [leading] + (try checkpoints.dropFirst().map(blendMember))
        let `protocol` = self.protocol ?? leading.recipe.data.evaluation.suited(to: leading.parts[1].targets)
        func evaluation(_ part: Int) throws -> BlendEvaluation {
            let numbers = Dictionary(zip(checkpoints[0].catalogue.ids, Int32(0)...)) { first, _ in first }
            let models = try members.enumerated().map { position, member in
                let data = member.parts[part]
                guard `protocol`.suits(data.targets) else {
                    throw HeldOutError.protocolMismatch(
                        protocol: `protocol`.rawValue,
                        split: checkpoints[position].manifest.data.split
                    )
                }
                guard data.userIDs == leading.parts[part].userIDs else {
                    throw ValidationError(
                        "'\(names[position])' and '\(names[0])' split these events differently; train both on the same "
                            + "events with the same split and seed."
                    )
                }
                let rows = EvaluationRows(data, protocol: `protocol`)
                guard rows.count > 0 else {
                    let name = part == 0 ? SplitPart.validation.rawValue : SplitPart.test.rawValue
                    throw HeldOutError.noRows(part: name, users: data.userIDs.count)
                }
                return BlendEvaluation.Model(
                    name: names[position],
                    model: member.model,
                    rows: rows,
                    numbers: checkpoints[position].catalogue.ids.map { numbers[$0] ?? -1 }
                )
            }
            return BlendEvaluation(
                models,
                fusion: fusion,
                constant: constant,
                window: window,
                filterHistory: filterHistory
            )
        }
        let fitted = try evaluation(0).fit()
        let singles = names.indices.map { own in names.indices.map { $0 == own ? 1.0 : 0 } }
        let equal = names.map { _ in 1.0 }
        let judged = try evaluation(1).metrics([fitted.weights, equal] + singles)
        report(names, checkpoints.map(\.manifest.version), fitted, judged, `protocol`)
    }

    /// A stored model with its validation and test parts.
    private struct BlendMember {
        let recipe: Recipe
        let model: CountedRecommender
        let parts: [DataPart]
    }

    private func blendMember(_ checkpoint: Checkpoint) throws -> BlendMember {
        let recipe = try Recipe(stored: checkpoint.manifest.recipe)
        let parts = try [SplitPart.validation, .test].map { part in
            let data = try heldOut(part, of: checkpoint, targets: recipe.data.targets)
            // The version has learnt these rows, so a weight that is fitted on them is too large.
            let hasLearnt = part == .validation && recipe.training.refit
            if part == .test { Terminal.write(notes: data.notes) }
            if hasLearnt {
                Terminal.write(notes: [
                    "warning: '\(checkpoint.manifest.model)' has learnt from the validation part, so its fitted weight is too "
                        + "large; train it with \"refit\": false in the recipe's training section"
                ])
            }
            return data.part
        }
        let model = try recipe.model(stored: checkpoint.parameters, items: checkpoint.catalogue.count)
        return BlendMember(recipe: recipe, model: model, parts: parts)
    }

    private func report(
        _ names: [String],
        _ versions: [Int],
        _ fitted: (weights: [Double], metrics: RankingMetrics),
        _ judged: [RankingMetrics],
        _ protocol: EvaluationProtocol
    ) {
        if json {
            var object = JSONObject(judged[0].values)
            object["blend"] = names.indices.map { position in
                ["model": names[position], "version": versions[position], "weight": fitted.weights[position]]
                    as [String: Any]
            }
            object["fusion"] = fusion.rawValue
            if fusion == .reciprocalRank { object["constant"] = constant }
            object["protocol"] = `protocol`.rawValue
            object["part"] = SplitPart.test.rawValue
            object["rows"] = judged[0].rows
            object["validation"] = fitted.metrics.values
            object["validation_rows"] = fitted.metrics.rows
            object["equal_weights"] = judged[1].values
            object["single"] = Dictionary(uniqueKeysWithValues: zip(names, judged.dropFirst(2).map(\.values)))
            return Terminal.print(object.line)
        }
        var table = MetricsTable(title: "test part")
        table.add("fitted weights", judged[0].values)
        table.add("equal weights", judged[1].values)
        for (name, metrics) in zip(names, judged.dropFirst(2)) { table.add(name, metrics.values) }
        Terminal.print(table.text)
        let weights = zip(names, fitted.weights).map { "\($0) \(String(format: "%.3g", $1))" }
        Terminal.print("weights: \(weights.joined(separator: ", ")), fitted on \(fitted.metrics.rows) validation rows")
        Terminal.print(
            "\(judged[0].rows) rows, \(`protocol`.rawValue), fusion \(fusion.rawValue); ties count against the target"
        )
    }
}
