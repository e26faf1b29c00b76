/// How a file writes its rows.
package struct CSVDialect: Sendable {
    /// What stands between fields.
    let separator: UInt8
    /// How many of them in a row stand between two fields.
    let separatorWidth: Int
    /// Whether a quote at the start of a field encloses it; otherwise quotes are characters like others.
    let hasQuotes: Bool
    /// Whether a row that is not UTF-8 is read as ISO 8859-1, in place of being an error.
    let fallsBackToLatin1: Bool

    /// RFC 4180 in strict UTF-8.
    package static let csv = CSVDialect(
        separator: UInt8(ascii: ","),
        separatorWidth: 1,
        hasQuotes: true,
        fallsBackToLatin1: false
    )

    /// MovieLens's `.dat` files: `::` between fields, nothing quoted; the titles of MovieLens 1M are in ISO 8859-1, those
    /// of MovieLens 10M in UTF-8.
    package static let movieLens = CSVDialect(
        separator: UInt8(ascii: ":"),
        separatorWidth: 2,
        hasQuotes: false,
        fallsBackToLatin1: true
    )
}
