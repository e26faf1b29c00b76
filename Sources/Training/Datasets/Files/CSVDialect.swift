/// The format of a file's rows: delimiter, quotes, encoding.
package struct CSVDialect: Sendable, Equatable {
    /// The byte between fields.
    let separator: UInt8
    /// How many separator bytes in a row separate two fields.
    let separatorWidth: Int
    /// Whether a quote at the start of a field encloses it; otherwise quotes are ordinary characters.
    let hasQuotes: Bool
    /// Whether a row that is not UTF-8 is read as ISO 8859-1 instead of rejected.
    let fallsBackToLatin1: Bool

    /// JSON Lines: one object a line, in strict UTF-8.
    static let records = CSVDialect(separator: 0, separatorWidth: 0, hasQuotes: true, fallsBackToLatin1: false)

    /// RFC 4180 in strict UTF-8.
    package static let csv = CSVDialect(
        separator: UInt8(ascii: ","),
        separatorWidth: 1,
        hasQuotes: true,
        fallsBackToLatin1: false
    )

    /// MovieLens's `.dat` files: `::` between fields, no quotes; MovieLens 1M has titles in ISO 8859-1, MovieLens 10M
    /// in UTF-8.
    package static let movieLens = CSVDialect(
        separator: UInt8(ascii: ":"),
        separatorWidth: 2,
        hasQuotes: false,
        fallsBackToLatin1: true
    )

    /// `::` between fields, as in MovieLens's `.dat` files, in strict UTF-8.
    static let doubleColons = CSVDialect(
        separator: UInt8(ascii: ":"),
        separatorWidth: 2,
        hasQuotes: false,
        fallsBackToLatin1: false
    )

    /// Whether quotes are ordinary characters wherever they do not enclose a whole field of one line.
    ///
    /// Files with tabs seldom follow RFC 4180: a title such as `"Heroes" (live)` stands in them as it is. A row that has
    /// another number of fields then is read by RFC 4180 after all.
    var hasLooseQuotes: Bool { hasQuotes && separator == UInt8(ascii: "\t") }

    /// RFC 4180 with another delimiter; quotes are read more loosely between tabs (``hasLooseQuotes``).
    package static func separated(by separator: UInt8) -> CSVDialect {
        CSVDialect(separator: separator, separatorWidth: 1, hasQuotes: true, fallsBackToLatin1: false)
    }

    /// The text between fields.
    var delimiter: String { String(repeating: String(UnicodeScalar(separator)), count: separatorWidth) }

    /// The format in words.
    var words: String {
        switch separator {
        case 0: "one JSON object a line"
        case UInt8(ascii: ","): "fields between commas"
        case UInt8(ascii: ";"): "fields between semicolons"
        case UInt8(ascii: "\t"): "fields between tabs"
        case UInt8(ascii: "|"): "fields between pipes"
        default: "fields between '\(delimiter)'"
        }
    }

    /// Recognises the delimiter of a header line: comma, tab, semicolon, pipe or `::`.
    ///
    /// The delimiter that gives the most known column names wins, then the one that gives the most names, then the
    /// first.
    ///
    /// - Parameters:
    ///   - bytes: The file's start.
    ///   - score: Counts the known names among some names.
    /// - Returns: The dialect; with commas when no delimiter occurs.
    static func recognised(in bytes: ArraySlice<UInt8>, _ score: ([String]) -> Int) -> CSVDialect {
        let header = headerLine(of: bytes)
        var best = (dialect: CSVDialect.csv, score: -1, names: 0)
        for separator in ",\t;|".utf8 {
            let names = names(in: header, between: separator)
            let own = score(names)
            guard (best.score, best.names) < (own, names.count) else { continue }
            best = (.separated(by: separator), own, names.count)
        }
        // Only where no other delimiter occurs: `::` is also a part of names.
        let isMovieLens = best.names == 1 && header.contains(UInt8(ascii: ":"))
        return isMovieLens && String(decoding: header, as: UTF8.self).contains("::") ? .doubleColons : best.dialect
    }

    /// The first line that is not blank; line breaks inside quotes do not end it.
    private static func headerLine(of bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let start = bytes.drop { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
        var isQuoted = false
        let end = start.firstIndex { byte in
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            return byte == UInt8(ascii: "\n") && !isQuoted
        }
        let line = start[..<(end ?? start.endIndex)]
        return line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    }

    /// The fields of a line, without their quotes.
    private static func names(in line: ArraySlice<UInt8>, between separator: UInt8) -> [String] {
        var (names, field, isQuoted): ([String], [UInt8], Bool) = ([], [], false)
        for byte in line {
            if byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
            } else if byte == separator, !isQuoted {
                names.append(String(decoding: field, as: UTF8.self))
                field.removeAll()
            } else {
                field.append(byte)
            }
        }
        return names + [String(decoding: field, as: UTF8.self)]
    }
}
