import CheckpointStore

/// The times of a log, which must all be written in one form and count one unit.
///
/// Dates may stand among times: some programs leave out a time of day at midnight.
struct TimeReading {
    private var column: Int?
    /// Whether the day or the month comes first in dates whose year comes last; nil if no date of the log shows it.
    private let dateOrder: DateOrder?
    /// The first time of the log; nil before it is read.
    private var first: CSVError.WrittenTime?
    private var form: TimeForm?
    /// The first date without a time of day; a form with one takes its place in ``form``.
    private var firstDate: CSVError.WrittenTime?
    /// Numbers that are dates in digits, and the first number that is none.
    private var (dates, otherTime): (Int, CSVError.WrittenTime?) = (0, nil)
    /// Numbers that are days of a spreadsheet with a time of the day, such as 45245.158.
    private var spreadsheetDays = 0
    /// How many numbers there are, and how many positive ones are no times between 1990 and 2128 in any unit.
    private var (numbers, distant) = (0, 0)
    /// The numbers of each clock's unit, in the order of their first ones.
    private var clocks: [Clock] = []

    /// The numbers of a clock's unit.
    private struct Clock {
        let scale: TimeScale
        let column: String
        let first: CSVError.WrittenTime
        var count = 0
    }

    init(dateOrder: DateOrder?) { self.dateOrder = dateOrder }

    /// Whether there are times, and all of them are dates in digits.
    var areDigitDates: Bool { form == .number && otherTime == nil }

    /// Whether all times are dates without a time of the day.
    var areDates: Bool { form == .date || areDigitDates }

    /// Whether the times are numbers that count from 1970, and not from a start of the log's own: such a log goes through
    /// all sizes of numbers.
    var countFrom1970: Bool { form == .number && !areDigitDates && (distant < 10 || distant * 100 < numbers) }

    /// Warnings about dates among times, and about numbers that are probably dates, but do not count as such.
    func notes(of log: String) -> [String] {
        let order = dateOrder.map { order in
            "\(log): dates are read with the \(order.isDayFirst ? "day" : "month") first, as '\(order.evidence.text)' shows "
                + "(\(order.evidence.place))"
        }
        return [order].compactMap(\.self) + otherNotes(of: log)
    }

    private func otherNotes(of log: String) -> [String] {
        if let firstDate, form != .date {
            return [
                "\(log): some times are dates without a time of day, such as '\(firstDate.text)' (line "
                    + "\(firstDate.place.line)); each counts as the start of its day in UTC"
            ]
        }
        return noteOfNumbers(of: log).map { [$0] } ?? []
    }

    private func noteOfNumbers(of log: String) -> String? {
        if let otherTime, dates * 10 >= numbers * 9 {
            return
                "warning: \(log): \(dates) of \(numbers) times are dates in digits, YYYYMMDD, but \(otherTime.place) has "
                + "'\(otherTime.text)', so all of them count as plain numbers. Correct or remove such rows"
        }
        guard spreadsheetDays * 10 >= numbers * 9, spreadsheetDays > 0, let first else { return nil }
        return
            "warning: \(log): the times look like the days of a spreadsheet, such as \(first.text), and count as plain "
            + "numbers. For seconds since 1970, subtract 25569 and multiply by 86400"
    }

    /// Goes on with the next file.
    mutating func begin(column: Int?) { self.column = column }

    /// The time of the reader's row; nil without a column of times.
    mutating func next(in reader: borrowing CSVReader) throws(CSVError) -> Timestamp? {
        guard let column else { return nil }
        let (time, form) = try reader.timestamp(column, in: dateOrder)
        func written(_ form: String) -> CSVError.WrittenTime {
            let text = String(reader.text(column).prefix(40))
            return CSVError.WrittenTime(place: reader.location(column), text: text, form: form)
        }
        if form == .date, firstDate == nil { firstDate = written(form.rawValue) }
        let isDateAmongTimes = form != .number && self.form != .number && (form == .date || self.form == .date)
        if isDateAmongTimes, self.form == .date, form != .date { (first, self.form) = (written(form.rawValue), form) }
        if let first, form != self.form, !isDateAmongTimes {
            throw .mixedTimes(column: reader.header[column], first: first, other: written(form.rawValue))
        }
        if first == nil { (first, self.form) = (written(form.rawValue), form) }
        guard form == .number else { return time }
        numbers += 1
        // Where none of the first numbers is a date, the rest need no look.
        if dates > 0 || numbers <= 1000 {
            let isDate = DigitDate.seconds(time) != nil
            if isDate { dates += 1 } else if otherTime == nil { otherTime = written(form.rawValue) }
        }
        if 36_526..<73_051 ~= time.nearest, time.nearest != time.nearest.rounded() { spreadsheetDays += 1 }
        let scale = TimeScale(time)
        guard scale.isClock, scale.isPresent(time) else {
            if time.nearest > 0 { distant += 1 }
            return time
        }
        if let clock = clocks.firstIndex(where: { $0.scale == scale }) {
            clocks[clock].count += 1
        } else {
            clocks.append(Clock(scale: scale, column: reader.header[column], first: written(scale.rawValue), count: 1))
        }
        return time
    }

    /// Throws for numbers that count from 1970 in two units, such as seconds and milliseconds.
    ///
    /// Where less than a hundredth of the numbers have another unit, they are single faults, such as the date of a clock
    /// that was not set; then ``EventLog/noteOfOddTimes(_:)`` warns of them.
    func end() throws(CSVError) {
        let common = clocks.filter { $0.count * 100 >= numbers }
        guard countFrom1970, common.count > 1 else { return }
        throw .mixedTimeUnits(column: common[1].column, first: common[0].first, other: common[1].first)
    }
}
