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
    private var times = TimeReading()
    private var (userColumn, itemColumn): (Int, Int) = (0, 0)
    private var (eventColumn, weightColumn, ratingColumn): (Int?, Int?, Int?) = (nil, nil, nil)
    /// Whether the next row is the first of its file.
    private var isAtStart = true
    /// A column without a role that looks like times; nil when there is none, or there is a column of times.
    private var timelike: String?
    /// Kinds of events without a weight, at most 20, and where the first of them is.
    private var unknownKinds: (kinds: [String], first: CSVError.Location)?
    /// The values of the columns of kinds and of ratings; nil when nobody asks.
    private(set) var values: EventValues?

    /// Reads rows for some targets.
    ///
    /// - Parameters:
    ///   - columns: Explicit column names.
    ///   - targets: Which events are targets.
    ///   - countsValues: Whether to count the values of the columns of kinds and of ratings, where there are such columns.
    init(_ columns: EventColumns, _ targets: TargetConfiguration, countsValues: Bool = false) {
        var columns = columns
        if columns.weight == nil, !targets.weightColumn.isEmpty { columns.weight = targets.weightColumn }
        let further = targets.columns
        let counted = (countsValues ? EventValues.roles : []).filter { !further.contains($0) }
        values = countsValues ? EventValues() : nil
        request = ColumnRequest(
            roles: [.user, .item, .time] + further + counted,
            needed: [.user, .item] + further,
            named: columns
        )
        self.targets = targets
    }

    /// Whether the log has a column of times.
    var hasTimes: Bool { choices.first?[.time] != nil }

    /// Whether all times so far are dates in digits, such as `20240131`; see ``DigitDate``.
    var hasDigitDates: Bool { times.areDigitDates }

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

    /// Throws for kinds of events without a weight, all in one error.
    func end() throws(CSVError) {
        guard let unknownKinds else { return }
        throw .unknownKinds(at: unknownKinds.first, kinds: unknownKinds.kinds, known: targets.weights.kinds)
    }

    /// The weight of the reader's row as a target; 0 for a kind that has none.
    private mutating func weight(in reader: borrowing CSVReader) throws(CSVError) -> Float {
        var weight = 1.0
        if let eventColumn {
            let kind = String(decoding: try reader.id(eventColumn), as: UTF8.self)
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

    /// Notes for the user about the columns, a line for the files that have the same ones.
    func notes(of source: EventSource) -> [String] {
        guard choices.count > 1 else { return choices.first?.notes(of: source.name, timelike: timelike) ?? [] }
        var groups: [(choice: ColumnChoice, files: Int)] = []
        for choice in choices {
            if let group = groups.firstIndex(where: { $0.choice.isAlike(choice) }) {
                groups[group].files += 1
            } else {
                groups.append((choice, 1))
            }
        }
        return groups.flatMap { choice, files in
            let alike = files == 1 ? choice.file : "\(choice.file) and \(files - 1) more"
            return choice.notes(of: groups.count == 1 ? source.name : alike, timelike: timelike)
        }
    }
}

/// The times of a log, which must all be written in one form, and begin every file in one unit.
private struct TimeReading {
    private var column: Int?
    /// The first time of the log; nil before it is read.
    private var first: CSVError.WrittenTime?
    private var form: TimeForm?
    private var scale: TimeScale?
    private var isAtStart = true
    private var hasOtherTimes = false

    /// Whether there are times, and all of them are dates in digits.
    var areDigitDates: Bool { form == .number && !hasOtherTimes }

    /// Goes on with the next file.
    mutating func begin(column: Int?) {
        self.column = column
        isAtStart = true
    }

    mutating func next(in reader: borrowing CSVReader) throws(CSVError) -> Timestamp? {
        guard let column else { return nil }
        let (time, form) = try reader.timestamp(column)
        if !hasOtherTimes, form == .number { hasOtherTimes = DigitDate.seconds(time) == nil }
        guard isAtStart || form != self.form else { return time }
        func written(_ form: String) -> CSVError.WrittenTime {
            CSVError.WrittenTime(
                place: reader.location(column),
                text: String(reader.text(column).prefix(40)),
                form: form
            )
        }
        if let first, form != self.form {
            throw .mixedTimes(column: reader.header[column], first: first, other: written(form.rawValue))
        }
        isAtStart = false
        let scale = TimeScale([time])
        if var first, let before = self.scale, form == .number {
            guard before == scale || !before.isClock || !scale.isClock else {
                first.form = before.rawValue
                throw .mixedTimeUnits(column: reader.header[column], first: first, other: written(scale.rawValue))
            }
        } else {
            (first, self.form, self.scale) = (written(form.rawValue), form, scale)
        }
        return time
    }
}
