import CheckpointStore

/// Reads the rows of a log, one file after another, as events.
struct EventReading {
    /// One row.
    struct Event {
        let user: ArraySlice<UInt8>
        let item: ArraySlice<UInt8>
        let (userColumn, itemColumn): (Int, Int)
        /// Nil without a column of times.
        let time: Timestamp?
        /// The weight as a target; nil when every event counts alike.
        let weight: Float?
    }

    /// The columns that each file must have or may have.
    let request: ColumnRequest
    private let targets: TargetConfiguration
    private var choices: [ColumnChoice] = []
    private var times: TimeReading
    private var (userColumn, itemColumn): (Int, Int) = (0, 0)
    private var (eventColumn, weightColumn, ratingColumn): (Int?, Int?, Int?) = (nil, nil, nil)
    /// Whether the next row is the first of its file.
    private var isAtStart = true
    /// A column without a role that looks like times; nil when there is none, or there is a column of times.
    private var timelike: String?
    /// A column without a role that looks like the time of the day; nil when there is none, or there is no column of times.
    private var timeOfDay: String?
    /// Kinds of events without a weight, at most 20, and where the first of them is.
    private var unknownKinds: (kinds: [String], first: CSVError.Location)?
    /// Whether an event has one of the kinds that are targets, and at most 20 of the other kinds before it.
    private var (hasTargetKind, otherKinds): (Bool, Set<String>) = (false, [])
    /// The values of the columns of kinds and of ratings; nil when nobody asks.
    private(set) var values: EventValues?
    /// Notes about fields that begin too late in a file.
    private var lateFields: [String] = []

    /// Reads rows for some targets.
    ///
    /// - Parameters:
    ///   - columns: Explicit column names.
    ///   - targets: Which events are targets.
    ///   - source: The log; this looks at its first times.
    ///   - countsValues: Whether to count the values of the columns of kinds and of ratings, where there are such columns.
    /// - Throws: ``CSVError`` if the log cannot be opened or lacks a column.
    init(
        _ columns: EventColumns,
        _ targets: TargetConfiguration,
        of source: EventSource,
        countsValues: Bool = false
    ) throws(CSVError) {
        var columns = columns
        if columns.weight == nil, !targets.weightColumn.isEmpty { columns.weight = targets.weightColumn }
        let further = targets.columns
        let counted = (countsValues ? EventValues.roles : []).filter { !further.contains($0) }
        values = countsValues ? EventValues() : nil
        request = ColumnRequest(
            roles: [.user, .item, .time] + further + counted,
            needed: [.user, .item] + further,
            files: source.parts.count,
            named: columns
        )
        self.targets = targets
        times = TimeReading(dateOrder: try source.dateOrder(request))
    }

    /// Whether the log has a column of times.
    var hasTimes: Bool { choices.first?[.time] != nil }

    /// Whether all times so far are dates in digits, such as `20240131`; see ``DigitDate``.
    var hasDigitDates: Bool { times.areDigitDates }

    /// Whether the times are numbers that count from 1970.
    var countsFrom1970: Bool { times.countFrom1970 }

    /// Notes a field of the reader's file that would have been a column, but begins too late in it.
    mutating func finish(_ reader: borrowing CSVReader) {
        guard let choice = choices.last else { return }
        let free = request.roles.filter { choice[$0] == nil }
        let note = reader.noteOfLateFields { name in free.contains { $0.names.contains(ColumnRole.normalised(name)) } }
        if let note { lateFields.append(note) }
    }

    /// Chooses the columns of the next file.
    mutating func begin(_ reader: inout CSVReader) throws(CSVError) {
        let choice = try ColumnChoice(request, in: &reader)
        if let first = choices.first, (first[.time] == nil) != (choice[.time] == nil) {
            let (with, without) = first[.time] == nil ? (choice, first) : (first, choice)
            throw .differentColumns(.time, with: with.file, without: without.file)
        }
        choices.append(choice)
        isAtStart = true
        (userColumn, itemColumn) = (choice.needed(.user), choice.needed(.item))
        (eventColumn, weightColumn, ratingColumn) = (choice[.event], choice[.weight], choice[.rating])
        times.begin(column: choice[.time])
    }

