public import CheckpointStore
public import Kernels

/// The held-out rows that a stored model may be asked about, and the training part they are judged beside.
public struct HeldOutData: Sendable {
    /// The questions' sequences.
    public var part: DataPart
    /// Training sequences, known items only; nil when they were not given.
    public var trainSequences: RaggedRows?
    /// What whoever gave the files should know.
    public var notes: [String]

    /// Derives a part from the events that a model was trained on.
    ///
    /// - Parameters:
    ///   - path: Events file.
    ///   - columns: Names of its columns that are not to be recognised.
    ///   - kind: The split asked for; it must be the one that the model was trained with. Nil for that one.
    ///   - part: Validation or test.
    ///   - manifest: The model's.
    ///   - catalogue: The model's items.
    /// - Throws: ``CSVError``, or ``HeldOutError`` when training users would be called test users.
    public init(
        events path: String,
        columns: EventColumns = EventColumns(),
        split kind: SplitKind?,
        part: SplitPart,
        manifest: CheckpointManifest,
        catalogue: Catalogue
    ) throws {
        let trained = manifest.data
        guard let kind = kind ?? SplitKind(rawValue: trained.split), trained.split == kind.rawValue else {
            throw HeldOutError.otherSplit(
                asked: kind?.rawValue ?? SplitKind.users.rawValue,
                trained: trained.split,
                version: manifest.version
            )
        }
        var vocabulary = ItemVocabulary(ids: catalogue.ids)
        let dataset = try InteractionDataset.load(
            events: path,
            columns: columns,
            vocabulary: &vocabulary,
            unknownItems: .mark
        )
        notes = dataset.notes
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
    ///   - path: Events file.
    ///   - train: The file that it was trained on, for the trivial predictors; or nil.
    ///   - columns: Names of their columns that are not to be recognised.
    ///   - manifest: The model's.
    ///   - catalogue: The model's items.
    /// - Throws: ``CSVError``, or ``HeldOutError`` when the file is one that the model was trained on.
    public init(
        test path: String,
        train: String?,
        columns: EventColumns = EventColumns(),
        manifest: CheckpointManifest,
        catalogue: Catalogue
    ) throws {
        var vocabulary = ItemVocabulary(ids: catalogue.ids)
        func load(_ path: String) throws -> InteractionDataset {
            try InteractionDataset.load(
                events: path,
                columns: columns,
                vocabulary: &vocabulary,
                unknownItems: .mark
            )
        }
        let dataset = try load(path)
        for role in ["train", "events"] where manifest.data.digests[role] == dataset.digest {
            throw HeldOutError.trainingFile(role: role, version: manifest.version)
        }
        part = DataPart(dataset)
        let trainSet = try train.map(load)
        trainSequences = trainSet.map { Self.known($0.sequences) }
        notes = dataset.notes + (trainSet?.notes ?? [])
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
    /// The part holds no question.
    case noRows(part: String, users: Int)

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
        case .noRows(let part, let users):
            "The \(part) part has \(users) users and no row to judge by; give more events, or another --part."
        }
    }
}
