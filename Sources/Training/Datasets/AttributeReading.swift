import CheckpointStore

/// Collects one further column of an items file and decides the type of the attribute.
///
/// A header such as `price:number` declares the type. Otherwise the values decide: the first type that fits all of
/// them, of boolean, integer, number, time, keywords (a `|` in some value) and keyword. An empty field is no value. Amounts
/// of one currency, such as `$1.50`, are numbers.
struct AttributeReading {
    /// The longest text of a keyword, in bytes.
    static let longestKeyword = 256
    /// The most attributes of a catalogue.
    static let mostAttributes = 64

    /// The types that a header may declare; the last four are RecBole's names.
    private static let declarations: [(suffix: String, type: AttributeType)] =
        AttributeType.allCases.map { (":" + $0.rawValue, $0) } + [
            (":float", .number), (":token", .keyword), (":token_seq", .keywords),
        ]

    /// The attribute's name.
    let name: String
    private let column: Int
    private let declared: AttributeType?
    /// The distinct fields of the column.
    private var texts = InternTable()
    /// Each row's field as a position in `texts`, or -1.
    private var rows: [Int32] = []

    /// Starts a column; nil if its header names no attribute.
    init?(header: String, column: Int) {
        let declaration = Self.declarations.first { header.lowercased().hasSuffix($0.suffix) }
        let name = declaration.map { String(header.dropLast($0.suffix.count)) } ?? header
        let trimmed = String(decoding: Self.trimmed(Array(name.utf8)[...]), as: UTF8.self)
        guard !trimmed.isEmpty, trimmed.utf8.count <= Self.longestKeyword, !trimmed.utf8.contains(0) else { return nil }
        self.name = trimmed
        self.column = column
        declared = declaration?.type
    }

    /// Adds the field of a row.
    ///
    /// - Throws: `CSVError` if it does not have the declared type.
    mutating func read(_ reader: borrowing CSVReader) throws(CSVError) {
        let field = Self.trimmed(reader.field(column))
        guard !field.isEmpty, !reader.isNested(column) else { return rows.append(-1) }
        let (number, isNew) = texts.insert(field)
        rows.append(number)
        guard isNew, let declared, !Self.fits(field, declared) else { return }
        throw .wrongType(
            at: reader.location(column),
            column: name,
            type: declared.rawValue,
            text: String(String(decoding: field, as: UTF8.self).prefix(40))
        )
    }

    /// The type of the attribute; nil if the column is empty or holds texts too long for keywords.
    var type: AttributeType? {
        if let declared { return declared }
        guard texts.count > 0 else { return nil }
        let all = 0..<Int32(texts.count)
        func fitAll(_ type: AttributeType) -> Bool { all.allSatisfy { Self.fits(texts[$0], type) } }
        let candidates: [AttributeType] = [.boolean, .integer, .number, .time]
        if let type = candidates.first(where: fitAll) { return type }
        if prices?.mark != nil { return .number }
        let isList = all.contains { texts[$0].contains(UInt8(ascii: "|")) }
        let type = isList ? AttributeType.keywords : .keyword
        return fitAll(type) ? type : nil
    }

    /// The form of the amounts of money in the column; nil if it holds anything else.
    private var prices: PriceForm? {
        declared == nil ? PriceForm((0..<Int32(texts.count)).lazy.map { texts[$0] }) : nil
    }

    /// A note about amounts of money; nil for a column without them.
    func noteOfPrices(in file: String) -> String? {
        guard let prices else { return nil }
        guard prices.mark == nil else {
            return "\(file): '\(name)' holds amounts of '\(prices.currency)', read as numbers"
        }
        // An amount with one mark at least: alone it is open, or it contradicts another one.
        let all = (0..<Int32(texts.count)).lazy.map { texts[$0] }
        let example = all.first { Price($0)?.isAmbiguous == true } ?? all.first { Price($0)?.mark != nil } ?? []
        let text = String(decoding: example, as: UTF8.self)
        return
            "warning: \(file): '\(name)' holds amounts such as '\(text)', whose comma or point may divide thousands or "
            + "decimals, so they count as texts. Write numbers such as 1299.00"
    }

