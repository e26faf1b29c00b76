/// A format that is not separated text, known by its first bytes.
public enum ForeignFormat: String, Sendable, CaseIterable {
    /// A list of records, or one record where no such file is read.
    case json = "JSON"
    /// Two bytes a character; spreadsheets save "Unicode text" like this.
    case utf16 = "UTF-16 text"
    /// Compressed data in a file without the ending `.gz`.
    case gzip = "gzip-compressed data"
    /// Compressed data in a file without the ending `.zst`.
    case zstd = "zstd-compressed data"
    /// Data of a compressor that is not read.
    case bzip2 = "bzip2-compressed data"
    /// Data of a compressor that is not read.
    case xz = "xz-compressed data"
    /// An archive, or a spreadsheet.
    case zip = "a ZIP archive or a spreadsheet"
    /// A column store.
    case parquet = "a Parquet file"
    /// A database.
    case sqlite = "an SQLite database"

    /// The format of a file that starts with these bytes; nil when it may be separated text.
    init?(_ start: ArraySlice<UInt8>) {
        let signatures: [(ForeignFormat, [UInt8])] = [
            (.utf16, [0xFF, 0xFE]), (.utf16, [0xFE, 0xFF]), (.gzip, [0x1F, 0x8B]),
            (.zstd, [0x28, 0xB5, 0x2F, 0xFD]), (.zip, Array("PK\u{3}\u{4}".utf8)),
            (.xz, [0xFD] + Array("7zXZ\0".utf8)),
            (.parquet, Array("PAR1".utf8)), (.sqlite, Array("SQLite format 3\0".utf8)),
        ]
        let bzip2 = (1...9).map { level in (ForeignFormat.bzip2, Array("BZh\(level)1AY".utf8)) }
        if let (format, _) = (signatures + bzip2).first(where: { start.starts(with: $0.1) }) {
            self = format
            return
        }
        let first = start.first { byte in !" \t\r\n".utf8.contains(byte) }
        if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
            self = .json
            return
        }
        // Text with one byte a character has no zero byte at its start.
        guard start.prefix(4).contains(0) else { return nil }
        self = .utf16
    }

    /// The advice for such a file.
    var advice: String {
        switch self {
        case .json: "Write one record a line, for example with `jq -c '.[]'`"
        case .utf16: "Convert it, for example with `iconv -f UTF-16 -t UTF-8`"
        case .gzip: "Give the file a name that ends in .gz, or decompress it first"
        case .zstd: "Give the file a name that ends in .zst, or decompress it first"
        case .bzip2: "Decompress it first with `bzip2 -d`"
        case .xz: "Decompress it first with `xz -d`"
        case .zip: "Unpack it, or save the sheet as CSV"
        case .parquet: "Export its rows as CSV"
        case .sqlite: "Name a query: sqlite:FILE?query=SELECT user, item, time FROM ..."
        }
    }
}
