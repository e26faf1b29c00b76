public import CheckpointStore
import Foundation
import Kernels
import Recommenders

/// A version that a training continues from.
public struct ParentVersion: Sendable {
    /// Its name and number.
    public let origin: VersionOrigin
    /// The recipe that it was trained with.
    public let recipe: Recipe
    /// The extent of the log that it was trained on; nil if that is unknown.
    public let log: LogExtent?
    /// Its data and split.
    public let data: DataFingerprint
    /// The names of columns that its training was given, by role.
    public let columns: [String: String]?
    /// Its items.
    let ids: [String]
    /// All stored matrices.
    let parameters: [String: Matrix]

    /// A stored version.
    ///
    /// - Throws: ``ConfigurationError`` for a recipe that this program does not know, and `CheckpointError` for a
    ///   parameter that is not finite.
    public init(_ checkpoint: Checkpoint) throws {
        let manifest = checkpoint.manifest
        recipe = try Recipe(stored: manifest.recipe)
        for (name, matrix) in checkpoint.parameters.sorted(by: { $0.key < $1.key }) {
            if let (row, column) = matrix.firstNonFinite {
                throw CheckpointError.corrupted(
                    what: "'\(name)'[\(row), \(column)] is not finite",
                    location: "version \(manifest.version) of '\(manifest.model)'"
                )
            }
        }
        var origin = VersionOrigin(
            model: manifest.model,
            version: manifest.version,
            fullSteps: manifest.origin?.fullSteps ?? manifest.curve?.last?.step ?? recipe.training.maxSteps
        )
        if manifest.data.holdsOutTest == false || manifest.origin?.learntTest == true { origin.learntTest = true }
        self.origin = origin
        (log, data, columns) = (manifest.log, manifest.data, manifest.columns)
        (ids, parameters) = (checkpoint.catalogue.ids, checkpoint.parameters)
    }

    /// A trained model that no store has.
    init(_ trained: TrainingJob.Trained, of recipe: Recipe, on data: TrainingData, origin: VersionOrigin) {
        (self.origin, self.recipe, log, self.data) = (origin, recipe, data.log, data.fingerprint)
        columns = data.columns
        (ids, parameters) = (data.catalogue.ids, trained.model.matrices)
    }

    /// Its scores from counts; nil if it has none.
    ///
    /// - Throws: `ParameterError` for damaged counts.
    func counts() throws(ParameterError) -> CountScores? {
        var matrices = parameters
        return try CountScores.take(from: &matrices, items: ids.count)
    }

    /// The seed of the draws of a training that continues from it, so that a chain of versions never draws twice alike.
    func seed(_ seed: UInt64) -> UInt64 { seed &+ UInt64(origin.version) &* 0x9E37_79B9_7F4A_7C15 }

    /// Checks that a training with these settings and data can continue from the version.
    ///
    /// - Parameters:
    ///   - recipe: The recipe of the training.
    ///   - data: Its data.
    ///   - mayShrink: Whether the log may have fewer events than before, because it is a moving window.
    /// - Throws: ``ContinuationError``.
    public func require(
        _ recipe: Recipe,
        _ data: TrainingData,
        logMayShrink mayShrink: Bool
    ) throws(ContinuationError) {
        guard recipe.system == self.recipe.system else {
            throw .otherSystem(version: origin.version, was: self.recipe.system, isNow: recipe.system)
        }
        guard (data.fingerprint.split, data.fingerprint.splitSeed) == (self.data.split, self.data.splitSeed) else {
            throw .otherSplit(
                version: origin.version,
                was: "\(self.data.split), seed \(self.data.splitSeed)",
                isNow: "\(data.fingerprint.split), seed \(data.fingerprint.splitSeed)"
            )
        }
        if let log = data.log { try require(log, mayShrink: mayShrink) }
        try requireItems(ItemVocabulary(ids: data.catalogue.ids))
    }

    /// What a user must know about the validation figures of a training that continues from this version; nil if nothing.
    public func noteOfJudging(by data: TrainingData) -> String? {
        guard let learnt = data.learntUntil, let log else {
            return origin.noteOfLearntUsers(split: data.fingerprint.split)
        }
        let time = Self.time(LogExtent(events: log.events, users: log.users, unit: log.unit, newest: learnt))
        return
            "validation asks about \(NumberText.counted(data.split.validation.judgingCount, "event")) newer than \(time), the newest that version "
            + "\(origin.version) of '\(origin.model)' knows"
    }

    /// Checks that a log is a later state of the version's log.
    func require(_ newer: LogExtent, mayShrink: Bool) throws(ContinuationError) {
        guard let log else { return }
        guard newer.unit == log.unit else {
            throw .otherUnit(version: origin.version, was: log.unit, isNow: newer.unit)
        }
        guard newer.newest >= log.newest else {
            throw .olderLog(version: origin.version, was: Self.time(log), isNow: Self.time(newer))
        }
        guard mayShrink || newer.events >= log.events else {
            throw .shrunkLog(version: origin.version, was: log.events, isNow: newer.events)
        }
    }

