/// The columns that a reader of a file looks for.
struct ColumnRequest {
    /// All roles, in the order of reports.
    var roles: [ColumnRole]
    /// Roles that the file must have.
    var needed: [ColumnRole]
    /// How many files the log has.
    var files = 1
    /// Column names from the caller; the file must have them.
    var named = EventColumns()
    /// A name that is tried before all others.
    var preferred: [ColumnRole: String] = [:]
    /// Further names, tried between the English names of ``ColumnRole`` and those in other languages.
    var others: [ColumnRole: [String]] = [:]

    /// Opens a file with the format and delimiter that give the most known columns.
    func open(_ file: String) throws(CSVError) -> CSVReader { try open(ByteSource(file: file)) }

    /// The same for other bytes.
    func open(_ source: ByteSource) throws(CSVError) -> CSVReader {
        try CSVReader(source) { header in
            let names = Set(header.map(ColumnRole.normalised))
            return roles.count { role in
                if let name = named[role] { return names.contains(ColumnRole.normalised(name)) }
                return candidates(for: role).contains(where: names.contains)
            }
        }
    }

    /// Known names of a role; the first match wins.
    fileprivate func candidates(for role: ColumnRole) -> [String] {
        [preferred[role], named.usual[role]].compactMap(\.self).map(ColumnRole.normalised) + role.englishNames
            + others[role, default: []] + role.foreignNames
    }
}

/// The columns of a file that were chosen for the roles.
struct ColumnChoice {
    /// The file that has the columns.
    let file: String
    private let header: [String]
    private let dialect: CSVDialect
    private let roles: [ColumnRole]
    private var positions: [ColumnRole: Int] = [:]

    /// Chooses the columns of a file.
    ///
    /// - Throws: `CSVError` when a needed column is missing or ambiguous.
    init(_ request: ColumnRequest, in reader: inout CSVReader) throws(CSVError) {
        (file, header, dialect, roles) = (reader.file, reader.header, reader.dialect, request.roles)
        try take(request.named)
        for role in roles where positions[role] == nil {
            positions[role] = try recognised(role, request)
        }
        let missing = request.needed.filter { positions[$0] == nil }
        guard missing.isEmpty else {
            let found = found(withFirstRowOf: &reader)
            throw .unrecognisedHeader(missing, file: file, found: found, files: request.files)
        }
    }

    /// The roles that the columns were taken for, with the fields of the first row if it can be read.
    private func found(withFirstRowOf reader: inout CSVReader) -> [CSVError.FoundColumn] {
        let hasRow = (try? reader.next()) ?? false
        return header.indices.map { column in
            var found = CSVError.FoundColumn(
                name: header[column],
                role: roles.first { positions[$0] == column },
                sample: hasRow ? String(reader.text(column).prefix(40)).replacing("\n", with: " ") : nil,
                looksLikeTimes: hasRow && roles.contains(.time) && reader.looksLikeTime(column)
            )
            if hasRow { found.nested = reader.nestedField(column) }
            return found
        }
    }

    /// The position of a role's column; nil when there is none.
    subscript(role: ColumnRole) -> Int? { positions[role] }

    /// The position of a needed role's column.
    func needed(_ role: ColumnRole) -> Int {
        guard let position = positions[role] else { preconditionFailure("\(role) was not needed of \(header)") }
        return position
    }

    private mutating func take(_ named: EventColumns) throws(CSVError) {
        func columns(_ name: String) -> [Int] {
            let exact = header.indices.filter { header[$0] == name }
            return exact.isEmpty ? self.columns(named: ColumnRole.normalised(name), among: header.indices) : exact
        }
        let missing = roles.compactMap { named[$0] }.filter { columns($0).isEmpty }
        guard missing.isEmpty else { throw .missingColumns(missing, file: file, found: header) }
        let usual = named.usual.filter { !columns($0.value).isEmpty }
        for role in roles {
            guard let name = named[role] ?? usual[role] else { continue }
            let found = columns(name)
            guard let position = found.first else { continue }
            guard found.count == 1 else { throw .duplicateColumn(header[position], file: file) }
            if let other = roles.first(where: { positions[$0] == position }) {
                throw .sharedColumn(header[position], roles: [other, role], file: file)
            }
            positions[role] = position
        }
    }

