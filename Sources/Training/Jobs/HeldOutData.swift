public import CheckpointStore
public import Kernels

/// The held-out sequences to evaluate a stored model on, and the training part for the trivial predictors.
public struct HeldOutData: Sendable {
    /// The held-out sequences.
    public var part: DataPart
    /// The parts before the evaluated one, known items only; nil without training data.
    public var trainSequences: RaggedRows?
    /// Notes for the user about the files.
    public var notes: [String]

    /// Splits the events that a model was trained on and takes a held-out part.
    ///
    /// - Parameters:
    ///   - source: The log.
    ///   - columns: Explicit column names; nil ones are those of the model's training, or recognised from the header.
    ///   - targets: The model's targets.
    ///   - kind: The split, which must be the model's; nil for the model's split.
    ///   - part: The part: validation or test.
    ///   - manifest: The manifest of the model.
    ///   - catalogue: The catalogue of the model.
    /// - Throws: ``CSVError``, or ``HeldOutError`` when training users could end up in the part.
    public init(
        events source: EventSource,
        columns: EventColumns = EventColumns(),
        targets: TargetConfiguration = TargetConfiguration(),
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
        var log = try EventLog.read(
            source,
            columns.preferring(manifest.columns),
            targets,
            &vocabulary,
            .extend,
            earlierUntil: manifest.log?.newest
        )
        let hasTest = trained.holdsOutTest != false
        if part == .test, !hasTest, let learnt = manifest.log {
            log = log.markingItems(from: catalogue.count, of: vocabulary)
            let dataset = log.dataset(log.eventsByUser(), learntUntil: learnt.newest)
            try Self.requireUnit(of: dataset, manifest)
            self = try HeldOutData(dataset, after: manifest)
            return
        }
        // A user's part depends on the user's id alone, so a file that has grown since is split the same way.
        if kind != .users, log.identity != trained.digests["events"] {
            log = try log.learnt(by: manifest, vocabulary, split: kind)
        }
        log = log.markingItems(from: catalogue.count, of: vocabulary)
        let dataset = log.dataset(log.eventsByUser(), learntUntil: manifest.origin?.learntUntil)
        if manifest.origin?.learntUntil != nil { try Self.requireUnit(of: dataset, manifest) }
        notes = dataset.notes
        if part == .validation { notes.append(Self.learntValidation(manifest.version)) }
        notes += [manifest.origin?.noteOfLearntUsers(split: kind.rawValue)].compactMap(\.self)
        let split = DataSplit(dataset, by: kind, seed: trained.splitSeed, holdsOutTest: hasTest)
        self.part = split[part]
        // All parts before the evaluated one: a version that is tested has learnt from the validation part too.
        trainSequences = Self.known(part == .test ? split.sequencesBeforeTest : split.train.sequences)
    }

    /// The events that are newer than the log of a version without a test part.
    private init(_ dataset: InteractionDataset, after manifest: CheckpointManifest) throws {
        let learnt = dataset.learnt?.events ?? []
        let users = learnt.indices.filter { Int(learnt[$0]) < dataset.sequences[$0].count }
        part = DataPart(dataset, users: users, judgedAnew: true)
        guard part.hasRows else { throw HeldOutError.noNewerEvents(version: manifest.version) }
        let judged = manifest.judgement == nil ? "" : "; its round has judged it by the first of them"
        trainSequences = Self.known(RaggedRows(learnt.indices.map { dataset.sequences[$0].prefix(Int(learnt[$0])) }))
        notes =
            dataset.notes + [
                "version \(manifest.version) has no test part, so events newer than its log test it: "
                    + NumberText.counted(part.judgingCount, "event") + judged
            ]
    }

    /// Checks that the times count the unit of the version's log, because newer ones are told by their numbers.
    private static func requireUnit(of dataset: InteractionDataset, _ manifest: CheckpointManifest) throws {
        let isNow = LogExtent(dataset)
        guard let was = manifest.log, was.unit != isNow.unit else { return }
        throw HeldOutError.otherEvents(
            split: manifest.data.split,
            version: manifest.version,
            was: was,
            isNow: isNow
        )
    }

