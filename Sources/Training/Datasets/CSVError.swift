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

    /// The file cannot be opened or read.
    case unreadable(file: String, reason: String)
    /// `gzip` refused the compressed file.
    case damagedArchive(file: String, reason: String)
    /// The file has no header, or nothing below it.
    case empty(file: String)
    /// A needed column is not in the header.
    case missingColumn(String, file: String, found: [String])
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
        case .missingColumn(let column, let file, let found):
            "'\(file)' has no column '\(column)'; its header names \(found.map { "'\($0)'" }.joined(separator: ", "))."
        case .duplicateColumn(let column, let file):
            "'\(file)' names the column '\(column)' twice; rename one of them."
        case .wrongFieldCount(let place, let expected, let found):
            "\(place): the row has \(found) fields in place of \(expected). Quote fields that hold commas."
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
        case .emptyID(let place, let column):
            "\(place): the id in column '\(column)' is empty."
        case .duplicateID(let place, let column, let id):
            "\(place): '\(id)' in column '\(column)' was already listed above; keep one of the rows."
        }
    }
}
