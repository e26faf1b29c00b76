import CheckpointStore
public import Kernels

/// How to treat an item that the vocabulary does not hold.
public enum UnknownItems: Sendable {
    /// Add it to the vocabulary. For training data.
    case extend
    /// Mark it as ``InteractionDataset/unknownItem``. For data that evaluate a model.
    case mark
}

/// The events of one log, as one sequence of item numbers a user.
public struct InteractionDataset: Sendable {
    /// The number that stands for an item outside the vocabulary.
    public static let unknownItem: Int32 = -1

    /// User ids, in order of first appearance.
    public let userIDs: [String]
    /// Row `u` holds the items of user `u`, oldest first; ties in time keep the file's order.
    public let sequences: RaggedRows
    /// The weight of each event of ``sequences`` as a target, in the same order; empty when every event counts 1.
    public let weights: [Float]
    /// When each user's last event happened.
    public let lastTimestamps: [Timestamp]
    /// What a version that a training continues from has learnt already; nil if there is none.
    var learnt: Learnt?
    /// The users who were left out of the log, and their events.
    let dropped: Dropped
    /// How many events name an item outside the vocabulary.
    public let unknownEvents: Int
    /// How many different items outside the vocabulary were named.
    public let unknownItems: Int
    /// SHA-256, in hexadecimal, of user, item and timestamp in the file's order.
    ///
    /// Identifies the data. It does not depend on quoting, delimiters, line ends, compression, column names, the
    /// order and number of columns, or on how a time is written.
    public let digest: String
    /// Notes for the user: the columns that were recognised, unless the file has the standard ones.
    public let notes: [String]

    /// How many users there are.
    public var userCount: Int { userIDs.count }
    /// Whether the times are a clock's, such as seconds since 1970, rather than ordinals or numbers of days.
    public var hasClock: Bool { TimeScale(lastTimestamps).isClock }
    /// How many events there are.
    public var eventCount: Int { sequences.ids.count }

    /// Reads a log with a column of users, one of items and one of times.
    ///
    /// Columns and delimiter are recognised from the header. Times are compared exactly; without a column of times,
    /// the rows are taken as ordered. Items get numbers by first appearance, after the items that `vocabulary`
    /// already holds. Pass the same vocabulary to give several logs the same numbers. The rows are streamed. Speed:
    /// about a million rows a second.
    /// - Parameters:
    ///   - source: The files, in the order of their names.
    ///   - columns: Explicit column names; nil ones are recognised from the header.
    ///   - targets: Which events are targets, their weights, and which users are left out.
    ///   - vocabulary: Item numbers; extended under ``UnknownItems/extend``.
    ///   - unknownItems: How to treat items that the vocabulary does not hold.
    ///   - learntUntil: The newest time that a version has learnt from already; nil if there is none.
    /// - Returns: At least one event.
    /// - Throws: `CSVError` with file, line and column. The vocabulary may then hold items of earlier rows.
    /// - Complexity: O(n log n) in events at worst, O(n) when each user's rows are in order. Memory: 16 bytes an
    ///   event while reading, 24 at the end, 4 afterwards; 8 more while reading when a time needs more than a Double.
    public static func load(
        events source: EventSource,
        columns: EventColumns = EventColumns(),
        targets: TargetConfiguration = TargetConfiguration(),
        vocabulary: inout ItemVocabulary,
        unknownItems: UnknownItems = .extend,
        learntUntil: Double? = nil
    ) throws(CSVError) -> InteractionDataset {
        try load(
            source,
            columns,
            targets,
            &vocabulary,
            unknownItems,
            rowLimit: CSVReader.rowLimit,
            learntUntil: learntUntil
        )
    }

    /// The same for one file in which every event is a target.
    public static func load(
        events path: String,
        columns: EventColumns = EventColumns(),
        vocabulary: inout ItemVocabulary,
        unknownItems: UnknownItems = .extend
    ) throws(CSVError) -> InteractionDataset {
        try load(
            events: EventSource(file: path),
            columns: columns,
            vocabulary: &vocabulary,
            unknownItems: unknownItems
        )
    }

    /// The same with a row limit that a test can reach, and with users whom another part has left out.
    package static func load(
        _ source: EventSource,
        _ columns: EventColumns,
        _ targets: TargetConfiguration,
        _ vocabulary: inout ItemVocabulary,
        _ unknownItems: UnknownItems,
        rowLimit: Int,
        decided: [String]? = nil,
        learntUntil: Double? = nil
    ) throws(CSVError) -> InteractionDataset {
        let log = try EventLog.read(
            source,
            columns,
            targets,
            &vocabulary,
            unknownItems,
            rowLimit: rowLimit,
            decided: decided
        )
        return log.dataset(log.eventsByUser(), learntUntil: learntUntil)
    }
}

extension InteractionDataset {
    /// The histories of the users who were active last.
    ///
    /// - Parameter count: How many histories to return at most.
    /// - Returns: The known items of each user, oldest first. The user with the newest event comes first; users without
    ///   a known item are left out.
    public func newestHistories(_ count: Int) -> [[Int32]] {
        let users = (0..<userCount).sorted { (lastTimestamps[$1], $0) < (lastTimestamps[$0], $1) }
        let histories = users.lazy.map { Array(sequences[$0].filter { $0 >= 0 }) }
        return Array(histories.filter { !$0.isEmpty }.prefix(count))
    }
}

extension InteractionDataset {
    /// The part of a log that an earlier version knows.
    struct Learnt: Sendable {
        /// The time of its newest event.
        var until: Double
        /// How many events of each user it has, the oldest ones.
        var events: [Int32]
    }

    /// Events that were read and then left out.
    struct Dropped: Sendable, Equatable {
        /// Their users.
        var users: [String] = []
        /// How many there are.
        private(set) var events = 0
        /// When the newest of them happened.
        var newest: Timestamp?

        /// Counts an event.
        mutating func add(_ time: Timestamp) {
            events += 1
            newest = max(newest ?? time, time)
        }
    }
}
