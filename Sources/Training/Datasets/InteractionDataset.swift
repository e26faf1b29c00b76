import CheckpointStore
public import Kernels

/// What to do with an item that the vocabulary does not hold.
public enum UnknownItems: Sendable {
    /// Add it to the vocabulary. For training data.
    case extend
    /// Mark it as ``InteractionDataset/unknownItem``. For data that evaluate a model.
    case mark
}

/// The events of one file, as one sequence of item numbers a user.
public struct InteractionDataset: Sendable {
    /// The number that stands for an item outside the vocabulary.
    public static let unknownItem: Int32 = -1

    /// User ids, in order of first appearance.
    public let userIDs: [String]
    /// Row `u` holds the items of user `u`, oldest first; ties in time keep the file's order.
    public let sequences: RaggedRows
    /// When each user's last event happened.
    public let lastTimestamps: [Timestamp]
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

    /// Reads an events file with a column of users, one of items and one of times, gzip-compressed if it ends in `.gz`.
    ///
    /// Columns and delimiter are recognised from the header. Times are compared exactly; without a column of times,
    /// the rows are taken as ordered. Items get numbers by first appearance, after the items that `vocabulary`
    /// already holds. Pass the same vocabulary to give several files the same numbers. Speed: about a million rows a
    /// second.
    /// - Parameters:
    ///   - path: The file.
    ///   - columns: Explicit column names; nil ones are recognised from the header.
    ///   - vocabulary: Item numbers; extended under ``UnknownItems/extend``.
    ///   - unknownItems: What to do with items that the vocabulary does not hold.
    /// - Returns: At least one event.
    /// - Throws: `CSVError` with file, line and column. The vocabulary may then hold items of earlier rows.
    /// - Complexity: O(n log n) in events at worst, O(n) when each user's rows are in order. Memory: 16 bytes an
    ///   event, 24 when a time needs more than a Double.
    public static func load(
        events path: String,
        columns: EventColumns = EventColumns(),
        vocabulary: inout ItemVocabulary,
        unknownItems: UnknownItems = .extend
    ) throws(CSVError) -> InteractionDataset {
        try load(path, columns, &vocabulary, unknownItems, rowLimit: CSVReader.rowLimit)
    }

    /// The same with a row limit that a test can reach.
    package static func load(
        _ path: String,
        _ columns: EventColumns,
        _ vocabulary: inout ItemVocabulary,
        _ unknownItems: UnknownItems,
        rowLimit: Int
    ) throws(CSVError) -> InteractionDataset {
        let log = try EventLog.read(path, columns, &vocabulary, unknownItems, rowLimit: rowLimit)
        return log.dataset(log.eventsByUser())
    }
}

extension EventLog {
    /// Reads an events file; see ``InteractionDataset/load(events:columns:vocabulary:unknownItems:)``.
    ///
    /// - Returns: At least one event.
    static func read(
        _ path: String,
        _ columns: EventColumns,
        _ vocabulary: inout ItemVocabulary,
        _ unknownItems: UnknownItems,
        rowLimit: Int = CSVReader.rowLimit
    ) throws(CSVError) -> EventLog {
        let request = ColumnRequest(roles: [.user, .item, .time], needed: [.user, .item], named: columns)
        var reader = try request.open(path, rowLimit: rowLimit)
        let choice = try ColumnChoice(request, in: reader)
        let (userColumn, itemColumn) = (choice.needed(.user), choice.needed(.item))
        var times = choice[.time].map { TimeColumn(column: $0) }
        var log = EventLog(notes: choice.notes, hasTimes: times != nil)
        while try reader.next() {
            let (user, item) = (try reader.id(userColumn), try reader.id(itemColumn))
            let known = vocabulary.count
            let number: Int32
            switch unknownItems {
            case .extend: number = vocabulary.intern(item)
            case .mark: number = vocabulary.number(of: item) ?? log.unknown(item)
            }
            if vocabulary.count != known { try reader.requireText(item, itemColumn) }
            let time = try times?.next(in: reader)
            let isNew = log.append(user: user, item: item, number: number, time: time)
            if isNew { try reader.requireText(user, userColumn) }
        }
        guard !log.users.isEmpty else { throw .empty(file: path) }
        return log
    }
}

