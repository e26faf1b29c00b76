public import CheckpointStore
import Kernels

/// Interactions in three parts over one numbering of items, with what names them in a manifest.
public struct TrainingData: Sendable {
    /// Training, validation and test part.
    public var split: DataSplit
    /// The items, by their numbers.
    public var catalogue: Catalogue
    /// How the parts came about.
    public var fingerprint: DataFingerprint
    /// What whoever gave the files should know before training.
    public var notes: [String]

    /// Reads one file and parts it.
    ///
    /// Where the split that is asked for gives no rows to learn from or to validate by, another one is taken; see
    /// ``DataSplit/fallbacks``.
    ///
    /// - Parameters:
    ///   - path: Events file.
    ///   - columns: Names of its columns that are not to be recognised.
    ///   - kind: How it is parted.
    ///   - seed: Of a split by users.
    ///   - metadata: Items file, or nil.
    /// - Throws: ``CSVError``, or ``SmallDataError`` when no split gives rows.
    public init(
        events path: String,
        columns: EventColumns = EventColumns(),
        split kind: SplitKind,
        seed: UInt64,
        items metadata: String?
    ) throws {
        var vocabulary = ItemVocabulary()
        let dataset = try InteractionDataset.load(events: path, columns: columns, vocabulary: &vocabulary)
        let fitting = try DataSplit.fitting(dataset, of: path, by: kind, seed: seed)
        split = fitting.split
        notes = dataset.notes
        if fitting.kind != kind {
            notes.append(
                "warning: split '\(kind.rawValue)' gives no training or no validation rows, so '\(path)' is split by "
                    + "'\(fitting.kind.rawValue)'"
            )
        }
        catalogue = try Self.catalogue(vocabulary, metadata, columns, &notes)
        fingerprint = DataFingerprint(
            split: fitting.kind.rawValue,
            splitSeed: seed,
            digests: ["events": dataset.digest]
        )
    }

    /// Reads parts given as files; items of the test file that the others lack stay unknown.
    ///
    /// - Throws: ``CSVError``, or ``SmallDataError`` when a file gives no rows.
    public init(
        train: String,
        validation: String,
        test: String?,
        columns: EventColumns = EventColumns(),
        items metadata: String?
    ) throws {
        var vocabulary = ItemVocabulary()
        let trainSet = try InteractionDataset.load(events: train, columns: columns, vocabulary: &vocabulary)
        let validationSet = try InteractionDataset.load(events: validation, columns: columns, vocabulary: &vocabulary)
        var digests = ["train": trainSet.digest, "validation": validationSet.digest]
        let testSet = try test.map { path in
            try InteractionDataset.load(events: path, columns: columns, vocabulary: &vocabulary, unknownItems: .mark)
        }
        if let testSet { digests["test"] = testSet.digest }
        for (path, set) in [(train, trainSet), (validation, validationSet)] where set.sequences.longest < 2 {
            throw SmallDataError.noRows(file: path, users: set.userCount)
        }
        split = DataSplit(train: trainSet, validation: validationSet, test: testSet)
        notes = trainSet.notes + validationSet.notes + (testSet?.notes ?? [])
        catalogue = try Self.catalogue(vocabulary, metadata, columns, &notes)
        fingerprint = DataFingerprint(split: Self.files, splitSeed: 0, digests: digests)
    }

    /// The split that the parts come from; nil for parts that were given as files.
    public var splitKind: SplitKind? { SplitKind(rawValue: fingerprint.split) }

    /// What a manifest calls parts that were given as files.
    public static let files = "files"

    private static func catalogue(
        _ vocabulary: ItemVocabulary,
        _ path: String?,
        _ columns: EventColumns,
        _ notes: inout [String]
    ) throws -> Catalogue {
        guard let path else { return Catalogue(ids: vocabulary.ids) }
        let metadata = try ItemMetadata.load(items: path, itemColumn: columns.item)
        notes += metadata.notes
        if !metadata.coversSome(of: vocabulary) {
            notes.append(
                "warning: '\(path)' lists none of the \(vocabulary.count) items of the events, such as "
                    + "'\(vocabulary.ids.first ?? "")'; is its item column the right one?"
            )
        }
        return metadata.catalogue(of: vocabulary)
    }
}
