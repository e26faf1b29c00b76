// Messages about logs name the options of `train`. A round has none: its settings are in a file.

extension RetrainingConfiguration {
    /// A message with the fields of the file, or of the recipe, in place of options of `train`.
    package static func inFields(_ message: String) -> String {
        let message = phrases.reduce(message) { $0.replacing($1.options, with: $1.fields) }
        let option = /--(user|item|time|event|rating|weight|title|category)-column(?: '([^']*)')?/
        return message.replacing(option) { match -> String in
            // The recipe names the column of weights.
            if match.output.1 == "weight" { return "data.targets.weightColumn of the recipe" }
            let field = match.output.1 == "category" ? "categories" : match.output.1
            return match.output.2.map { "\"columns\": {\"\(field)\": \"\($0)\"}" } ?? "`columns.\(field)`"
        }
    }

    private static let phrases: [(options: String, fields: String)] = [
        ("train with --keep-shared-users, or \"dropSharedUsers\": false in data.targets", keepShared),
        ("Omit --drop-user", "Remove data.targets.dropUsers from the recipe"),
        ("--split time does not", "data.split 'time' in the recipe does not"),
        ("Omit --split and --recipe", "Omit `recipe`"),
        ("Omit --recipe", "Omit `recipe`"),
        ("train from nothing (`train` without --from, `retrain` with --full)", "train from nothing with --full"),
        ("allow it with --log-may-shrink, or `logMayShrink` in the file of `dimerec retrain`", mayShrink),
        ("publish them with --resume --max-steps", "set training.maxSteps of the recipe to"),
        ("give one with --model", "give one as `model`"),
    ]
    private static let keepShared = "set \"dropSharedUsers\": false in data.targets of the recipe"
    private static let mayShrink = "allow it with \"logMayShrink\": true"
}
