/// Why a file of rows was rejected: the problem, its place, and what to do.
public enum CSVError: Error, Equatable, CustomStringConvertible {
    /// A place in a file; line and column count from 1, columns in characters.
    public struct Location: Sendable, Equatable, CustomStringConvertible {
        /// The file as the caller named it.
        public var file: String
        /// The line in the file, not the record: a quoted line break starts a new one.
        public var line: Int
        /// The character in the line.
        public var column: Int

        /// `file:line:column`, as compilers print it.
        public var description: String { "\(file):\(line):\(column)" }

        /// Names a place.
        public init(file: String, line: Int, column: Int) {
            self.file = file
            self.line = line
            self.column = column
        }
    }

    /// A time as a file writes it.
    public struct WrittenTime: Sendable, Equatable, CustomStringConvertible {
        /// Where it stands.
        public var place: Location
        /// Its characters, at most 40.
        public var text: String
        /// Its form, such as `a date`.
        public var form: String

        /// The value, its form and its line.
        public var description: String { "'\(text)' (\(form), line \(place.line))" }
    }

    /// A column of a header, with the role that its name has and its first value.
    public struct FoundColumn: Sendable, Equatable, CustomStringConvertible {
        /// The name in the header.
        public var name: String
        /// The recognised role; nil for an unknown name.
        public var role: ColumnRole?
        /// The field of the first row, at most 40 characters; nil without one.
        public var sample: String?
        /// Whether that field is a date, or a number that counts from 1970.
        public var looksLikeTimes: Bool

        /// What that field holds if it is a JSON object or list; nil for one value.
        var nested: NestedField?

        /// Describes a column.
        public init(
            name: String,
            role: ColumnRole?,
            sample: String?,
            looksLikeTimes: Bool = false
        ) {
            (self.name, self.role, self.sample, self.looksLikeTimes) = (name, role, sample, looksLikeTimes)
        }

        /// Name, role and sample.
        public var description: String {
            let unknown = looksLikeTimes ? "unknown, looks like times" : "unknown"
            let kind = role.map { "taken for \($0.plural)" } ?? unknown
            return "'\(name)' (\(kind)\(sample.map { ", first value '\($0)'" } ?? ""))"
        }
    }

    /// The file cannot be opened or read.
    case unreadable(file: String, reason: String)
    /// A pattern or a folder without files.
    case noFiles(String, reason: String)
    /// Two names lead to one file.
    case repeatedFile(String)
    /// The name of a query is not understood.
    case invalidQuery(String, reason: String)
    /// The database rejects the query.
    case failedQuery(database: String, reason: String)
    /// The database cannot be asked.
    case unusableDatabase(reason: String)
    /// A URL that leads to no database.
    case unknownSource(String)
    /// `gzip` or `zstd` cannot decompress the file.
    case damagedArchive(file: String, reason: String)
    /// The file has no header, or no rows below it.
    case empty(file: String)
    /// The file is not separated text.
    case foreignFormat(ForeignFormat, file: String)
    /// More rows than can be numbered.
    case tooManyRows(file: String, limit: Int)
    /// Columns that the caller named are not in the header.
    case missingColumns([String], file: String, found: [String])
    /// No names in the header are known for some needed columns; the log has so many files.
    case unrecognisedHeader([ColumnRole], file: String, found: [FoundColumn], files: Int)
    /// Only one of two files of a log has a column.
    case differentColumns(ColumnRole, with: String, without: String)
    /// Several names in the header fit one column equally well.
    case ambiguousColumn(ColumnRole, file: String, names: [String])
    /// The caller named one column for two roles, for example user and item.
    case sharedColumn(String, roles: [ColumnRole], file: String)
    /// The header names a needed column twice.
    case duplicateColumn(String, file: String)
    /// A row has more or fewer fields than the header.
    case wrongFieldCount(at: Location, expected: Int, found: Int)
    /// A row has one more field than the header, an empty one at its end.
    case surplusDelimiter(at: Location, delimiter: String)
    /// Quotes or line ends that violate RFC 4180.
    case malformed(at: Location, reason: String)
    /// A row is longer than the reader's limit, usually because a quote is left open.
    case rowTooLong(at: Location, limit: Int)
    /// A JSON object or list in place of one value; the filter of jq writes one value there, and in fields like it.
    case nestedField(at: Location, field: String, filter: String)
    /// A JSON object or list in place of one value, with more levels than the program looks into.
    case nestedTooDeeply(at: Location, field: String, limit: Int)
    /// Bytes that are not UTF-8.
    case invalidUTF8(at: Location)
    /// A field is not a finite number.
    case invalidNumber(at: Location, column: String, text: String)
    /// A field is not a time in UTC.
    case invalidTime(at: Location, column: String, text: String)
    /// A time in an unknown form.
    case unreadableTime(at: Location, column: String, text: String)
    /// Two times of a column in different forms.
    case mixedTimes(column: String, first: WrittenTime, other: WrittenTime)
    /// Two times of a log count different units.
    case mixedTimeUnits(column: String, first: WrittenTime, other: WrittenTime)
    /// A value of an attribute does not have the type that the header declares.
    case wrongType(at: Location, column: String, type: String, text: String)
    /// A kind of event that the recipe gives no weight.
    case unknownKinds(at: Location, kinds: [String], known: [String])
    /// No event has one of the kinds that are targets; `found` has at most 20 kinds of the log.
    case absentKinds([String], log: String, found: [String])
    /// A weight that is negative or too large.
    case invalidWeight(at: Location, text: String)
    /// An empty id.
    case emptyID(at: Location, column: String)
    /// Every event belongs to a user who is to be left out.
    case onlyDroppedUsers([String], log: String)
    /// An empty time, or a text for a missing one such as `NULL`.
    case emptyTime(at: Location, column: String)
    /// An id that must be unique occurs twice.
    case duplicateID(at: Location, column: String, id: String)

