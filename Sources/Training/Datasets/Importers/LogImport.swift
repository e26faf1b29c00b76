/// Prepares any log for training: a folder with `events.csv`, or with `train.csv`, `validation.csv` and `test.csv`,
/// and `items.csv` with statistics of the items.
///
/// These steps follow one another, each only if it is asked for:
/// 1. Drop rows without a user, an item or a time.
/// 2. Drop events with a rating below `minimumRating`.
/// 3. Drop repeated rows: those with the user, item and time of an earlier one.
/// 4. Cut the events of each user into sessions. A session ends before a pause longer than `sessionGap`. The user
///    becomes the session's id: the user's id, `#`, and the number of the session, from 1.
/// 5. Keep the N-core, with N = `core`: users and items that have at least N events with each other.
/// 6. Divide whole users by the time of their last event, as ``SplitKind/time`` does.
///
/// Rows keep the order of the log, which later breaks ties in time. `deploy/spark/prepare` takes the same steps on
/// Apache Spark, for logs that do not fit the memory of a machine.
public struct LogImport: Sendable {
    /// The log.
    public var events: EventSource
    /// Names of columns that are not recognised.
    public var columns = EventColumns()
    /// Whether rows without a user, an item or a time are dropped; otherwise they are an error.
    public var dropsEmpty = false
    /// The lowest rating of an event; 0 needs no column of ratings.
    public var minimumRating = 0.0
    /// Whether repeated rows are dropped.
    public var dropsRepeats = false
    /// The longest pause within a session, in the unit of the log's times (seconds for dates); nil for no sessions.
    public var sessionGap: Double?
    /// Keep users and items with as many events among each other; 0 and 1 keep all.
    public var core = 0
    /// Whether to write the three parts of a split by time in place of `events.csv`.
    public var splitsByTime = false

    /// An import that only writes the log again.
    public init(events: EventSource) {
        self.events = events
    }

    /// Reads the log and writes the folder.
    ///
    /// - Parameter folder: The target folder; missing or empty.
    /// - Returns: Counts.
    /// - Throws: `CSVError` with file, line and column, ``ImportError`` or `SystemCallError`; leaves nothing behind.
    /// - Complexity: O(n log n) in events, and O(n) for each round of the core; 32 bytes an event plus the ids.
    public func run(into folder: String) throws -> ImportSummary {
        try DatasetFolder.requireFree(folder)
        var (log, rows, hasTimes, notes) = try read()
        guard hasTimes || sessionGap == nil && !splitsByTime else { throw ImportError.noTimes(events.name) }
        if dropsRepeats { log.dropRepeats() }
        if let sessionGap { log = log.sessions(gap: sessionGap) }
        log.keepCore(core)
        let parts = splitsByTime ? log.partsByTime() : []
        var summary = try DatasetFolder.create(
            folder,
            source: events.name,
            rows: rows,
            users: log.users,
            items: log.items
        ) {
            if splitsByTime {
                for part in SplitPart.allCases {
                    try $0.write(log.interactions.lazy.filter { parts[Int($0.user)] == part }, as: part.rawValue)
                }
            } else {
                try $0.write(log.interactions, as: "events")
            }
            try $0.writeItems(log.statistics(), hasNames: false)
        }
        summary.notes = notes
        return summary
    }

    private func read() throws(CSVError) -> (InteractionLog, rows: Int, hasTimes: Bool, notes: [String]) {
        var targets = TargetConfiguration()
        targets.minRating = minimumRating
        var reading = try EventReading(columns, targets, of: events)
        var (log, rows) = (InteractionLog(), 0)
        for part in events.parts {
            try part.read(reading.request) { (reader: inout CSVReader) throws(CSVError) in
                try reading.begin(&reader)
                while try reader.next() {
                    let event: EventReading.Event
                    do throws(CSVError) {
                        event = try reading.event(in: reader)
                    } catch {
                        switch error {
                        case .emptyID where dropsEmpty, .emptyTime where dropsEmpty: rows += 1
                        default: throw error
                        }
                        continue
                    }
                    let time = event.time ?? Timestamp(Double(rows))
                    rows += 1
                    if event.weight != 0 { log.append(user: event.user, item: event.item, timestamp: time) }
                }
            }
        }
        guard rows > 0 else { throw .empty(file: events.name) }
        try reading.end(of: events.name)
        if reading.hasDigitDates { log = log.withDigitDates() }
        return (log, rows, reading.hasTimes, reading.notes(of: events) + reading.notesOfTimes(of: events.name))
    }
}

