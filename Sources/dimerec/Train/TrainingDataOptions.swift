import ArgumentParser
import CheckpointStore
import Foundation
import Training

/// The files of interactions that a training command reads.
struct TrainingDataOptions: ParsableArguments {
    @Option(
        help: """
            A folder with events.csv, or train.csv, validation.csv and test.csv; items.csv is read too. Instead of a file \
            there may be a folder of files, such as events/.
            """,
        completion: .directory
    )
    var data: String?
    @Option(
        help: """
            Interactions, split by --split: a CSV, TSV or JSON Lines file (.gz and .zst too), a folder of them, a pattern such \
            as 'logs/2026-*.csv.gz', - for standard input, 'sqlite:FILE?query=SELECT', or \
            'postgres://USER@HOST/DATABASE?query=SELECT'. Repeat it for several.
            """,
        completion: .file()
    )
    var events: [String] = []
    @Option(help: "users, time or leave-one-out; overrides the recipe.") var split: SplitKind?
    @Option(help: "Training interactions, when the parts are separate files.") var train: String?
    @Option(help: "Validation interactions, when the parts are separate files.") var validation: String?
    @Option(help: "Test interactions, never trained on; `train` only records them in the manifest.") var test: String?
    @Option(help: "Items (CSV: item, optional title, categories and attributes).") var items: String?
    @OptionGroup var columns: ColumnOptions
    @OptionGroup var itemColumns: ItemColumnOptions
    @OptionGroup var targets: TargetOptions

    func validate() throws {
        guard [data != nil, !events.isEmpty, train != nil || validation != nil].count(where: { $0 }) == 1 else {
            throw ValidationError("Give one of: --data; --events; --train with --validation.")
        }
        guard data == nil || (test == nil && items == nil) else {
            throw ValidationError("--data gives all files; omit --test and --items.")
        }
        guard (train == nil) == (validation == nil) else {
            throw ValidationError("--train and --validation must be given together.")
        }
        guard train == nil || split == nil else {
            throw ValidationError("--split needs one events file; with --train the parts are given.")
        }
    }

    /// The name of the data set, as in names of recipes: the name of its folder.
    var name: String? { data.map { URL(filePath: $0).standardizedFileURL.lastPathComponent } }

    /// Reads the files and writes notes about them.
    ///
    /// - Parameters:
    ///   - configuration: Has the recipe's split; without a recipe, the data decide.
    ///   - parent: The version to continue from; its names of columns are the usual ones.
    ///   - holdsOutTest: Whether a log gets a test part.
    ///   - showsNotes: Whether to write the notes.
    /// - Returns: The three parts.
    /// - Throws: `ValidationError`, `CSVError` or `SmallDataError`.
    func load(
        _ configuration: DataConfiguration?,
        continuing parent: ParentVersion? = nil,
        holdingOutTest holdsOutTest: Bool = true,
        showsNotes: Bool = true
    ) throws -> TrainingData {
        var configuration = configuration
        var chosen = configuration?.targets ?? TargetConfiguration()
        try targets.apply(to: &chosen)
        configuration?.targets = chosen
        let columns = itemColumns.added(to: columns.names).preferring(parent?.columns)
        let data = try filesOfFolder().read(configuration, chosen, columns, parent?.log?.newest, holdsOutTest)
        if showsNotes { Terminal.write(notes: data.notes) }
        return data
    }

    /// The same options with the folder's files in place of the folder.
    private func filesOfFolder() throws -> TrainingDataOptions {
        guard let data else { return self }
        let folder = try DataFolder(data)
        var files = self
        files.data = nil
        files.items = folder.items
        files.events = folder.events.map { [$0] } ?? []
        (files.train, files.validation, files.test) = (folder.train, folder.validation, folder.test)
        try files.validate()
        return files
    }

    private func read(
        _ configuration: DataConfiguration?,
        _ targets: TargetConfiguration,
        _ columns: EventColumns,
        _ learntUntil: Double?,
        _ holdsOutTest: Bool
    ) throws -> TrainingData {
        if !events.isEmpty {
            return try TrainingData(
                events: EventSource(events),
                columns: columns,
                targets: targets,
                split: split ?? configuration?.split,
                seed: (configuration ?? DataConfiguration()).splitSeed,
                items: items,
                learntUntil: learntUntil,
                holdsOutTest: holdsOutTest
            )
        }
        guard let train, let validation else { throw ValidationError("--train needs --validation.") }
        guard holdsOutTest else {
            throw ValidationError(
                "--without-test-part is for one log; of parts given as files, leave out the test file."
            )
        }
        return try TrainingData(
            train: train,
            validation: validation,
            test: test,
            columns: columns,
            targets: targets,
            items: items
        )
    }
}
