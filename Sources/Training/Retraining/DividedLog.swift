import CheckpointStore
import Kernels

/// A log divided at a time: the older events, to train on, and rows of the newer ones, to judge by.
struct DividedLog {
    /// The older events.
    let older: InteractionDataset
    /// The items of the older events.
    let vocabulary: ItemVocabulary
    /// The newer events as rows, in the numbers of ``allItems``.
    ///
    /// Each is a target, and its history are all earlier events of its user.
    let rows: EvaluationRows
    /// The items of the rows; the older events' items come first.
    let allItems: ItemVocabulary

    /// Divides a log; nil when no event is older.
    ///
    /// - Parameters:
    ///   - log: All events.
    ///   - items: The vocabulary of the log.
    ///   - start: The time of the first newer event.
    ///   - end: The time of the first event to leave out; nil for none.
    ///   - learntUntil: The newest time that an earlier version has learnt from; nil if there is none.
    /// - Complexity: O(n log n) in events.
    init?(
        _ log: EventLog,
        _ items: ItemVocabulary,
        at start: Timestamp,
        until end: Timestamp? = nil,
        learntUntil: Double? = nil
    ) {
        var (older, newer) = (EventLog(notes: log.notes, hasTimes: true), EventLog(notes: [], hasTimes: true))
        var vocabulary = ItemVocabulary()
        let users = log.userIDs.map { Array($0.utf8)[...] }
        let names = items.ids.map { Array($0.utf8)[...] }
        func events(where isIncluded: (Timestamp) -> Bool) -> [Int] {
            log.users.indices.filter { isIncluded(log.times[Int32($0)]) }
        }
        func add(_ event: Int, to part: inout EventLog) {
            let item = names[Int(log.items[event])]
            _ = part.append(
                user: users[Int(log.users[event])],
                item: item,
                number: vocabulary.intern(item),
                time: log.times[Int32(event)],
                weight: log.weights.isEmpty ? nil : log.weights[event]
            )
        }
        for event in events(where: { $0 < start }) {
            add(event, to: &older)
        }
        guard !older.users.isEmpty else { return nil }
        // Items of left-out users alone stay in the catalogue, as in a training on the whole log.
        var hasEvent = [Bool](repeating: false, count: names.count)
        for item in log.items where item >= 0 { hasEvent[Int(item)] = true }
        for item in names.indices where !hasEvent[item] { _ = vocabulary.intern(names[item]) }
        older.takeCountOfDropped(in: log)
        self.vocabulary = vocabulary
        self.older = older.dataset(older.eventsByUser(), learntUntil: learntUntil)
        for event in events(where: { time in end.map { time < $0 } ?? true }) {
            add(event, to: &newer)
        }
        allItems = vocabulary
        let rows = newer.eventsByUser()
        let places = (0..<rows.count).map { user in rows[user].count { newer.times[$0] < start } }
        self.rows = EvaluationRows(newer.dataset(rows).sequences, from: places)
    }

    /// The rows in the numbers of a catalogue, at most `limit` of them, evenly spaced.
    func rows(for ids: [String], limit: Int) -> EvaluationRows {
        let catalogue = ItemVocabulary(ids: ids)
        let numbers = allItems.ids.map { catalogue.number(of: $0) ?? InteractionDataset.unknownItem }
        return EvaluationRows(EvaluationRows(rows, limit: limit), renumbered: { numbers[Int($0)] })
    }

    /// How many rows ask for an item of the older events or of an earlier version's catalogue.
    ///
    /// The others are misses for every version, so they cannot tell which one is better.
    func countOfAnswerable(with ids: [String]) -> Int {
        let known = Set(vocabulary.ids).union(ids)
        let isKnown = allItems.ids.map { known.contains($0) }
        return (0..<rows.count).count { row in rows.target(of: row).map { isKnown[Int($0)] } ?? false }
    }

    /// The older events as data of a training.
    ///
    /// - Parameters:
    ///   - path: The file that they come from.
    ///   - columns: Its columns.
    ///   - kind: The split; nil to choose by the data.
    ///   - seed: Seed of the split.
    ///   - metadata: The items file, or nil.
    ///   - isContinued: Whether a training continues from the earlier version, so that only new events judge it.
    /// - Returns: The three parts.
    /// - Throws: ``SmallDataError``, or ``CSVError`` of the items file.
    func trainingData(
        of path: String,
        columns: EventColumns,
        split kind: SplitKind?,
        seed: UInt64,
        items metadata: String?,
        continued isContinued: Bool
    ) throws -> TrainingData {
        var older = older
        if !isContinued { older.learnt = nil }
        return try TrainingData(
            older,
            of: path,
            columns: columns,
            vocabulary: vocabulary,
            split: kind,
            seed: seed,
            items: metadata,
            holdsOutTest: false
        )
    }
}
