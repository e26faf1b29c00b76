import Recommenders

/// The documentation's page of all recipe fields, from the configurations themselves.
///
/// Names, types and defaults are those of the configurations, ranges are those of their validation. Only the
/// meanings are texts of their own: ``meanings``.
package enum RecipeReference {
    /// The page.
    package static var markdown: String {
        ([introduction] + common + systems + [conclusion]).joined(separator: "\n\n")
    }

    /// The meaning of a field of a system, or nil if it has none.
    package static func meaning(of path: String, in system: String) -> String? {
        meanings["\(system): \(path)"] ?? meanings[path]
    }

    private static let head =
        "| field | type | default | range | meaning and effect |\n| --- | --- | --- | --- | --- |"

    /// Nested sections with at least this many fields get their own table.
    private static let ownTable = 5

    private static var common: [String] {
        let fields = RecipeField.all(of: DimeRec.self)
        return ["training", "data", "counts", "index", "continuation", "tuning"].flatMap { section in
            tables(of: fields.filter { $0.path.hasPrefix("\(section).") }, in: section, titled: section, DimeRec.system)
        }
    }

    /// A section for each group of systems with the same fields, defaults and meanings.
    private static var systems: [String] {
        var groups: [(tables: [String], systems: [any Recommender.Type])] = []
        for system in ModelRegistry.systems {
            let fields = RecipeField.all(of: system).filter { $0.path.hasPrefix("model.") }
            let tables = tables(of: fields, in: "model", titled: nil, system.system)
            if let group = groups.firstIndex(where: { $0.tables == tables }) {
                groups[group].systems.append(system)
            } else {
                groups.append((tables, [system]))
            }
        }
        return groups.flatMap { group in
            let title = "## model of " + group.systems.map { $0.system }.joined(separator: ", ")
            let isTrained = group.systems.contains { $0 is any TrainedRecommender.Type }
            return [title] + (isTrained ? [] : ["Fitted in closed form; ignores `training`."]) + group.tables
        }
    }

    /// The table of a section, and those of its large nested sections below titles of their own.
    private static func tables(
        of fields: [RecipeField],
        in section: String,
        titled title: String?,
        _ system: String
    ) -> [String] {
        func nested(_ field: RecipeField) -> String? {
            let parts = field.path.dropFirst(section.count + 1).split(separator: ".")
            return parts.count > 1 ? "\(section).\(parts[0])" : nil
        }
        var large: [String] = []
        for name in fields.compactMap(nested) where !large.contains(name) {
            if fields.count(where: { nested($0) == name }) >= ownTable { large.append(name) }
        }
        let own = fields.filter { nested($0).map { !large.contains($0) } ?? true }
        let first = [title.map { "## \($0)" }, table(of: own, in: section, system)].compactMap { $0 }
        return first
            + large.flatMap { name in
                ["### \(name)", table(of: fields.filter { nested($0) == name }, in: name, system)]
            }
    }

    private static func table(of fields: [RecipeField], in section: String, _ system: String) -> String {
        let rows = fields.map { field in
            let cells = [
                "`\(field.path.dropFirst(section.count + 1))`", field.type, field.initial, field.range,
                meaning(of: field.path, in: system) ?? "",
            ]
            return "| " + cells.joined(separator: " | ") + " |"
        }
        return ([head] + rows).joined(separator: "\n")
    }

    private static let introduction = """
        # Recipe fields

        Every field of a recipe: type, default, range, meaning and effect.

        ## Overview

        A recipe is a JSON file with the hyper-parameters of one training. An omitted field has its default. If a field is unknown
        or its value out of range, the program names the field and exits with 64. `dimerec models show` prints the complete
        recipe of a version. This page is what `dimerec reference recipes` prints.

        ```json
        {
          "system": "dimerec",
          "model": { "historyLength": 50, "denoiser": { "hidden": 128, "residual": "mean-interest" } },
          "training": { "learningRate": 0.002, "maxSteps": 2400 },
          "data": { "split": "users", "evaluation": "five-cuts" },
          "index": { "recall": 0.99 }
        }
        ```

        | section | holds |
        | --- | --- |
        | `system` | the name of the system; `dimerec` if left out |
        | `model` | the fields of that system |
        | `training` | optimiser, batches, negatives, when to stop |
        | `data` | split and validation rows |
        | `counts` | scores from counts that are added to those of the system |
        | `index` | the index built over the item vectors |
        | `continuation` | a training that continues from a version |
        | `tuning` | how the values were chosen; for information only |

        The tables say "flag" for true or false, "whole" for a whole number and "number" for any other. A dot in a name leads
        into an object: `noise.kind` is `{"noise": {"kind": ...}}`.
        """

    private static let conclusion = """
        ## The re-ranker

        DCDR has no recipe. `experiment reranking` uses its defaults: lists of 10, `dimension` 32, one block, 2 heads, `hidden`
        64, 10 steps, beam 4.

        ## Spaces for tuning

        `models/spaces/SYSTEM.json` maps dotted names of fields to the values that `dimerec tune` may try.

        | form | draws |
        | --- | --- |
        | `{"choices": [64, 128]}` | one of these values |
        | `{"uniform": [8, 20]}` | a number between these bounds, with three significant digits |
        | `{"logarithmic": [0.0005, 0.01]}` | the same, uniform in the logarithm |
        """
}