    /// The column of the first candidate in the header; this program's own name wins over the rest.
    private func recognised(_ role: ColumnRole, _ request: ColumnRequest) throws(CSVError) -> Int? {
        let free = header.indices.filter { !positions.values.contains($0) }
        let exact = free.filter { header[$0] == role.ownName }
        guard exact.count <= 1 else { throw .duplicateColumn(role.ownName, file: file) }
        if request.preferred[role] == nil, let position = exact.first { return position }
        for name in request.candidates(for: role) {
            let alike = columns(named: name, among: free)
            let found = alike.contains { exact.contains($0) } ? exact : alike
            guard let position = found.first else { continue }
            guard found.count == 1 else {
                let names = found.map { header[$0] }
                throw Set(names).count == 1
                    ? .duplicateColumn(names[0], file: file) : .ambiguousColumn(role, file: file, names: names)
            }
            return position
        }
        return nil
    }

    private func columns(named name: String, among positions: some Sequence<Int>) -> [Int] {
        positions.filter { ColumnRole.normalised(header[$0]) == name }
    }

    /// A column without a role whose field in the reader's row looks like the time of a day, such as `10:51:09`.
    func timeOfDay(in reader: borrowing CSVReader) -> String? {
        header.indices.first { column in
            !positions.values.contains(column) && reader.text(column).wholeMatch(of: /\s*\d\d?:\d\d(:\d\d.*)?/) != nil
        }.map { header[$0] }
    }

    /// The name of the first column without a role whose field in the reader's row looks like a time; nil if none does.
    func timelike(in reader: borrowing CSVReader) -> String? {
        for column in header.indices where !positions.values.contains(column) && reader.looksLikeTime(column) {
            return header[column]
        }
        return nil
    }

    /// The first column without a role whose name is known for one; nil if there is none.
    func otherColumn(of role: ColumnRole) -> String? {
        let free = header.indices.filter { !positions.values.contains($0) }.map { header[$0] }
        return free.first { role.names.contains(ColumnRole.normalised($0)) }
    }

    /// Whether another file has columns of the same names in the same format.
    func isAlike(_ other: ColumnChoice) -> Bool {
        func names(_ choice: ColumnChoice) -> [String?] {
            roles.map { role in choice.positions[role].map { choice.header[$0] } }
        }
        return dialect == other.dialect && names(self) == names(other)
    }

    /// Notes for the user; none when the file has the names and commas of this program's own files.
    ///
    /// They name the file, or several files alike, by `file`, and a column that may hold times by `timelike`.
    func notes(of file: String, timelike: String? = nil) -> [String] {
        var notes: [String] = []
        let isOwn = roles.allSatisfy { role in positions[role].map { header[$0] == role.ownName } ?? true }
        if !isOwn || dialect != .csv {
            let taken = roles.compactMap { role in positions[role].map { "\(role.plural) from '\(header[$0])'" } }
            notes.append("\(file): \(taken.joined(separator: ", ")); \(dialect.words)")
        }
        if roles.contains(.time), positions[.time] == nil {
            let columns = header.map { "'\($0)'" }.joined(separator: ", ")
            let advice =
                timelike.map { "'\($0)' looks like times: name it with --time-column '\($0)'." }
                ?? "Its columns are \(columns); if one of them holds times, name it with --time-column."
            notes.append(
                "warning: no column of times in \(file), so the order of the rows counts as the order of events. If they are "
                    + "not sorted by time, the model and its figures are wrong. " + advice
            )
        }
        return notes
    }
}
