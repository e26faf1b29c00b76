public import CheckpointStore
import Kernels

/// Interactions in three parts with one catalogue, and the fingerprint of the data for the manifest.
public struct TrainingData: Sendable {
    /// The training, validation and test part.
    public var split: DataSplit
    /// The items, by their numbers.
    public var catalogue: Catalogue
    /// Digests of the files and the split, for the manifest.
    public var fingerprint: DataFingerprint
    /// Notes for the user about the files.
    public var notes: [String]
    /// Why the data are split as they are.
    public var splitReason: String
    /// The extent of the log; nil for parts given as files.
    public var log: LogExtent?
    /// The newest time that an earlier version has learnt from, if only newer events judge; nil if all targets do.
    public var learntUntil: Double?
    /// The names of columns that were given, by role, for the manifest; nil if all were recognised.
    var columns: [String: String]?

    /// Reads one log and splits it.
    ///
    /// When the requested split gives no training rows or no validation rows, another split is used; see
    /// ``DataSplit/fallbacks``.
    ///
    /// - Parameters:
    ///   - source: The log.
    ///   - columns: Explicit column names; nil ones are recognised from the header.
    ///   - targets: Which events are targets, and their weights.
    ///   - kind: The requested split; nil for ``SplitKind/time`` if the times are a clock's, otherwise
    ///     ``SplitKind/users``; ``SplitKind/leaveOneOut`` where these hold out most of the events.
    ///   - seed: Seed of a split by users.
    ///   - metadata: The items file, or nil.
    ///   - learntUntil: The newest time of a version to continue from, whose log was an earlier state of this one; nil
    ///     for a training from nothing. Then only newer events judge, where the version may know the older ones.
    ///   - holdsOutTest: Whether there is a test part. Otherwise its users or items are for validation, and those of the
    ///     validation part for training.
    /// - Throws: ``CSVError``, or ``SmallDataError`` when no split gives rows.
    public init(
        events source: EventSource,
        columns: EventColumns = EventColumns(),
        targets: TargetConfiguration = TargetConfiguration(),
        split kind: SplitKind?,
        seed: UInt64,
        items metadata: String?,
        learntUntil: Double? = nil,
        holdsOutTest: Bool = true
    ) throws {
        var vocabulary = ItemVocabulary()
        let dataset = try InteractionDataset.load(
            events: source,
            columns: columns,
            targets: targets,
            vocabulary: &vocabulary,
            learntUntil: learntUntil
        )
        guard holdsOutTest || dataset.hasClock else { throw SmallDataError.noClockForTest(file: source.name) }
        try self.init(
            dataset,
            of: source.name,
            columns: columns,
            vocabulary: vocabulary,
            split: kind,
            seed: seed,
            items: metadata,
            holdsOutTest: holdsOutTest
        )
    }

    /// Reads one file, in which every event is a target, and splits it.
    public init(
        events path: String,
        columns: EventColumns = EventColumns(),
        split kind: SplitKind?,
        seed: UInt64,
        items metadata: String?
    ) throws {
        try self.init(
            events: EventSource(file: path),
            columns: columns,
            split: kind,
            seed: seed,
            items: metadata
        )
    }

    /// Splits the events of one log, whose items the vocabulary has, with a test part or without.
    init(
        _ dataset: InteractionDataset,
        of path: String,
        columns: EventColumns,
        vocabulary: ItemVocabulary,
        split requested: SplitKind?,
        seed: UInt64,
        items metadata: String?,
        holdsOutTest: Bool = true
    ) throws {
        let kind = requested ?? dataset.suitedSplit(seed: seed)
        let dataset = dataset.judgedAnew(by: kind, seed: seed, holdsOutTest: holdsOutTest)
        learntUntil = dataset.learnt?.until
        let fitting: (split: DataSplit, kind: SplitKind)
        do {
            fitting = try DataSplit.fitting(dataset, of: path, by: kind, seed: seed, holdsOutTest: holdsOutTest)
        } catch {
            throw dataset.dropped.events > 0 ? .tooFewWithoutUsers(dataset.dropped.users, "\(error)") : error
        }
        split = fitting.split
        notes = dataset.notes
        splitReason = Self.reason(
            for: fitting.kind,
            requested: requested,
            preferred: kind,
            byTimes: dataset.splitByTimes
        )
        if fitting.kind != kind {
            notes.append(
                "warning: split '\(kind.rawValue)' gives no training or no validation rows, so '\(path)' is split by "
                    + "'\(fitting.kind.rawValue)'"
            )
        }
        if requested == nil, fitting.kind == kind, kind != dataset.splitByTimes {
            notes.append("the split is '\(kind.rawValue)': \(splitReason)")
        }
        if dataset.hasClock, fitting.kind != .time {
            notes.append(
                "warning: split '\(fitting.kind.rawValue)' trains on later events than those it asks about, which flatters "
                    + "every figure; --split time does not"
            )
        }
        if let note = split.validation.noteOfFewTargets { notes.append(note) }
        catalogue = try Self.catalogue(vocabulary, metadata, columns, &notes)
        fingerprint = DataFingerprint(
            split: fitting.kind.rawValue,
            splitSeed: seed,
            digests: ["events": dataset.digest],
            holdsOutTest: holdsOutTest ? nil : false
        )
        log = LogExtent(dataset)
        self.columns = columns.byRole
    }