    /// The message for the user.
    public var description: String {
        switch self {
        case .unreadable(let file, let reason):
            "Cannot read '\(file)': \(reason)."
        case .noFiles(let name, let reason):
            "'\(name)' gives no log: \(reason). Name files that exist, or put the name into single quotes."
        case .repeatedFile(let file):
            "'\(file)' is given twice, so its events would count twice; name each file once."
        case .invalidQuery(let name, let reason):
            if name.hasPrefix("sqlite:") {
                "'\(name)' is no query: \(reason). Write 'sqlite:FILE?query=SELECT user, item, time FROM clicks', with %25 "
                    + "for a percent sign and %3F for a question mark in the name of the file."
            } else {
                "'\(name)' is no query: \(reason). Write 'postgres://USER@HOST/DATABASE?query=SELECT user_id, item_id, "
                    + "created_at FROM clicks', with %25 for a percent sign; options of the connection go before 'query='."
            }
        case .failedQuery(let database, let reason):
            "The query on '\(database)' failed: \(reason). Try it with the program "
                + (database.hasPrefix("sqlite:") ? "`sqlite3`." : "`psql`.")
        case .unusableDatabase(let reason):
            "\(reason)"
        case .unknownSource(let scheme):
            "'\(scheme)...' is no source of events. Give a file, a folder, a pattern, - for standard input, "
                + "'sqlite:FILE?query=SELECT ...' or 'postgres://USER@HOST/DATABASE?query=SELECT ...'."
        case .damagedArchive(let file, let reason):
            "Cannot decompress '\(file)': \(reason). Check the file with "
                + "`\(ByteSource.decompressor(of: file) ?? "gzip") -t`, or copy it again."
        case .empty(let file):
            "No rows in '\(file)'. Is it the right file, with a header line if its format needs one?"
        case .foreignFormat(let format, let file):
            "'\(file)' is \(format.rawValue), not separated text. \(format.advice)."
        case .tooManyRows(let file, let limit):
            "More than \(limit) rows in '\(file)', the limit for one log. Train on its newest rows."
        case .missingColumns(let columns, let file, let found):
            "'\(file)' has no column\(columns.count == 1 ? "" : "s") \(Self.list(columns)); its columns are "
                + "\(Self.list(found))."
        case .unrecognisedHeader(let roles, let file, let found, let files):
            "No column of '\(file)' is known to hold \(roles.map(\.plural).joined(separator: ", or ")). Its columns: "
                + found.map(\.description).joined(separator: ", ") + ". "
                + Self.missingHeader(found)
                + (roles + Self.forgottenTimes(found)).map(\.remedy).joined(separator: " ")
                + (roles.contains(.user) ? Self.adviceForOnePerson(found) : "")
                + (files == 1 ? "" : " If this file is no log, name the others by a pattern such as 'logs/*.csv'.")
        case .differentColumns(let role, let with, let without):
            "'\(with)' has a column of \(role.plural) and '\(without)' has none. Give all files of a log the same columns."
        case .ambiguousColumn(let role, let file, let names):
            "Several columns of '\(file)' may hold \(role.plural): \(Self.list(names)). " + role.remedy
        case .sharedColumn(let column, let roles, let file):
            "Column '\(column)' of '\(file)' was named for \(roles.map(\.plural).joined(separator: " and for ")); "
                + "name two columns."
        case .duplicateColumn(let column, let file):
            "'\(file)' names the column '\(column)' twice; rename one of them."
        case .wrongFieldCount(let place, let expected, let found):
            "\(place): the row has \(found) fields instead of \(expected). "
                + (found > expected
                    ? "Quote fields that hold the delimiter."
                    : "Complete the row, or remove it if it is a comment or was cut off.")
        case .surplusDelimiter(let place, let delimiter):
            "\(place): the row ends with a delimiter that the header line does not have. If all rows do, add it to the "
                + "header, for example with `sed '1s/$/\(delimiter)/'`."
        case .malformed(let place, let reason):
            "\(place): \(reason)."
        case .rowTooLong(let place, let limit):
            "\(place): the row starting here exceeds \(limit) bytes. Is a quote left open?"
        case .nestedField(let place, let field, let filter):
            "\(place): field '\(field)' holds an object or a list; write one text or number, for example with "
                + "`jq -c '\(filter)'`."
        case .nestedTooDeeply(let place, let field, let limit):
            "\(place): the record is nested too deeply: field '\(field)' has more than \(limit) objects or lists inside one "
                + "another. Write one text or number there, or remove the record."
        case .invalidUTF8(let place):
            "\(place): the bytes here are not UTF-8. Convert the file, for example from "
                + "Windows's encoding with `iconv -f WINDOWS-1252 -t UTF-8`."
        case .invalidNumber(let place, let column, let text):
            "\(place): '\(text)' in column '\(column)' is not a finite decimal number." + Self.adviceForComma(text)
        case .invalidTime(let place, let column, let text):
            "\(place): '\(text)' in column '\(column)' is not a time in UTC such as 2014-04-07T10:51:09.277Z."
        case .unreadableTime(let place, let column, let text):
            "\(place): '\(text)' in column '\(column)' is no time. Accepted are numbers of at most 32 digits and dates and "
                + "times such as 2024-01-31, 2024-01-31T10:00:00.123Z, 2024-01-31 10:00:00+02:00 or 31 Jan 2024 10:00 (UTC without "
                + "a zone)." + (ConvertibleTime(text)?.advice ?? "") + Self.adviceForComma(text)
                + Self.adviceForTimeOfDay(text)
        case .mixedTimes(let column, let first, let other):
            "\(other.place): column '\(column)' mixes forms of time: \(other) and \(first)"
                + (first.place.file == other.place.file ? "" : " of '\(first.place.file)'")
                + ". Write all of them in one form."
        case .mixedTimeUnits(let column, let first, let other):
            "\(other.place): column '\(column)' counts \(other.form) here (\(other.text)) and \(first.form) in "
                + "'\(first.place.file)' (\(first.text), line \(first.place.line)). Write all of them in one unit."
        case .wrongType(let place, let column, let type, let text):
            "\(place): '\(text)' is no \(type), which the header declares for column '\(column)'. Correct the value, or "
                + "declare another type."
        case .unknownKinds(let place, let kinds, let known):
            "\(place): the recipe gives no weight to events of kind \(Self.list(kinds)), only to "
                + "\(Self.list(known)). Add '\(kinds.map { "\($0)=0" }.joined(separator: ","))' if they are no targets."
        case .absentKinds(let kinds, let log, let found):
            "No event of '\(log)' is of kind \(kinds.map { "'\($0)'" }.joined(separator: " or ")), so there is no "
                + "target. Its kinds are \(Self.list(found))\(found.count < 20 ? "" : " and others"); name them as they are written."
        case .invalidWeight(let place, let text):
            "\(place): the weight '\(text)' is not in \(TargetConfiguration.range.lowerBound)..."
                + "\(TargetConfiguration.range.upperBound). Correct it; 0 makes an event no target."
        case .onlyDroppedUsers(let users, let log):
            "All events of '\(log)' are of users who are to be left out: \(Self.list(users)). Omit --drop-user, or give a "
                + "log with other users."
        case .emptyID(let place, let column):
            "\(place): the id in column '\(column)' is empty or missing. Fill it in, or remove such rows: "
                + Self.dropEmpty
        case .emptyTime(let place, let column):
            "\(place): the time in column '\(column)' is empty or missing. Fill it in, or remove such rows: "
                + Self.dropEmpty
        case .duplicateID(let place, let column, let id):
            "\(place): '\(id)' in column '\(column)' is listed twice; keep one of the rows."
        }
    }

    private static func list(_ names: [String]) -> String { names.map { "'\($0)'" }.joined(separator: ", ") }
}
