import CheckpointStore

/// The times of a log, which must all be written in one form and count one unit.
struct TimeReading {
    private var column: Int?
    /// The first time of the log; nil before it is read.
    private var first: CSVError.WrittenTime?
    private var form: TimeForm?
    /// Numbers that are dates in digits, and the first number that is none.
    private var (dates, otherTime): (Int, CSVError.WrittenTime?) = (0, nil)
    /// Numbers that are days of a spreadsheet with a time of the day, such as 45245.158.
    private var spreadsheetDays = 0
    private var numbers = 0
    /// The unit of the newest number; nil before the first one.
    private var scale: TimeScale?
    /// The name of the column, and the first number of each clock's unit, in the order of the log.
    private var clocks: [(scale: TimeScale, column: String, time: CSVError.WrittenTime)] = []
    /// Whether a number is too large for its unit, as in a log that counts microseconds from its own start.
    private var isContinuous = false

    /// Whether there are times, and all of them are dates in digits.
    var areDigitDates: Bool { form == .number && otherTime == nil }

    /// A warning about numbers that are probably dates, but do not count as such; nil if there are none.
    var note: String? {
        if let otherTime, dates * 10 >= numbers * 9 {
            return "warning: \(dates) of \(numbers) times are dates in digits, YYYYMMDD, but \(otherTime.place) has "
                + "'\(otherTime.text)', so all of them count as plain numbers. Correct or remove such rows"
        }
        guard spreadsheetDays * 10 >= numbers * 9, spreadsheetDays > 0 else { return nil }
        return "warning: the times look like the days of a spreadsheet, such as 45245.158, and count as plain numbers. "
            + "For seconds since 1970, subtract 25569 and multiply by 86400"
    }

    /// Goes on with the next file.
    mutating func begin(column: Int?) { self.column = column }

    /// The time of the reader's row; nil without a column of times.
    mutating func next(in reader: borrowing CSVReader) throws(CSVError) -> Timestamp? {
        guard let column else { return nil }
        let (time, form) = try reader.timestamp(column)
        func written(_ form: String) -> CSVError.WrittenTime {
            let text = String(reader.text(column).prefix(40))
            return CSVError.WrittenTime(place: reader.location(column), text: text, form: form)
        }
        if let first, form != self.form {
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
        if scale != self.scale {
            self.scale = scale
            if scale.isClock, !clocks.contains(where: { $0.scale == scale }) {
                clocks.append((scale, reader.header[column], written(scale.rawValue)))
            }
        }
        if scale.isClock, !isContinuous { isContinuous = !scale.isNear(time) }
        return time
    }

    /// Throws for numbers that count from 1970 in two units, such as seconds and milliseconds.
    func end() throws(CSVError) {
        guard clocks.count > 1, !isContinuous else { return }
        throw .mixedTimeUnits(column: clocks[1].column, first: clocks[0].time, other: clocks[1].time)
    }
}