    /// Reads parts given as files, or as folders of files; items that only the test file has stay unknown.
    ///
    /// - Throws: ``CSVError``, or ``SmallDataError`` when a file gives no rows.
    public init(
        train: String,
        validation: String,
        test: String?,
        columns: EventColumns = EventColumns(),
        targets: TargetConfiguration = TargetConfiguration(),
        items metadata: String?
    ) throws {
        var vocabulary = ItemVocabulary()
        func load(
            _ path: String,
            _ unknownItems: UnknownItems = .extend,
            leavingOut decided: [String]? = nil
        ) throws -> InteractionDataset {
            try InteractionDataset.load(
                EventSource(path: path),
                columns,
                targets,
                &vocabulary,
                unknownItems,
                rowLimit: CSVReader.rowLimit,
                decided: decided
            )
        }
        let trainSet = try load(train)
        // The training part decides whose events are left out: the other parts may be too small to tell.
        let leftOut = trainSet.dropped.users + targets.dropUsers.kinds
        let validationSet = try load(validation, leavingOut: leftOut)
        var digests = ["train": trainSet.digest, "validation": validationSet.digest]
        let testSet = try test.map { try load($0, .mark, leavingOut: leftOut) }
        if let testSet { digests["test"] = testSet.digest }
        for (path, set) in [(train, trainSet), (validation, validationSet)] where !DataPart(set).hasRows {
            throw SmallDataError.noRows(file: path, users: set.userCount)
        }
        split = DataSplit(train: trainSet, validation: validationSet, test: testSet)
        splitReason = "the parts are given as files"
        notes = trainSet.notes + validationSet.notes + (testSet?.notes ?? [])
        if let note = split.validation.noteOfFewTargets { notes.append(note) }
        catalogue = try Self.catalogue(vocabulary, metadata, columns, &notes)
        fingerprint = DataFingerprint(split: Self.files, splitSeed: 0, digests: digests)
        self.columns = columns.byRole
    }

    /// Data with a given split.
    init(split: DataSplit, catalogue: Catalogue, fingerprint: DataFingerprint, notes: [String]) {
        self.split = split
        self.catalogue = catalogue
        self.fingerprint = fingerprint
        self.notes = notes
        splitReason = "the parts are given"
    }

    /// The split of the data; nil for parts given as files.
    public var splitKind: SplitKind? { SplitKind(rawValue: fingerprint.split) }

    /// The name in manifests of a split given as files.
    public static let files = "files"

    private static func reason(
        for kind: SplitKind,
        requested: SplitKind?,
        preferred: SplitKind,
        byTimes: SplitKind
    ) -> String {
        guard kind == preferred else {
            return "the split '\(preferred.rawValue)' gives no training rows or no validation rows"
        }
        if requested != nil { return "it was asked for" }
        guard kind == byTimes else {
            return
                "the users whom '\(byTimes.rawValue)' would hold out have most of the events, so it would leave too few to learn from"
        }
        return kind == .time
            ? "the times are a clock's, so the users whose last event is newest can be held out, as in real use"
            : "the times are ordinals, which do not compare between users, so whole users are held out by a hash"
    }

    /// The items of a vocabulary, with titles and categories if there is an items file.
    static func catalogue(
        _ vocabulary: ItemVocabulary,
        _ path: String?,
        _ columns: EventColumns,
        _ notes: inout [String]
    ) throws -> Catalogue {
        guard let path else { return Catalogue(ids: vocabulary.ids) }
        let metadata = try ItemMetadata.load(items: path, columns: columns)
        notes += metadata.notes
        let covered = metadata.covered(of: vocabulary)
        if covered == 0 {
            notes.append(
                "warning: '\(path)' lists none of the \(vocabulary.count) items of the events, such as "
                    + "'\(vocabulary.ids.first ?? "")'; its first item is '\(metadata.firstID)'. Is its item column the "
                    + "right one, and are the ids written alike?"
            )
        } else if covered < vocabulary.count {
            notes.append(
                "\(path) lists \(covered) of the \(vocabulary.count) items of the events; the others have no title, no "
                    + "category and no attribute"
            )
        }
        return metadata.catalogue(of: vocabulary)
    }
}
