import Crypto
public import Kernels

/// What to do with an item that the vocabulary does not hold.
public enum UnknownItems: Sendable {
    /// Add it: for data that a model learns from.
    case extend
    /// Number it ``InteractionDataset/unknownItem``: for data that judges a model.
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
    public let lastTimestamps: [Double]
    /// How many events name an item outside the vocabulary.
    public let unknownEvents: Int
    /// How many different items outside the vocabulary were named.
    public let unknownItems: Int
    /// SHA-256, in hexadecimal, of user, item and timestamp in the file's order.
    ///
    /// Names the data: quoting, line ends, compression, extra columns and the order of columns do not change it.
    public let digest: String

    /// How many users there are.
    public var userCount: Int { userIDs.count }
    /// How many events there are.
    public var eventCount: Int { sequences.ids.count }

    /// Reads a CSV file with the columns `user`, `item` and `timestamp`, gzip-compressed if it ends in `.gz`.
    ///
    /// Items are numbered by first appearance in the file, after those that `vocabulary` holds already; several files
    /// share one numbering by sharing it. Timestamps are compared as Float64. About a million rows a second.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - vocabulary: Item numbers; extended under ``UnknownItems/extend``.
    ///   - unknownItems: What to do with items that it does not hold.
    /// - Returns: At least one event.
    /// - Throws: `CSVError` with file, line and column; the vocabulary may then hold items of the rows before.
    /// - Complexity: O(n log n) in events at worst, O(n) when each user's rows are in order; 16 bytes an event.
    public static func load(
        events path: String,
        vocabulary: inout ItemVocabulary,
        unknownItems: UnknownItems = .extend
    ) throws(CSVError) -> InteractionDataset {
        var log = EventLog()
        var reader = try CSVReader(file: path)
        let columns = try reader.columns(["user", "item", "timestamp"])
        let (userColumn, itemColumn, timeColumn) = (columns[0], columns[1], columns[2])
        while try reader.next() {
            let (user, item) = (try reader.id(userColumn), try reader.id(itemColumn))
            let number: Int32
            switch unknownItems {
            case .extend: number = vocabulary.intern(item)
            case .mark: number = vocabulary.number(of: item) ?? log.unknown(item)
            }
            log.append(user: user, item: item, number: number, timestamp: try reader.number(timeColumn))
        }
        guard !log.users.isEmpty else { throw .empty(file: path) }
        return log.dataset()
    }
}

/// Events in the file's order, on their way into a data set.
private struct EventLog {
    private(set) var users: [Int32] = []
    private var items: [Int32] = []
    private var timestamps: [Double] = []
    private var userTable = InternTable()
    private var userIDs: [String] = []
    private var unknownTable = InternTable()
    private var hash = SHA256()
    private var pending: [UInt8] = []

    mutating func unknown(_ item: ArraySlice<UInt8>) -> Int32 {
        _ = unknownTable.insert(item)
        return InteractionDataset.unknownItem
    }

    mutating func append(user: ArraySlice<UInt8>, item: ArraySlice<UInt8>, number: Int32, timestamp: Double) {
        let (userNumber, isNew) = userTable.insert(user)
        if isNew { userIDs.append(String(decoding: user, as: UTF8.self)) }
        users.append(userNumber)
        items.append(number)
        timestamps.append(timestamp)
        for text in [user, item] {
            appendLittleEndian(UInt32(text.count))
            pending.append(contentsOf: text)
        }
        appendLittleEndian((timestamp == 0 ? 0 : timestamp).bitPattern)
        if pending.count >= 1 << 16 {
            hash.update(data: pending)
            pending.removeAll(keepingCapacity: true)
        }
    }

    /// Groups by user in one pass, then sorts the few users whose rows are out of order.
    func dataset() -> InteractionDataset {
        var ends = [Int](repeating: 0, count: userIDs.count + 1)
        for user in users { ends[Int(user) + 1] += 1 }
        for user in userIDs.indices { ends[user + 1] += ends[user] }
        let starts = ends
        var events = [Int32](repeating: 0, count: users.count)
        for (event, user) in users.enumerated() {
            events[ends[Int(user)]] = Int32(event)
            ends[Int(user)] += 1
        }
        var sequences = RaggedRows()
        var lastTimestamps: [Double] = []
        for user in userIDs.indices {
            var own = Array(events[starts[user]..<starts[user + 1]])
            let isSorted = zip(own, own.dropFirst()).allSatisfy { timestamps[Int($0)] <= timestamps[Int($1)] }
            if !isSorted { own.sort { (timestamps[Int($0)], $0) < (timestamps[Int($1)], $1) } }
            sequences.append(own.map { items[Int($0)] })
            lastTimestamps.append(timestamps[Int(own[own.count - 1])])
        }
        var hash = hash
        hash.update(data: pending)
        return InteractionDataset(
            userIDs: userIDs,
            sequences: sequences,
            lastTimestamps: lastTimestamps,
            unknownEvents: items.count { $0 == InteractionDataset.unknownItem },
            unknownItems: unknownTable.count,
            digest: hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        )
    }

    private mutating func appendLittleEndian(_ value: some FixedWidthInteger) {
        var rest = value
        for _ in 0..<value.bitWidth / 8 {
            pending.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }
}
