import Kernels

/// The events of a log with all their times, in the log's order.
///
/// Memory: 16 bytes an event (user, item and time); 8 more when a time needs more than a Double, 4 more with weights.
struct EventLog {
    /// Notes for the user about the files.
    private(set) var notes: [String] = []
    /// The name of the log in notes.
    private(set) var name = ""
    /// Whether the times were written as numbers that count from 1970.
    private(set) var countsFrom1970 = false
    /// Whether the log has a column of times; otherwise the number of a row is its time.
    private(set) var hasTimes = false
    /// The user of each event, an index of ``userIDs``.
    private(set) var users: [Int32] = []
    /// The item of each event, a number of the vocabulary.
    private(set) var items: [Int32] = []
    /// The time of each event.
    private(set) var times = TimestampColumn()
    /// The weight of each event as a target; empty when every event counts alike.
    private(set) var weights: [Float] = []
    /// User ids, in order of first appearance.
    private(set) var userIDs: [String] = []
    /// The values of the columns of kinds and of ratings; nil unless they were counted.
    private(set) var values: EventValues?
    private(set) var userTable = InternTable()
    private var unknownTable = InternTable()
    private var digest = EventDigest()
    /// The digest and the number of the events up to a time, those of left-out users too.
    private(set) var earlier: (until: Double, digest: EventDigest, events: Int)?
    /// The users who were left out after they were read, and their events.
    private var dropped = InteractionDataset.Dropped()

    /// A log without events yet.
    init(notes: [String] = [], hasTimes: Bool = false) {
        self.notes = notes
        self.hasTimes = hasTimes
    }

    /// Reads a log; see ``InteractionDataset/load(events:columns:targets:vocabulary:unknownItems:)``.
    ///
    /// It has at least one event, and at most `rowLimit`. Users whom `targets` leaves out are not in it, but count for the
    /// digest, which identifies the files.
    static func read(
        _ source: EventSource,
        _ columns: EventColumns,
        _ targets: TargetConfiguration,
        _ vocabulary: inout ItemVocabulary,
        _ unknownItems: UnknownItems,
        countsValues: Bool = false,
        rowLimit: Int = CSVReader.rowLimit,
        decided: [String]? = nil,
        earlierUntil: Double? = nil
    ) throws(CSVError) -> EventLog {
        var log = EventLog()
        log.earlier = earlierUntil.map { ($0, EventDigest(), 0) }
        var reading = try EventReading(columns, targets, of: source, countsValues: countsValues)
        for part in source.parts {
            try part.read(reading.request) { (reader: inout CSVReader) throws(CSVError) in
                try reading.begin(&reader)
                while try reader.next() {
                    guard log.users.count < rowLimit else {
                        throw .tooManyRows(file: source.name, limit: rowLimit)
                    }
                    try log.add(try reading.event(in: reader), from: reader, &vocabulary, unknownItems)
                }
                reading.finish(reader)
            }
        }
        guard !log.users.isEmpty else { throw .empty(file: source.name) }
        try reading.end(of: source.name)
        (log.name, log.countsFrom1970) = (source.name, reading.countsFrom1970)
        (log.notes, log.hasTimes, log.values) = (reading.notes(of: source), reading.hasTimes, reading.values)
        if reading.hasDigitDates {
            log.notes.append("\(source.name): times such as \(log.times[0]) are read as dates in digits, YYYYMMDD")
            log.times.readAsDigitDates()
        }
        log.notes += reading.notesOfTimes(of: source.name)
        log = log.withoutDroppedUsers(targets, decided: decided)
        guard !log.users.isEmpty else { throw .onlyDroppedUsers(targets.dropUsers.kinds, log: source.name) }
        log.notes += log.notesOfMissingIDs(of: source, vocabulary, reading)
        log.notes += Self.notesOfRoundedIDs(log.userIDs, .user, of: source)
        log.notes += Self.notesOfRoundedIDs(vocabulary.ids, .item, of: source)
        if let note = log.noteOfTargets(targets) { log.notes.append(note) }
        return log
    }

    /// Adds an event; without a time, the number of the row in the log is the time.
    private mutating func add(
        _ event: EventReading.Event,
        from reader: borrowing CSVReader,
        _ vocabulary: inout ItemVocabulary,
        _ unknownItems: UnknownItems
    ) throws(CSVError) {
        let known = vocabulary.count
        let number: Int32
        switch unknownItems {
        case .extend: number = vocabulary.intern(event.item)
        case .mark: number = vocabulary.number(of: event.item) ?? unknown(event.item)
        }
        if vocabulary.count != known { try reader.requireText(event.item, event.itemColumn) }
        let time = event.time ?? Timestamp(Double(users.count))
        let isNew = append(user: event.user, item: event.item, number: number, time: time, weight: event.weight)
        if isNew { try reader.requireText(event.user, event.userColumn) }
    }

    /// Adds an event.
    ///
    /// - Parameters:
    ///   - user: The user's id.
    ///   - item: The item's id.
    ///   - number: The item's number.
    ///   - time: When it was.
    ///   - weight: Its weight as a target; nil in a log in which every event counts alike.
    /// - Returns: Whether the user is new.
    mutating func append(
        user: ArraySlice<UInt8>,
        item: ArraySlice<UInt8>,
        number: Int32,
        time: Timestamp,
        weight: Float?
    ) -> Bool {
        let (userNumber, isNew) = userTable.insert(user)
        if isNew { userIDs.append(String(decoding: user, as: UTF8.self)) }
        users.append(userNumber)
        items.append(number)
        times.append(time)
        if let weight { weights.append(weight) }
        digest.add(user: user, item: item, time: time, weight: weight ?? 1)
        if let until = earlier?.until, time.nearest <= until {
            earlier?.digest.add(user: user, item: item, time: time, weight: weight ?? 1)
            earlier?.events += 1
        }
        return isNew
    }