extension InteractionLog {
    /// Positions of the interactions by user, then by time; ties in time keep the order.
    private var byUserAndTime: [Int] {
        interactions.indices.sorted {
            let (a, b) = (interactions[$0], interactions[$1])
            return (a.user, a.timestamp, $0) < (b.user, b.timestamp, $1)
        }
    }

    /// The same interactions, with dates in digits as seconds since 1970.
    func withDigitDates() -> InteractionLog {
        var log = InteractionLog()
        for interaction in interactions {
            let time = DigitDate.seconds(interaction.timestamp).map { Timestamp(Double($0)) } ?? interaction.timestamp
            log.append(user: users[interaction.user], item: items[interaction.item], timestamp: time)
        }
        return log
    }

    /// Drops rows with the user, item and time of an earlier one.
    mutating func dropRepeats() {
        var isRepeat = [Bool](repeating: false, count: interactions.count)
        var seen: Set<Int32> = []
        var last: Interaction?
        for place in byUserAndTime {
            let interaction = interactions[place]
            if interaction.user != last?.user || interaction.timestamp != last?.timestamp { seen = [] }
            isRepeat[place] = !seen.insert(interaction.item).inserted
            last = interaction
        }
        var place = -1
        removeAll { _ in
            place += 1
            return isRepeat[place]
        }
    }

    /// The same interactions, with a session in place of each user; it ends before a pause longer than the gap.
    func sessions(gap: Double) -> InteractionLog {
        var numbers = [Int](repeating: 0, count: interactions.count)
        var (last, number): (Interaction?, Int) = (nil, 0)
        for place in byUserAndTime {
            let interaction = interactions[place]
            if interaction.user != last?.user {
                number = 1
            } else if let last, interaction.timestamp.nearest - last.timestamp.nearest > gap {
                number += 1
            }
            numbers[place] = number
            last = interaction
        }
        var log = InteractionLog()
        for (interaction, number) in zip(interactions, numbers) {
            let session = Array(users[interaction.user]) + Array("#\(number)".utf8)
            log.append(user: session[...], item: items[interaction.item], timestamp: interaction.timestamp)
        }
        return log
    }

    /// The part of each user in a split by time; users without interactions are in no part that has any.
    func partsByTime() -> [SplitPart] {
        var places = [Int](repeating: -1, count: users.count)
        var (order, lasts): ([Int32], [Timestamp]) = ([], [])
        for interaction in interactions {
            let user = Int(interaction.user)
            if places[user] < 0 {
                places[user] = order.count
                order.append(interaction.user)
                lasts.append(interaction.timestamp)
            }
            lasts[places[user]] = max(lasts[places[user]], interaction.timestamp)
        }
        let parts = DataSplit.timedParts(of: lasts)
        return places.map { $0 < 0 ? .train : parts[$0] }
    }

    /// For each item its events, its users, and the times of its first and its last event.
    func statistics() -> ItemTexts {
        var events = [Int](repeating: 0, count: items.count)
        var userCounts = events
        var range = [(first: Timestamp, last: Timestamp)?](repeating: nil, count: items.count)
        var pairs = interactions.indices.sorted {
            (interactions[$0].item, interactions[$0].user) < (interactions[$1].item, interactions[$1].user)
        }[...]
        while let first = pairs.popFirst() {
            let interaction = interactions[first]
            let (item, time) = (Int(interaction.item), interaction.timestamp)
            events[item] += 1
            range[item] = (min(range[item]?.first ?? time, time), max(range[item]?.last ?? time, time))
            let next = pairs.first.map { interactions[$0] }
            if next?.item != interaction.item || next?.user != interaction.user { userCounts[item] += 1 }
        }
        var texts = ItemTexts(of: items)
        for (item, range) in range.enumerated() {
            guard let range else { continue }
            texts.set("events:integer", "\(events[item])", of: Int32(item))
            texts.set("users:integer", "\(userCounts[item])", of: Int32(item))
            texts.set("first:number", "\(range.first)", of: Int32(item))
            texts.set("last:number", "\(range.last)", of: Int32(item))
        }
        return texts
    }
}
