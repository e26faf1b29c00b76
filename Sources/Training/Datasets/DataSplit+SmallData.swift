import Kernels

extension DataSplit {
    /// Splits to try, in this order, when the requested split gives no rows.
    ///
    /// Leave-one-out needs a single user with four events; the others need many users.
    public static let fallbacks: [SplitKind] = [.leaveOneOut, .time, .users]

    /// Whether there is at least one training row and one validation row.
    public var hasRows: Bool { train.hasRows && validation.hasRows }

    /// The requested split, or the first fallback that gives training rows and validation rows.
    ///
    /// - Parameters:
    ///   - dataset: The events.
    ///   - file: The file of the events, for the error.
    ///   - kind: The requested split.
    ///   - seed: Seed of the split.
    ///   - holdsOutTest: Whether there is a test part.
    /// - Returns: The split and its kind.
    /// - Throws: ``SmallDataError/tooFewEvents(file:users:events:targets:longest:)``.
    static func fitting(
        _ dataset: InteractionDataset,
        of file: String,
        by kind: SplitKind,
        seed: UInt64,
        holdsOutTest: Bool = true
    ) throws(SmallDataError) -> (split: DataSplit, kind: SplitKind) {
        for kind in [kind] + fallbacks.filter({ $0 != kind }) {
            let split = DataSplit(dataset, by: kind, seed: seed, holdsOutTest: holdsOutTest)
            if split.hasRows { return (split, kind) }
        }
        throw .tooFewEvents(
            file: file,
            users: dataset.userCount,
            events: dataset.eventCount,
            targets: dataset.weights.isEmpty ? dataset.eventCount : dataset.weights.count { $0 > 0 },
            longest: dataset.sequences.longest
        )
    }
}

extension InteractionDataset {
    /// The split that suits the times of the events: by time if they are a clock's, otherwise by users.
    var splitByTimes: SplitKind { hasClock ? .time : .users }

    /// The split to use where none is asked for.
    ///
    /// It is ``splitByTimes``, unless the users whom that split holds out have most of the events. Then too little would be
    /// left to learn from, so the split is ``SplitKind/leaveOneOut`` if that has enough targets to judge by.
    func suitedSplit(seed: UInt64) -> SplitKind {
        guard let parts = DataSplit.parts(of: self, by: splitByTimes, seed: seed) else { return splitByTimes }
        func events(_ isIncluded: (Int) -> Bool) -> Int {
            parts.indices.reduce(0) { isIncluded($1) ? $0 + sequences[$1].count : $0 }
        }
        let judges = sequences.lengths.count { $0 > 3 } >= DataPart.fewTargets
        return judges && 2 * events { parts[$0] == .train } < events { _ in true } ? .leaveOneOut : splitByTimes
    }

    /// The same events, all of which may judge where a split leaves too few new ones to judge by.
    func judgedAnew(by kind: SplitKind, seed: UInt64, holdsOutTest: Bool) -> InteractionDataset {
        guard learnt != nil else { return self }
        let split = DataSplit(self, by: kind, seed: seed, holdsOutTest: holdsOutTest)
        let users = (0..<split.validation.sequences.count).count { !split.validation.judgingItems(of: $0).isEmpty }
        guard split.validation.hasFewTargets || users < DataPart.fewUsers else { return self }
        var dataset = self
        dataset.learnt = nil
        return dataset
    }
}

extension DataPart {
    /// The number of targets below which validation says little: at 100 rows, an HR@20 of .3 is uncertain by .09.
    static let fewTargets = 100
    /// The number of users below which the new events of a log say little: the events of one user are much alike.
    static let fewUsers = 50

    /// How many items are targets: those with others before them and with a weight.
    var targetCount: Int {
        guard !weights.isEmpty else { return sequences.ids.count - sequences.lengths.count { $0 > 0 } }
        return (0..<sequences.count).reduce(0) { count, user in
            count + weights[sequences.offsets[user]..<sequences.offsets[user + 1]].dropFirst().count { $0 > 0 }
        }
    }

    /// How many items judge.
    var judgingCount: Int { (0..<sequences.count).reduce(0) { $0 + judgingItems(of: $1).count } }

    /// Whether so few items judge that chance decides.
    var hasFewTargets: Bool { judgingCount < Self.fewTargets }

    /// A warning about a validation part that is too small to choose by; nil for a larger one.
    var noteOfFewTargets: String? {
        guard hasFewTargets else { return nil }
        return
            "warning: the validation part has only \(NumberText.counted(judgingCount, "target")), so chance has a large part in "
            + "what it decides: when the training ends and which weights are kept. More events would help"
    }
}

/// The data give no training rows or no validation rows.
public enum SmallDataError: Error, Equatable, CustomStringConvertible {
    /// No split of a file gives both kinds of rows; `targets` of the events may be targets.
    case tooFewEvents(file: String, users: Int, events: Int, targets: Int, longest: Int)
    /// Without the events of some users no split gives both kinds of rows; the reason is that of the rest.
    case tooFewWithoutUsers([String], String)
    /// A file of one part has no user with two events.
    case noRows(file: String, users: Int)

    /// The times of a file are no clock's, so folds by time would compare numbers that mean nothing to each other.
    case noClock(file: String)
    /// The times of a file are no clock's, so no newer events could test a version without a test part.
    case noClockForTest(file: String)
    /// A fold by time has no training, validation or test rows.
    case tooFewForFolds(file: String, fold: Int, folds: Int)

    /// The number of events found, and how many are needed.
    public var description: String {
        switch self {
        case .tooFewEvents(let file, let users, let events, let targets, let longest):
            "Too few events in '\(file)' for any split into training and validation rows: \(events) in all, "
                + (targets < events ? "\(targets) of them targets, " : "")
                + "at most \(longest) per user, users: \(users). "
                + (targets < events
                    ? "Let more events be targets." : "Give at least one user with 4 events, or ten users with 2 each.")
        case .tooFewWithoutUsers(let users, let reason):
            reason + " The events of \(users.map { "'\($0)'" }.joined(separator: " and ")) are left out of it: "
                + SharedUser.remedy + "."
        case .noClock(let file):
            "The times of '\(file)' are ordinals or missing, so they do not compare between users, and folds by time have no "
                + "meaning. Give a log with seconds, milliseconds or dates."
        case .noClockForTest(let file):
            "The times of '\(file)' are ordinals or missing, so it would be unknown which events are newer, and nothing could "
                + "test a version without a test part. Leave out --without-test-part, or give a log with seconds, milliseconds or "
                + "dates."
        case .tooFewForFolds(let file, let fold, let folds):
            "Fold \(fold) of \(folds) of '\(file)' has no training, validation or test rows. Ask for fewer folds with --folds, "
                + "or give more events."
        case .noRows(let file, let users):
            "No user of '\(file)' has 2 events, so there is no next item to predict; users: \(users). Give a file with at "
                + "least one such user; is its user column the right one?"
        }
    }
}