    /// The log with further notes.
    func adding(_ notes: [String]) -> EventLog {
        var log = self
        log.notes += notes
        return log
    }

    /// The log without some users; the digest stays.
    func without(_ dropped: Set<Int32>) -> EventLog {
        var log = self
        (log.users, log.items, log.times, log.weights) = ([], [], TimestampColumn(), [])
        (log.userIDs, log.userTable) = ([], InternTable())
        log.dropped.users += dropped.sorted().map { userIDs[Int($0)] }
        for event in users.indices {
            guard !dropped.contains(users[event]) else {
                log.dropped.add(times[Int32(event)])
                continue
            }
            let (user, isNew) = log.userTable.insert(userTable[users[event]])
            if isNew { log.userIDs.append(userIDs[Int(users[event])]) }
            log.users.append(user)
            log.items.append(items[event])
            log.times.append(times[Int32(event)])
            if !weights.isEmpty { log.weights.append(weights[event]) }
        }
        return log
    }

    /// The events up to a time as a log of their own, with the digest of a file that ends there.
    ///
    /// Events of users who were left out before do not count for the digest, as in a round of `dimerec retrain`.
    func upTo(_ newest: Double, _ vocabulary: ItemVocabulary) -> EventLog {
        var log = EventLog(notes: notes, hasTimes: hasTimes)
        (log.name, log.countsFrom1970) = (name, countsFrom1970)
        let names = vocabulary.ids.map { Array($0.utf8)[...] }
        for event in users.indices where times[Int32(event)].nearest <= newest {
            _ = log.append(
                user: userTable[users[event]],
                item: names[Int(items[event])],
                number: items[event],
                time: times[Int32(event)],
                weight: weights.isEmpty ? nil : weights[event]
            )
        }
        return log
    }

    /// The log in which the items from a number on count as unknown.
    func markingItems(from count: Int, of vocabulary: ItemVocabulary) -> EventLog {
        var log = self
        for event in items.indices where items[event] >= count {
            log.items[event] = log.unknown(Array(vocabulary.ids[Int(items[event])].utf8)[...])
        }
        return log
    }

    /// The digest of all events that were read.
    var identity: String { digest.hexadecimal() }

    /// Takes over how many events a log has left out, but not when: they may be newer than the events of this log.
    mutating func takeCountOfDropped(in log: EventLog) {
        dropped = log.dropped
        dropped.newest = nil
    }

    private mutating func unknown(_ item: ArraySlice<UInt8>) -> Int32 {
        _ = unknownTable.insert(item)
        return InteractionDataset.unknownItem
    }

    private func noteOfTargets(_ targets: TargetConfiguration) -> String? {
        guard !weights.isEmpty else { return nil }
        let count = weights.count { $0 > 0 }
        let start =
            count == 0
            ? "warning: no event is a target"
            : "\(count) of \(weights.count) events \(count == 1 ? "is a target" : "are targets")"
        return "\(start) (\(targets.words)); histories have all events"
    }

    /// A user's number; nil for an id that the log does not have.
    func number(ofUser id: String) -> Int32? { userTable.number(of: Array(id.utf8)[...]) }

    /// The numbers of each user's events, oldest first; ties in time keep the log's order.
    ///
    /// Groups by user in one pass, then sorts the few users whose rows are out of order.
    func eventsByUser() -> RaggedRows {
        var ends = [Int](repeating: 0, count: userIDs.count + 1)
        for user in users { ends[Int(user) + 1] += 1 }
        for user in userIDs.indices { ends[user + 1] += ends[user] }
        let offsets = ends
        var events = [Int32](repeating: 0, count: users.count)
        for (event, user) in users.enumerated() {
            events[ends[Int(user)]] = Int32(event)
            ends[Int(user)] += 1
        }
        for user in userIDs.indices {
            let own = offsets[user]..<offsets[user + 1]
            let isSorted = own.dropFirst().allSatisfy { times[events[$0 - 1]] <= times[events[$0]] }
            if !isSorted { events[own].sort { (times[$0], $0) < (times[$1], $1) } }
        }
        return RaggedRows(ids: events, offsets: offsets)
    }

    /// The events as one sequence a user, given ``eventsByUser()``.
    ///
    /// - Parameters:
    ///   - events: The numbers of each user's events.
    ///   - learntUntil: The newest time that a version has learnt from already; nil if there is none. It says something
    ///     only about times of a clock.
    /// - Returns: The events, in the order of their times.
    func dataset(_ events: RaggedRows, learntUntil: Double? = nil) -> InteractionDataset {
        let lastTimestamps = userIDs.indices.map { times[events.ids[events.offsets[$0 + 1] - 1]] }
        let learntUntil = TimeScale(lastTimestamps).isClock ? learntUntil : nil
        return InteractionDataset(
            userIDs: userIDs,
            sequences: events.mapIDs { items[Int($0)] },
            weights: weights.isEmpty ? [] : events.ids.map { weights[Int($0)] },
            lastTimestamps: lastTimestamps,
            learnt: learntUntil.map { newest in
                InteractionDataset.Learnt(
                    until: newest,
                    events: (0..<events.count).map { user in Int32(events[user].count { times[$0].nearest <= newest }) }
                )
            },
            dropped: dropped,
            unknownEvents: items.count { $0 == InteractionDataset.unknownItem },
            unknownItems: unknownTable.count,
            digest: identity,
            notes: notes + (noteOfOddTimes(lastTimestamps).map { [$0] } ?? [])
        )
    }
}
