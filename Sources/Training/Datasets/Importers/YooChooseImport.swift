/// Converts `yoochoose-clicks.dat` of the RecSys Challenge 2015 to `train.csv`, `validation.csv` and `test.csv`, with
/// the usual split of session-based recommendation.
///
/// The steps and their order are those of SR-GNN's public preprocessing (Wu et al., AAAI 2019), the basis of the
/// figures published for "YooChoose 1/64":
/// 1. Drop sessions of one click.
/// 2. Drop items with fewer than 5 clicks in the remaining sessions, then sessions with fewer than 2 clicks left.
///    Once, not until nothing changes.
/// 3. A session's date is the second of the click that the file lists last for it. Sessions less than a day (86,400
///    s) older than the newest are for testing, older ones for training. A session of exactly a day is dropped.
/// 4. Drop from test sessions the items that no training session holds, then test sessions with fewer than 2 clicks
///    left. Here all training sessions count, so test items may be unseen after the 1/64 cut below.
/// 5. Order the training rows (each prefix of a session that predicts the next click) by session date and keep the
///    newest `rows / fraction`. When this cuts a session, its first clicks stay, because the convention lists a
///    session's longest prefix first.
/// 6. The last tenth of the training sessions is for validation. This step is ours.
///
/// Sessions keep the file's order of clicks, repeats included. The timestamp written is the click's position in the
/// session. The file's category column is left out: it describes how a user reached an item, not the item.
public struct YooChooseImport: Sendable {
    /// `yoochoose-clicks.dat`: session, time in UTC, item, category; no header; `.gz` too.
    public var clicks: String
    /// Keep one in this many of the training rows.
    public var fraction = 64
    /// Drop items with fewer clicks.
    public var minimumClicks = 5

    /// An import with the usual fraction 1/64.
    public init(clicks: String) {
        self.clicks = clicks
    }

    /// Reads the file and writes the folder.
    ///
    /// - Parameter folder: The target folder; missing or empty.
    /// - Returns: Counts.
    /// - Throws: `CSVError` with file, line and column, ``ImportError`` or `SystemCallError`; leaves nothing behind.
    /// - Complexity: O(n + s log s) in clicks and sessions; 12 bytes a click and 32 a session plus the ids.
    /// - Precondition: `fraction` is at least 1.
    public func run(into folder: String) throws -> ImportSummary {
        precondition(fraction >= 1, "a fraction of 1/\(fraction)")
        try DatasetFolder.requireFree(folder)
        var log = try ClickLog(reading: clicks)
        log.dropShortSessions()
        log.dropRareItems(below: minimumClicks)
        log.dropShortSessions()
        var (training, test) = log.partByDate()
        log.dropItemsOutside(training, from: &test)
        training = Self.newest(of: training, fraction: fraction)
        let validated = training.count * 9 / 10
        return try DatasetFolder.create(
            folder,
            source: clicks,
            rows: log.rows,
            users: log.sessionIDs,
            items: log.itemIDs
        ) {
            try $0.write(log.interactions(of: training[..<validated]), as: "train")
            try $0.write(log.interactions(of: training[validated...]), as: "validation")
            try $0.write(log.interactions(of: test[...]), as: "test")
        }
    }

    /// The sessions that hold the newest training rows; the first one may be cut short.
    private static func newest(of sessions: [Session], fraction: Int) -> [Session] {
        var missing = sessions.reduce(0) { $0 + $1.clicks.count - 1 } / fraction
        var first = sessions.count
        while missing > 0 {
            first -= 1
            missing -= sessions[first].clicks.count - 1
        }
        var newest = Array(sessions[first...])
        if missing < 0 { newest[0].clicks = newest[0].clicks.dropLast(-missing) }
        return newest
    }
}

/// A session; its clicks are a range in a ``ClickLog``.
private struct Session {
    let number: Int32
    /// Seconds from 1970 to its last click.
    let date: Int
    var clicks: Range<Int>
}