    /// The attribute of the items at some rows of the file; nil rows have no value.
    func attribute(_ type: AttributeType, of rows: [Int32?]) -> AttributeColumn {
        let places = rows.map { row in row.map { self.rows[Int($0)] } ?? -1 }
        guard type.isText else {
            let mark = type == .number ? prices?.mark : nil
            let numbers = (0..<Int32(texts.count)).map { text in
                Self.number(texts[text], type) ?? mark.flatMap { Price(texts[text])?.value(mark: $0) } ?? .nan
            }
            let values = places.map { $0 < 0 ? .nan : numbers[Int($0)] }
            return AttributeColumn(name: name, type: type, values: .numbers(values))
        }
        // Only texts of these items, numbered by their first appearance.
        var names = ItemVocabulary()
        var lists = [[Int32]?](repeating: nil, count: texts.count)
        let values = places.map { place -> [Int32] in
            guard place >= 0 else { return [] }
            if let list = lists[Int(place)] { return list }
            var list: [Int32] = []
            for text in Self.keywords(texts[place], type) {
                let number = names.intern(text)
                if !list.contains(number) { list.append(number) }
            }
            lists[Int(place)] = list
            return list
        }
        return AttributeColumn(name: name, type: type, values: .texts(names: names.ids, lists: values))
    }

    // MARK: Values

    private static func fits(_ field: ArraySlice<UInt8>, _ type: AttributeType) -> Bool {
        guard type.isText else { return number(field, type) != nil }
        return keywords(field, type).allSatisfy { $0.count <= longestKeyword && !$0.contains(0) }
    }

    private static func keywords(_ field: ArraySlice<UInt8>, _ type: AttributeType) -> [ArraySlice<UInt8>] {
        guard type == .keywords else { return [field] }
        return field.split(separator: UInt8(ascii: "|")).map(trimmed).filter { !$0.isEmpty }
    }

    /// The value of a number, integer, boolean or time.
    private static func number(_ field: ArraySlice<UInt8>, _ type: AttributeType) -> Double? {
        if type == .boolean {
            let word = String(decoding: field, as: UTF8.self).lowercased()
            return word == "true" ? 1 : word == "false" ? 0 : nil
        }
        if type == .time, let time = CalendarTime(written: field)?.sinceEpoch { return type.holds(time) ? time : nil }
        // A leading zero marks a code, such as a postcode, and not a number.
        let digits = field.first == UInt8(ascii: "-") ? field.dropFirst() : field
        if digits.count > 1, digits.first == UInt8(ascii: "0"), digits.dropFirst().first.map(isDigit) == true {
            return nil
        }
        guard let number = DecimalNumber(field)?.nearestDouble, type.holds(number) else { return nil }
        let isWhole = digits.allSatisfy(isDigit)
        return type == .integer && !isWhole ? nil : number
    }

    private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

    private static func trimmed(_ field: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isSpace(_ byte: UInt8?) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        var field = field
        while isSpace(field.first) { field.removeFirst() }
        while isSpace(field.last) { field.removeLast() }
        return field
    }
}

/// The further columns of an items file.
struct AttributeReadings {
    private var readings: [AttributeReading] = []
    private var notes: [String] = []

    /// Starts the columns of a header that have no other role.
    ///
    /// A name that the header repeats, or that filters already use, is left out.
    init(_ header: [String], without taken: [Int]) {
        let all = header.indices.filter { !taken.contains($0) }
            .compactMap { AttributeReading(header: header[$0], column: $0) }
        let counts = all.reduce(into: [:]) { $0[$1.name, default: 0] += 1 }
        var left: [String] = []
        for reading in all {
            let isUsable = reading.name != "categories" && counts[reading.name] == 1
            if isUsable, readings.count < AttributeReading.mostAttributes {
                readings.append(reading)
            } else {
                left.append(reading.name)
            }
        }
        if !left.isEmpty {
            let list = left.prefix(5).map { "'\($0)'" }.joined(separator: ", ")
            notes.append(
                "warning: \(left.count) columns are no attributes, such as \(list): names must be unique, at most "
                    + "\(AttributeReading.mostAttributes), and not 'categories'"
            )
        }
    }

    /// Adds a row.
    mutating func read(_ reader: borrowing CSVReader) throws(CSVError) {
        for index in readings.indices { try readings[index].read(reader) }
    }

    /// The attributes with their types, and notes for the user; call it after the last row.
    func finished(_ file: String) -> (attributes: [(AttributeReading, AttributeType)], notes: [String]) {
        let attributes = readings.compactMap { reading in reading.type.map { (reading, $0) } }
        var notes = notes.map { "\(file): " + $0 }
        let left = readings.filter { $0.type == nil }.map { "'\($0.name)'" }
        if !left.isEmpty {
            notes.append(
                "\(file): no attributes from \(left.joined(separator: ", ")): a column needs a value, and texts of at "
                    + "most \(AttributeReading.longestKeyword) bytes"
            )
        }
        notes += readings.compactMap { $0.noteOfPrices(in: file) }
        if !attributes.isEmpty {
            let list = attributes.map { "\($0.name) (\($1.rawValue))" }.joined(separator: ", ")
            notes.append("\(file): attributes \(list)")
        }
        return (attributes, notes)
    }
}
