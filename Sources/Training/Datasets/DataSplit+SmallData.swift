import Kernels

extension DataSplit {
    /// Splits that are tried, in this order, where the one that was asked for gives no rows.
    ///
    /// Leaving one out needs a single user of four events; the others need many users.
    public static let fallbacks: [SplitKind] = [.leaveOneOut, .time, .users]

    /// Whether there is a row to learn from and one to validate by.
    public var hasRows: Bool { train.sequences.longest >= 2 && validation.sequences.longest >= 2 }

    /// The split that was asked for, or the first fallback that gives rows to learn from and to validate by.
    ///
    /// - Parameters:
    ///   - dataset: The events.
    ///   - file: Their file, for the error.
    ///   - kind: The split that was asked for.
    ///   - seed: Names the division.
    /// - Returns: The split and its kind.
    /// - Throws: ``SmallDataError/tooFewEvents(file:users:events:longest:)``.
    static func fitting(
        _ dataset: InteractionDataset,
        of file: String,
        by kind: SplitKind,
        seed: UInt64
    ) throws(SmallDataError) -> (split: DataSplit, kind: SplitKind) {
        for kind in [kind] + fallbacks.filter({ $0 != kind }) {
            let split = DataSplit(dataset, by: kind, seed: seed)
            if split.hasRows { return (split, kind) }
        }
        throw .tooFewEvents(
            file: file,
            users: dataset.userCount,
            events: dataset.eventCount,
            longest: dataset.sequences.longest
        )
    }
}

/// Data without a row to learn from or to validate by.
public enum SmallDataError: Error, Equatable, CustomStringConvertible {
    /// No split of a file gives both kinds of rows.
    case tooFewEvents(file: String, users: Int, events: Int, longest: Int)
    /// A part that was given as a file has no user of two events.
    case noRows(file: String, users: Int)

    /// What there is, and what is needed.
    public var description: String {
        switch self {
        case .tooFewEvents(let file, let users, let events, let longest):
            "'\(file)' has too few events to learn from and to validate by, under any split: \(events) in all, at most "
                + "\(longest) of one user, users: \(users). Give at least one user with 4 events, or ten users with 2 each."
        case .noRows(let file, let users):
            "No user of '\(file)' has 2 events, so there is no next item to predict; users: \(users). Give a file with at "
                + "least one such user; is its user column the right one?"
        }
    }
}
