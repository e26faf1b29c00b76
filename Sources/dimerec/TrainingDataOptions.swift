import ArgumentParser
import Training

/// The files of interactions that a training command reads.
struct TrainingDataOptions: ParsableArguments {
    @Option(help: "Interactions to part by --split (CSV: user,item,timestamp; .gz too).") var events: String?
    @Option(help: "users, time or leave-one-out; overrides the recipe.") var split: SplitKind?
    @Option(help: "Training interactions, when the parts are files.") var train: String?
    @Option(help: "Validation interactions, when the parts are files.") var validation: String?
    @Option(help: "Test interactions, never trained on; `train` only names them in the manifest.") var test: String?
    @Option(help: "Items (CSV: item,title,categories).") var items: String?

    func validate() throws {
        guard (events == nil) != (train == nil && validation == nil) else {
            throw ValidationError("Give either --events, or --train with --validation.")
        }
        guard (train == nil) == (validation == nil) else {
            throw ValidationError("--train needs --validation, and the other way round.")
        }
        guard train == nil || split == nil else {
            throw ValidationError("--split parts one file of --events; with --train the parts are given.")
        }
    }

    /// Reads the files; `configuration` has the recipe's split.
    func load(_ configuration: DataConfiguration) throws -> TrainingData {
        if let events {
            return try TrainingData(
                events: events,
                split: split ?? configuration.split,
                seed: configuration.splitSeed,
                items: items
            )
        }
        guard let train, let validation else { throw ValidationError("--train needs --validation.") }
        return try TrainingData(train: train, validation: validation, test: test, items: items)
    }
}