/// Clicks grouped by session.
private struct ClickLog {
    private(set) var sessionIDs = InternTable()
    private(set) var itemIDs = InternTable()
    /// How many clicks were read.
    private(set) var rows = 0
    /// By first appearance in the file.
    private var sessions: [Session] = []
    /// Items, session by session.
    private var items: [Int32] = []

    /// Reads a file; the clicks of a session need not be adjacent.
    init(reading file: String) throws(CSVError) {
        var reader = try CSVReader(file: file, dialect: .csv, header: ["session", "timestamp", "item", "category"])
        var (clickSessions, clickItems): ([Int32], [Int32]) = ([], [])
        var dates: [Int] = []
        while try reader.next() {
            let (session, isNew) = sessionIDs.insert(try reader.id(0))
            let date = try reader.time(1)
            if isNew { dates.append(date) } else { dates[Int(session)] = date }
            clickSessions.append(session)
            clickItems.append(itemIDs.insert(try reader.id(2)).number)
        }
        rows = clickItems.count
        var ends = [Int](repeating: 0, count: dates.count + 1)
        for session in clickSessions { ends[Int(session) + 1] += 1 }
        for session in dates.indices { ends[session + 1] += ends[session] }
        sessions = dates.indices.map { number in
            Session(number: Int32(number), date: dates[number], clicks: ends[number]..<ends[number + 1])
        }
        items = [Int32](repeating: 0, count: rows)
        for (session, item) in zip(clickSessions, clickItems) {
            items[ends[Int(session)]] = item
            ends[Int(session)] += 1
        }
    }

    /// Drops sessions of fewer than two clicks.
    mutating func dropShortSessions() {
        sessions.removeAll { $0.clicks.count < 2 }
    }

    /// Drops items with fewer than `minimum` clicks in the remaining sessions.
    mutating func dropRareItems(below minimum: Int) {
        var counts = [Int](repeating: 0, count: itemIDs.count)
        for session in sessions {
            for item in items[session.clicks] { counts[Int(item)] += 1 }
        }
        Self.keep(&items, of: &sessions) { counts[Int($0)] >= minimum }
    }

    /// Sessions before the newest day and sessions in it, each sorted by date; the file's order breaks ties.
    func partByDate() -> (training: [Session], test: [Session]) {
        let newest = sessions.lazy.map(\.date).max() ?? 0
        let start = newest - 86_400
        let byDate = sessions.sorted { ($0.date, $0.number) < ($1.date, $1.number) }
        return (byDate.filter { $0.date < start }, byDate.filter { $0.date > start })
    }

    /// Drops from the test sessions the items that no training session holds, then sessions of fewer than two clicks.
    mutating func dropItemsOutside(_ training: [Session], from test: inout [Session]) {
        var isKnown = [Bool](repeating: false, count: itemIDs.count)
        for session in training {
            for item in items[session.clicks] { isKnown[Int(item)] = true }
        }
        Self.keep(&items, of: &test) { isKnown[Int($0)] }
        test.removeAll { $0.clicks.count < 2 }
    }

    /// The clicks of some sessions, with the position in the session as timestamp.
    func interactions(of sessions: ArraySlice<Session>) -> some Sequence<Interaction> {
        sessions.lazy.flatMap { session in
            session.clicks.lazy.map { click in
                Interaction(
                    user: session.number,
                    item: items[click],
                    timestamp: Timestamp(Double(click - session.clicks.lowerBound))
                )
            }
        }
    }

    /// Moves the kept items to the front of their session.
    private static func keep(_ items: inout [Int32], of sessions: inout [Session], where stays: (Int32) -> Bool) {
        for index in sessions.indices {
            var end = sessions[index].clicks.lowerBound
            for click in sessions[index].clicks where stays(items[click]) {
                items[end] = items[click]
                end += 1
            }
            sessions[index].clicks = sessions[index].clicks.lowerBound..<end
        }
    }
}