    /// Checks that the log still has the items of the version, under the same ids.
    func requireItems(_ vocabulary: ItemVocabulary) throws(ContinuationError) {
        let missing = ids.filter { vocabulary.number(of: $0) == nil }
        guard missing.count * 2 <= ids.count else {
            let known = Set(ids)
            throw .otherItems(
                version: origin.version,
                missing: missing.count,
                of: ids.count,
                was: missing.first ?? "",
                isNow: vocabulary.ids.first { !known.contains($0) } ?? ""
            )
        }
    }

    private static func time(_ log: LogExtent) -> String {
        (TimeScale(rawValue: log.unit) ?? .ordinals).text(Timestamp(log.newest))
    }
}

extension VersionOrigin {
    /// A warning about validation and test figures of a version that continues from this one; nil if they are honest.
    ///
    /// By time, other users are held out once a log has grown, so the earlier version may have learnt from them; a version
    /// without a test part has learnt from all users. The figures are honest where only events judge that it does not know.
    ///
    /// - Parameter split: The kind of the split, as fingerprints name it.
    /// - Returns: A sentence for the user.
    func noteOfLearntUsers(split: String) -> String? {
        guard split == SplitKind.time.rawValue || learntTest == true, learntUntil == nil else { return nil }
        return
            "warning: version \(version) of '\(model)', which this one continues, may have learnt from the held-out users, "
            + "so their figures are too good. `dimerec retrain` compares both versions on events that neither has learnt from"
    }
}

extension LogExtent {
    /// The extent of a data set, with the events of users who are left out.
    init(_ dataset: InteractionDataset) {
        self.init(
            events: dataset.eventCount + dataset.dropped.events,
            users: dataset.userCount,
            unit: TimeScale(dataset.lastTimestamps).rawValue,
            newest: (dataset.lastTimestamps + [dataset.dropped.newest].compactMap(\.self)).max()?.nearest ?? 0
        )
    }
}

/// Why a training cannot continue from a version.
public enum ContinuationError: Error, Equatable, CustomStringConvertible {
    /// The recipe has another system.
    case otherSystem(version: Int, was: String, isNow: String)
    /// A parameter of the version does not fit the recipe.
    case otherShape(version: Int, parameter: String, was: [Int], isNow: [Int])
    /// The parts of the data would mix with those of the version.
    case otherSplit(version: Int, was: String, isNow: String)
    /// The times of the log count another unit.
    case otherUnit(version: Int, was: String, isNow: String)
    /// The log has fewer events.
    case shrunkLog(version: Int, was: Int, isNow: Int)
    /// The log ends earlier.
    case olderLog(version: Int, was: String, isNow: String)
    /// Most items of the version are not in the log.
    case otherItems(version: Int, missing: Int, of: Int, was: String, isNow: String)

    /// The two values and the next step.
    public var description: String {
        let anew = "train from nothing (`train` without --from, `retrain` with --full)"
        return switch self {
        case .otherSystem(let version, let was, let isNow):
            "Version \(version) is of the system '\(was)', and the recipe has '\(isNow)'. Give a recipe of '\(was)', or "
                + "\(anew)."
        case .otherShape(let version, let parameter, let was, let isNow):
            "The parameter '\(parameter)' of version \(version) has shape \(was), and the recipe needs \(isNow). Omit --recipe "
                + "to use the version's own, or \(anew)."
        case .otherSplit(let version, let was, let isNow):
            "Version \(version) was trained with the split \(was), and these data have \(isNow), so users who judged it would "
                + "be learnt from. Omit --split and --recipe, or \(anew)."
        case .otherUnit(let version, let was, let isNow):
            "The times of the log of version \(version) were \(was), and now they are \(isNow). Write the log with \(was) "
                + "again, or \(anew)."
        case .shrunkLog(let version, let was, let isNow):
            "The log of version \(version) had \(was) events, and now it has \(isNow). Restore the missing events. If the log "
                + "is a moving window, allow it with --log-may-shrink, or `logMayShrink` in the file of `dimerec retrain`."
        case .olderLog(let version, let was, let isNow):
            "The newest event of the log of version \(version) was \(was), and now it is \(isNow). Give the current log, or "
                + "\(anew)."
        case .otherItems(let version, let missing, let count, let was, let isNow):
            "\(missing) of the \(count) items of version \(version) are not in the log: the version has '\(was.printable)', the "
                + "log has '\(isNow.printable)'. Write the ids as before, or \(anew)."
        }
    }
}
