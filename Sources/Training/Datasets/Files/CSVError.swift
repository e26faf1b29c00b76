/// Why a CSV file was rejected: the problem, its place, and what to do.
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

    /// The file cannot be opened or read.
    case unreadable(file: String, reason: String)
    /// `gzip` cannot decompress the file.
    case damagedArchive(file: String, reason: String)
    /// The file has no header, or no rows below it.
    case empty(file: String)
    /// The file is not separated text.
    case foreignFormat(ForeignFormat, file: String)
    /// More rows than can be numbered.
    case tooManyRows(file: String, limit: Int)
    /// A column that the caller named is not in the header.
    case missingColumn(String, file: String, found: [String])
    /// No name in the header is known for a needed column.
    case unrecognisedHeader(ColumnRole, file: String, found: [String])
    /// Several names in the header fit one column equally well.
    case ambiguousColumn(ColumnRole, file: String, names: [String])
    /// The caller named one column for two roles, for example user and item.
    case sharedColumn(String, roles: [ColumnRole], file: String)
    /// The header names a needed column twice.
    case duplicateColumn(String, file: String)
    /// A row has more or fewer fields than the header.
    case wrongFieldCount(at: Location, expected: Int, found: Int)
    /// Quotes or line ends that violate RFC 4180.
    case malformed(at: Location, reason: String)
    /// A row is longer than the reader's limit, usually because a quote is left open.
    case rowTooLong(at: Location, limit: Int)
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
    /// A value of an attribute does not have the type that the header declares.
    case wrongType(at: Location, column: String, type: String, text: String)
    /// An empty id.
    case emptyID(at: Location, column: String)
    /// An id that must be unique occurs twice.
    case duplicateID(at: Location, column: String, id: String)

    /// The message for the user.
    public var description: String {
        switch self {
        case .unreadable(let file, let reason):
            "Cannot read '\(file)': \(reason)."
        case .damagedArchive(let file, let reason):
            "Cannot decompress '\(file)': \(reason). Check the file with `gzip -t`, or copy it again."
        case .empty(let file):
            "'\(file)' has no rows. Is it the right file, with a header line if its format needs one?"
        case .foreignFormat(let format, let file):
            "'\(file)' is \(format.rawValue), not separated text. \(format.advice)."
        case .tooManyRows(let file, let limit):
            "'\(file)' has more than \(limit) rows, the limit for one file. Train on its newest rows."
        case .missingColumn(let column, let file, let found):
            "'\(file)' has no column '\(column)'; its columns are \(Self.list(found))."
        case .unrecognisedHeader(let role, let file, let found):
            "No column of '\(file)' is known to hold \(role.plural); its columns are \(Self.list(found)). "
                + role.remedy
        case .ambiguousColumn(let role, let file, let names):
            "Several columns of '\(file)' may hold \(role.plural): \(Self.list(names)). " + role.remedy
        case .sharedColumn(let column, let roles, let file):
            "Column '\(column)' of '\(file)' was named for \(roles.map(\.plural).joined(separator: " and for ")); "
                + "name two columns."
        case .duplicateColumn(let column, let file):
            "'\(file)' names the column '\(column)' twice; rename one of them."
        case .wrongFieldCount(let place, let expected, let found):
            "\(place): the row has \(found) fields instead of \(expected). Quote fields that hold the delimiter."
        case .malformed(let place, let reason):
            "\(place): \(reason)."
        case .rowTooLong(let place, let limit):
            "\(place): the row starting here exceeds \(limit) bytes. Is a quote left open?"
        case .invalidUTF8(let place):
            "\(place): the bytes here are not UTF-8. Convert the file, for example with `iconv -t UTF-8`."
        case .invalidNumber(let place, let column, let text):
            "\(place): '\(text)' in column '\(column)' is not a finite decimal number."
        case .invalidTime(let place, let column, let text):
            "\(place): '\(text)' in column '\(column)' is not a time in UTC such as 2014-04-07T10:51:09.277Z."
        case .unreadableTime(let place, let column, let text):
            "\(place): '\(text)' in column '\(column)' is no time. Accepted are numbers of at most 32 digits and dates and "
                + "times such as 2024-01-31, 2024-01-31T10:00:00.123Z or 2024-01-31 10:00:00+02:00 (UTC without a zone)."
        case .mixedTimes(let column, let first, let other):
            "\(other.place): column '\(column)' mixes forms of time: \(other) and \(first). Write all of them in one form."
        case .wrongType(let place, let column, let type, let text):
            "\(place): '\(text)' is no \(type), which the header declares for column '\(column)'. Correct the value, or "
                + "declare another type."
        case .emptyID(let place, let column):
            "\(place): the id in column '\(column)' is empty; fill it in or remove the row."
        case .duplicateID(let place, let column, let id):
            "\(place): '\(id)' in column '\(column)' is listed twice; keep one of the rows."
        }
    }

    private static func list(_ names: [String]) -> String { names.map { "'\($0)'" }.joined(separator: ", ") }
}