    /// The event of the reader's row.
    mutating func event(in reader: borrowing CSVReader) throws(CSVError) -> Event {
        if isAtStart {
            isAtStart = false
            if !hasTimes, timelike == nil { timelike = choices.last?.timelike(in: reader) }
            if hasTimes, timeOfDay == nil { timeOfDay = choices.last?.timeOfDay(in: reader) }
        }
        if values != nil {
            if let eventColumn { values?.add(kind: reader.text(eventColumn)) }
            if let ratingColumn { values?.add(rating: reader.text(ratingColumn)) }
        }
        return Event(
            user: try reader.id(userColumn),
            item: try reader.id(itemColumn),
            userColumn: userColumn,
            itemColumn: itemColumn,
            time: try times.next(in: reader),
            weight: targets.isPlain ? nil : try weight(in: reader)
        )
    }

    /// Throws for faults that only the whole log shows: times in two units, kinds of events without a weight, and targets
    /// of kinds that no event has.
    func end(of log: String) throws(CSVError) {
        try times.end()
        if let unknownKinds {
            throw .unknownKinds(at: unknownKinds.first, kinds: unknownKinds.kinds, known: targets.weights.kinds)
        }
        guard !targets.events.kinds.isEmpty, !hasTargetKind else { return }
        throw .absentKinds(targets.events.kinds, log: log, found: otherKinds.sorted())
    }

    /// The weight of the reader's row as a target; 0 for a kind that has none.
    private mutating func weight(in reader: borrowing CSVReader) throws(CSVError) -> Float {
        var weight = 1.0
        if let eventColumn {
            let kind = String(decoding: try reader.id(eventColumn), as: UTF8.self)
            if !hasTargetKind {
                hasTargetKind = targets.events.kinds.contains(kind)
                if otherKinds.count < 20 { otherKinds.insert(String(kind.prefix(40))) }
            }
            guard let own = targets.weight(ofKind: kind) else {
                note(unknown: String(kind.prefix(40)), at: reader.location(eventColumn))
                return 0
            }
            weight = own
        }
        if let weightColumn {
            let own = try reader.number(weightColumn)
            guard TargetConfiguration.range.contains(own) else {
                throw .invalidWeight(at: reader.location(weightColumn), text: reader.text(weightColumn))
            }
            weight *= own
        }
        if let ratingColumn, try reader.number(ratingColumn) < targets.minRating { weight = 0 }
        return Float(weight)
    }

    private mutating func note(unknown kind: String, at place: @autoclosure () -> CSVError.Location) {
        guard let known = unknownKinds?.kinds else {
            unknownKinds = ([kind], place())
            return
        }
        if known.count < 20, !known.contains(kind) { unknownKinds?.kinds.append(kind) }
    }

    /// Notes about the forms of the times.
    func notesOfTimes(of log: String) -> [String] {
        guard let timeOfDay, times.areDates else { return times.notes(of: log) }
        let note =
            "warning: \(log): the times are dates alone, and '\(timeOfDay)' looks like the time of the day. So the events of a "
            + "day count in the order of their rows. If the rows are not sorted by time, write both into one column, such as "
            + "'2024-01-31 10:51:09'"
        return times.notes(of: log) + [note]
    }

    /// A column of the last file without a role whose name is known for one; nil if there is none.
    func otherColumn(of role: ColumnRole) -> String? { choices.last?.otherColumn(of: role) }

    /// Notes for the user about the columns, a line for the files that have the same ones.
    func notes(of source: EventSource) -> [String] {
        let unread = (source.note.map { [$0] } ?? []) + lateFields
        guard choices.count > 1 else {
            return unread + (choices.first?.notes(of: source.name, timelike: timelike) ?? [])
        }
        var groups: [(choice: ColumnChoice, files: Int)] = []
        for choice in choices {
            if let group = groups.firstIndex(where: { $0.choice.isAlike(choice) }) {
                groups[group].files += 1
            } else {
                groups.append((choice, 1))
            }
        }
        return unread
            + groups.flatMap { choice, files in
                let alike = files == 1 ? choice.file : "\(choice.file) and \(files - 1) more"
                return choice.notes(of: groups.count == 1 ? source.name : alike, timelike: timelike)
            }
    }
}