/// The times of a file, which must all be written in one form.
private struct TimeColumn {
    let column: Int
    /// The first time; nil before it is read.
    private var first: CSVError.WrittenTime?
    private var form: TimeForm?

    init(column: Int) {
        self.column = column
    }

    mutating func next(in reader: borrowing CSVReader) throws(CSVError) -> Timestamp {
        let (time, form) = try reader.timestamp(column)
        if form == self.form { return time }
        let written = CSVError.WrittenTime(
            place: reader.location(column),
            text: String(reader.text(column).prefix(40)),
            form: form.rawValue
        )
        if let first { throw .mixedTimes(column: reader.header[column], first: first, other: written) }
        (first, self.form) = (written, form)
        return time
    }
}

/// The events of one file with all their times, in the file's order.
struct EventLog {
    /// Notes for the user about the file.
    let notes: [String]
    /// Whether the file has a column of times; otherwise the number of a row is its time.
    let hasTimes: Bool
    /// The user of each event, an index of ``userIDs``.
    private(set) var users: [Int32] = []
    /// The item of each event, a number of the vocabulary.
    private(set) var items: [Int32] = []
    /// The time of each event.
    private(set) var times = TimestampColumn()
    /// User ids, in order of first appearance.
    private(set) var userIDs: [String] = []
    private var userTable = InternTable()
    private var unknownTable = InternTable()
    private var digest = EventDigest()

    init(notes: [String], hasTimes: Bool) {
        (self.notes, self.hasTimes) = (notes, hasTimes)
    }

    mutating func unknown(_ item: ArraySlice<UInt8>) -> Int32 {
        _ = unknownTable.insert(item)
        return InteractionDataset.unknownItem
    }

    /// Adds an event and returns whether its user is new; without a time, the row number is the time.
    mutating func append(user: ArraySlice<UInt8>, item: ArraySlice<UInt8>, number: Int32, time: Timestamp?) -> Bool {
        let (userNumber, isNew) = userTable.insert(user)
        if isNew { userIDs.append(String(decoding: user, as: UTF8.self)) }
        let time = time ?? Timestamp(Double(users.count))
        users.append(userNumber)
        items.append(number)
        times.append(time)
        digest.add(user: user, item: item, time: time)
        return isNew
    }

    /// A user's number; nil for an id that the log does not have.
    func number(ofUser id: String) -> Int32? { userTable.number(of: Array(id.utf8)[...]) }

    /// The numbers of each user's events, oldest first; ties in time keep the file's order.
    ///
    /// Groups by user in one pass, then sorts the few users whose rows are out of order.
    func eventsByUser() -> RaggedRows {
        var ends = [Int](repeating: 0, count: userIDs.count + 1)
        for user in users { ends[Int(user) + 1] += 1 }
        for user in userIDs.indices { ends[user + 1] += ends[user] }
        let starts = ends
        var events = [Int32](repeating: 0, count: users.count)
        for (event, user) in users.enumerated() {
            events[ends[Int(user)]] = Int32(event)
            ends[Int(user)] += 1
        }
        var rows = RaggedRows()
        for user in userIDs.indices {
            var own = Array(events[starts[user]..<starts[user + 1]])
            let isSorted = zip(own, own.dropFirst()).allSatisfy { times[$0] <= times[$1] }
            if !isSorted { own.sort { (times[$0], $0) < (times[$1], $1) } }
            rows.append(own)
        }
        return rows
    }

    /// The events as one sequence a user, given ``eventsByUser()``.
    func dataset(_ events: RaggedRows) -> InteractionDataset {
        InteractionDataset(
            userIDs: userIDs,
            sequences: events.mapIDs { items[Int($0)] },
            lastTimestamps: userIDs.indices.map { times[events.ids[events.offsets[$0 + 1] - 1]] },
            unknownEvents: items.count { $0 == InteractionDataset.unknownItem },
            unknownItems: unknownTable.count,
            digest: digest.hexadecimal(),
            notes: notes
        )
    }
}
