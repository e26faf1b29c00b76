/// Why a CSV file was refused: what is wrong, where, and what to do about it.
public enum CSVError: Error, Equatable, CustomStringConvertible {
    /// A place in a file; line and column count from 1, the column in characters.
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
        /// What it is, such as `a date`.
        public var form: String

        /// The value, its form and its line.
        public var description: String { "'\(text)' (\(form), line \(place.line))" }
    }

    /// The file cannot be opened or read.
    case unreadable(file: String, reason: String)
    /// `gzip` refused the compressed file.
    case damagedArchive(file: String, reason: String)
    /// The file has no header, or nothing below it.
    case empty(file: String)
    /// The file is not separated text.
    case foreignFormat(ForeignFormat, file: String)
    /// More rows than can be numbered.
    case tooManyRows(file: String, limit: Int)
    /// A column that was asked for by name is not in the header.
    case missingColumn(String, file: String, found: [String])
    /// No name in the header is one of those that are recognised.
    case unrecognisedHeader(ColumnRole, file: String, found: [String])
    /// Several names in the header mean the same, and none of them comes first.
    case ambiguousColumn(ColumnRole, file: String, names: [String])
    /// One column was asked for twice, as user and item for example.
    case sharedColumn(String, roles: [ColumnRole], file: String)
    /// The header names a needed column twice.
    case duplicateColumn(String, file: String)
    /// A row has more or fewer fields than the header.
    case wrongFieldCount(at: Location, expected: Int, found: Int)
    /// Quotes or line ends against RFC 4180.
    case malformed(at: Location, reason: String)
    /// A row longer than the reader holds, as an open quote makes them.
    case rowTooLong(at: Location, limit: Int)
    /// Bytes that are not UTF-8.
    case invalidUTF8(at: Location)
    /// A number that is none, or is not finite.
    case invalidNumber(at: Location, column: String, text: String)
    /// A time that is none, or not in UTC.
    case invalidTime(at: Location, column: String, text: String)
    /// A time in none of the forms that are understood.
    case unreadableTime(at: Location, column: String, text: String)
    /// Two times of a column in different forms.
    case mixedTimes(column: String, first: WrittenTime, other: WrittenTime)
    /// An id without a character.
    case emptyID(at: Location, column: String)
    /// An id that must be unique and is not.
    case duplicateID(at: Location, column: String, id: String)

    /// A sentence for the operator.
    public var description: String {
        switch self {
        case .unreadable(let file, let reason):
            "Cannot read '\(file)': \(reason)."
        case .damagedArchive(let file, let reason):
            "Cannot decompress '\(file)': \(reason). Check the file with `gzip -t`, or copy it again."
        case .empty(let file):
            "'\(file)' holds no rows. Is it the right file, with its header if it needs one?"
        case .foreignFormat(let format, let file):
            "'\(file)' is \(format.rawValue), not separated text. \(format.advice)."
        case .tooManyRows(let file, let limit):
            "'\(file)' has more than \(limit) rows, the most of one file. Train on its newest rows."
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
            "\(place): the row has \(found) fields in place of \(expected). Quote fields that hold the delimiter."
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
        case .emptyID(let place, let column):
            "\(place): the id in column '\(column)' is empty; fill it in or remove the row."
        case .duplicateID(let place, let column, let id):
            "\(place): '\(id)' in column '\(column)' was already listed above; keep one of the rows."
        }
    }

    private static func list(_ names: [String]) -> String { names.map { "'\($0)'" }.joined(separator: ", ") }
}