    /// Reads a file of sequences that the model has not seen.
    ///
    /// - Parameters:
    ///   - path: The events file.
    ///   - train: The model's training file, for the trivial predictors; or nil.
    ///   - columns: Explicit column names; nil ones are those of the model's training, or recognised from the header.
    ///   - targets: The model's targets.
    ///   - manifest: The manifest of the model.
    ///   - catalogue: The catalogue of the model.
    /// - Throws: ``CSVError``, or ``HeldOutError`` when the file is one that the model was trained on.
    public init(
        test path: String,
        train: String?,
        columns: EventColumns = EventColumns(),
        targets: TargetConfiguration = TargetConfiguration(),
        manifest: CheckpointManifest,
        catalogue: Catalogue
    ) throws {
        var vocabulary = ItemVocabulary(ids: catalogue.ids)
        func load(_ path: String) throws -> InteractionDataset {
            try InteractionDataset.load(
                events: EventSource(path: path),
                columns: columns.preferring(manifest.columns),
                targets: targets,
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
        if train == nil {
            notes.append(
                "transitions are not among the simple predictors, because they learn from the training part; give it by --train"
            )
        }
        if manifest.data.digests["validation"] == dataset.digest {
            notes.append(Self.learntValidation(manifest.version))
        }
    }

    private static func learntValidation(_ version: Int) -> String {
        "warning: version \(version) has learnt from its validation part, unless its recipe's training.refit is false, so "
            + "these figures flatter it; judge it by the test part"
    }

    private static func known(_ sequences: RaggedRows) -> RaggedRows {
        guard sequences.ids.contains(where: { $0 < 0 }) else { return sequences }
        return RaggedRows((0..<sequences.count).map { sequences[$0].filter { $0 >= 0 } })
    }
}

extension EventLog {
    /// The events of this log that a version was trained on, if it has later ones too: a round of `dimerec retrain` keeps
    /// the newest to judge by, and a log grows.
    ///
    /// - Throws: ``HeldOutError/otherEvents(split:version:was:isNow:)`` if the events up to the version's newest one are
    ///   others.
    fileprivate func learnt(
        by manifest: CheckpointManifest,
        _ vocabulary: ItemVocabulary,
        split kind: SplitKind
    ) throws(HeldOutError) -> EventLog {
        let older = manifest.log.map { upTo($0.newest, vocabulary) }
        // A round's digest is without the events of left-out users, and that of `dimerec train` with them.
        let identities = [earlier?.digest.hexadecimal(), older?.identity].compactMap(\.self)
        guard let older, let trained = manifest.data.digests["events"], identities.contains(trained) else {
            var isNow = LogExtent(dataset(eventsByUser()))
            // The part that the version may know, unless the times count another unit.
            if let earlier, earlier.events > 0, isNow.unit == manifest.log?.unit { isNow.events = earlier.events }
            throw .otherEvents(split: kind.rawValue, version: manifest.version, was: manifest.log, isNow: isNow)
        }
        let later = NumberText.counted(users.count - older.users.count, "later event")
        return older.adding([
            "\(name): \(later) left out: version \(manifest.version) was trained on the \(older.users.count) before, and a "
                + "'\(kind.rawValue)' split depends on all events"
        ])
    }
}

/// Why an evaluation would not be valid.
public enum HeldOutError: Error, Equatable, CustomStringConvertible {
    /// The version was trained with another split.
    case otherSplit(asked: String, trained: String, version: Int)
    /// The events differ from those of the training, and the split depends on all events.
    case otherEvents(split: String, version: Int, was: LogExtent?, isNow: LogExtent)
    /// The version has learnt from all events.
    case noNewerEvents(version: Int)
    /// The test file is a training file.
    case trainingFile(role: String, version: Int)
    /// The protocol has targets that the model was trained on.
    case protocolMismatch(protocol: String, split: String)
    /// The part gives no rows.
    case noRows(part: String, users: Int)

    /// The problem and the next step.
    public var description: String {
        switch self {
        case .otherSplit(let asked, let trained, let version):
            "Version \(version) was trained with split '\(trained)'; '\(asked)' would evaluate on training users. "
                + (trained == TrainingData.files ? "Give the held-out file with --test." : "Use --split \(trained).")
        case .otherEvents(let split, let version, let was, let isNow):
            "These events differ from those that version \(version) was trained on, and a '\(split)' split depends on all "
                + "events. " + Self.difference(was, isNow)
        case .noNewerEvents(let version):
            "Version \(version) has no test part, like those of rounds of `retrain`, so only events newer than its log test "
                + "it, and there is none with another event of its user before it. Give a log with newer events."
        case .trainingFile(let role, let version):
            "This file is the \(role) file of version \(version); give a file that the version has not seen."
        case .protocolMismatch(let name, let split):
            "Protocol '\(name)' has targets in the training part of a '\(split)' split; use last-item."
        case .noRows(let part, let users):
            "The \(part) part has \(users) users and no row to evaluate; give more events, or another --part."
        }
    }

    /// The two extents and the next step.
    private static func difference(_ was: LogExtent?, _ isNow: LogExtent) -> String {
        guard let was else { return "Give the same file with the same options of columns, or train again." }
        let (before, now) = (NumberText.counted(was.events, "event"), NumberText.counted(isNow.events, "event"))
        guard was.unit == isNow.unit else {
            return "The training had \(before) with times in \(was.unit), and these are \(now) with \(isNow.unit): add "
                + "the --time-column of the training, or give the same file."
        }
        guard was.events == isNow.events else {
            return "The training had \(before), and up to the same time these are \(now): give the same file, or train "
                + "again."
        }
        return "They are as many: add the options of columns that the training had, such as --item-column, give the "
            + "same file, or train again."
    }
}
