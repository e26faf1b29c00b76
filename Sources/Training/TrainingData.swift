public import CheckpointStore
public import Kernels

/// Interactions in three parts over one numbering of items, with what names them in a manifest.
public struct TrainingData: Sendable {
    /// Training, validation and test part.
    public var split: DataSplit
    /// The items, by their numbers.
    public var catalogue: Catalogue
    /// How the parts came about.
    public var fingerprint: DataFingerprint

    /// Reads one file and parts it.
    ///
    /// - Parameters:
    ///   - path: Events CSV.
    ///   - kind: How it is parted.
    ///   - seed: Of a split by users.
    ///   - metadata: Items CSV, or nil.
    /// - Throws: ``CSVError``.
    public init(events path: String, split kind: SplitKind, seed: UInt64, items metadata: String?) throws {
        var vocabulary = ItemVocabulary()
        let dataset = try InteractionDataset.load(events: path, vocabulary: &vocabulary)
        split = DataSplit(dataset, by: kind, seed: seed)
        catalogue = try Self.catalogue(vocabulary, metadata)
        fingerprint = DataFingerprint(split: kind.rawValue, splitSeed: seed, digests: ["events": dataset.digest])
    }

    /// Reads parts given as files; items of the test file that the others lack stay unknown.
    ///
    /// - Throws: ``CSVError``.
    public init(train: String, validation: String, test: String?, items metadata: String?) throws {
        var vocabulary = ItemVocabulary()
        let trainSet = try InteractionDataset.load(events: train, vocabulary: &vocabulary)
        let validationSet = try InteractionDataset.load(events: validation, vocabulary: &vocabulary)
        var digests = ["train": trainSet.digest, "validation": validationSet.digest]
        let testSet = try test.map { path in
            try InteractionDataset.load(events: path, vocabulary: &vocabulary, unknownItems: .mark)
        }
        if let testSet { digests["test"] = testSet.digest }
        split = DataSplit(train: trainSet, validation: validationSet, test: testSet)
        catalogue = try Self.catalogue(vocabulary, metadata)
        fingerprint = DataFingerprint(split: Self.files, splitSeed: 0, digests: digests)
    }

    /// What a manifest calls parts that were given as files.
    public static let files = "files"

    private static func catalogue(_ vocabulary: ItemVocabulary, _ metadata: String?) throws -> Catalogue {
        guard let metadata else { return Catalogue(ids: vocabulary.ids) }
        return try ItemMetadata.load(items: metadata).catalogue(of: vocabulary)
    }
}

/// The held-out rows that a stored model may be asked about, and the training part they are judged beside.
public struct HeldOutData: Sendable {
    /// The questions' sequences.
    public var part: DataPart
    /// Training sequences, known items only; nil when they were not given.
    public var trainSequences: RaggedRows?

    /// Derives a part from the events that a model was trained on.
    ///
    /// - Parameters:
    ///   - path: Events CSV.
    ///   - kind: The split asked for; it must be the one that the model was trained with.
    ///   - part: Validation or test.
    ///   - manifest: The model's.
    ///   - catalogue: The model's items.
    /// - Throws: ``CSVError``, or ``HeldOutError`` when training users would be called test users.
    public init(
        events path: String,
        split kind: SplitKind,
        part: SplitPart,
        manifest: CheckpointManifest,
        catalogue: Catalogue
    ) throws {
        let trained = manifest.data
        guard trained.split == kind.rawValue else {
            throw HeldOutError.otherSplit(asked: kind.rawValue, trained: trained.split, version: manifest.version)
        }
        var vocabulary = ItemVocabulary(ids: catalogue.ids)
        let dataset = try InteractionDataset.load(events: path, vocabulary: &vocabulary, unknownItems: .mark)
        // A user's part follows from the user's id alone, so a file that has grown since still parts the same way.
        guard kind == .users || dataset.digest == trained.digests["events"] else {
            throw HeldOutError.otherEvents(split: kind.rawValue, version: manifest.version)
        }
        let split = DataSplit(dataset, by: kind, seed: trained.splitSeed)
        self.part = split[part]
        trainSequences = Self.known(split.train.sequences)
    }

    /// Reads a file of sequences that the model has not seen.
    ///
    /// - Parameters:
    ///   - path: Events CSV.
    ///   - train: The file that it was trained on, for the trivial predictors; or nil.
    ///   - manifest: The model's.
    ///   - catalogue: The model's items.
    /// - Throws: ``CSVError``, or ``HeldOutError`` when the file is one that the model was trained on.
    public init(test path: String, train: String?, manifest: CheckpointManifest, catalogue: Catalogue) throws {
        var vocabulary = ItemVocabulary(ids: catalogue.ids)
        let dataset = try InteractionDataset.load(events: path, vocabulary: &vocabulary, unknownItems: .mark)
        for role in ["train", "events"] where manifest.data.digests[role] == dataset.digest {
            throw HeldOutError.trainingFile(role: role, version: manifest.version)
        }
        part = DataPart(dataset)
        trainSequences = try train.map { path in
            let set = try InteractionDataset.load(events: path, vocabulary: &vocabulary, unknownItems: .mark)
            return Self.known(set.sequences)
        }
    }

    private static func known(_ sequences: RaggedRows) -> RaggedRows {
        guard sequences.ids.contains(where: { $0 < 0 }) else { return sequences }
        return RaggedRows((0..<sequences.count).map { sequences[$0].filter { $0 >= 0 } })
    }
}

/// An evaluation that would not be one.
public enum HeldOutError: Error, Equatable, CustomStringConvertible {
    /// The version was trained under another split.
    case otherSplit(asked: String, trained: String, version: Int)
    /// The events are not those of the training, and the split depends on all of them.
    case otherEvents(split: String, version: Int)
    /// The test file is a training file.
    case trainingFile(role: String, version: Int)
    /// The protocol asks for targets that the split trained on.
    case protocolMismatch(protocol: String, split: String)

    /// What is wrong and what to do.
    public var description: String {
        switch self {
        case .otherSplit(let asked, let trained, let version):
            "Version \(version) was trained with split '\(trained)'; '\(asked)' would call training users test users. "
                + (trained == TrainingData.files ? "Give the held-out file with --test." : "Use --split \(trained).")
        case .otherEvents(let split, let version):
            "These are not the events that version \(version) was trained on, and a '\(split)' split depends on all of "
                + "them; give the same file, or train anew."
        case .trainingFile(let role, let version):
            "This file is the \(role) file of version \(version); give one that it has not seen."
        case .protocolMismatch(let name, let split):
            "Protocol '\(name)' asks for items that a '\(split)' split trained on; use last-item."
        }
    }
}
