// Rows of separated values.

extension CSVRecords {
    /// Splits the row at `rowStart` into fields.
    mutating func scan() throws(CSVError) -> Scan {
        fields.removeAll(keepingCapacity: true)
        let chunk = bytes
        let bytes = chunk.span
        let (separator, width) = (dialect.separator, dialect.separatorWidth)
        // Without quoting, a line feed takes the quote's place in the search: it ends fields anyway.
        let isLoose = dialect.hasLooseQuotes && !isStrict
        let quote = dialect.hasQuotes && !isLoose ? Self.quote : Self.lineFeed
        var index = rowStart
        var lineBreaks = 0
        var seen: UInt8 = 0
        while true {
            if index == bytes.count {
                guard isAtEnd else { return .incomplete }
                guard !fields.isEmpty else { return .end }
            }
            let isOpen = index < bytes.count && dialect.hasQuotes && bytes[index] == Self.quote
            if isOpen, !isLoose || Self.isEnclosed(in: bytes, from: index, separator: separator) {
                let start = index + 1
                var hasDoubledQuotes = false
                index = start
                while true {
                    guard index < bytes.count else {
                        guard isAtEnd else { return .incomplete }
                        throw .malformed(at: location(at: start - 1), reason: "the quote opened here is never closed")
                    }
                    let byte = bytes[index]
                    index += 1
                    seen |= byte
                    if byte == Self.lineFeed { lineBreaks += 1 }
                    guard byte == Self.quote else { continue }
                    if index == bytes.count, !isAtEnd { return .incomplete }
                    guard index < bytes.count, bytes[index] == Self.quote else { break }
                    hasDoubledQuotes = true
                    index += 1
                }
                fields.append(
                    RowField(start: start, end: index - 1, form: hasDoubledQuotes ? .doubledQuotes : .quoted)
                )
            } else {
                let start = index
                while index < bytes.count {
                    let byte = bytes[index]
                    if byte == separator {
                        if width == 1 { break }
                        if index + 1 == bytes.count, !isAtEnd { return .incomplete }
                        if index + 1 < bytes.count, bytes[index + 1] == separator { break }
                    } else if byte == Self.lineFeed || byte == Self.carriageReturn || byte == quote {
                        break
                    }
                    seen |= byte
                    index += 1
                }
                fields.append(RowField(start: start, end: index))
            }
            let isASCII = seen < 0x80
            let isBlank = fields.count == 1 && fields[0].start == rowStart && fields[0].end == rowStart
            guard index < bytes.count else {
                guard isAtEnd else { return .incomplete }
                return .row(end: index, lineBreaks: lineBreaks, isASCII: isASCII, isBlank: isBlank)
            }
            switch bytes[index] {
            case separator:
                index += width
            case Self.lineFeed:
                return .row(end: index + 1, lineBreaks: lineBreaks + 1, isASCII: isASCII, isBlank: isBlank)
            case Self.carriageReturn:
                if index + 1 == bytes.count, !isAtEnd { return .incomplete }
                guard index + 1 < bytes.count, bytes[index + 1] == Self.lineFeed else {
                    throw .malformed(
                        at: location(at: index),
                        reason:
                            "a carriage return stands here without a line feed; end lines in LF or CRLF, for example "
                            + "with `tr '\\r' '\\n'` if no line has a line feed"
                    )
                }
                return .row(end: index + 2, lineBreaks: lineBreaks + 1, isASCII: isASCII, isBlank: isBlank)
            case Self.quote:
                throw .malformed(
                    at: location(at: index),
                    reason:
                        "a quote stands inside an unquoted field; quote the whole field and double its quotes, or remove the "
                        + "quotes with `tr -d '\"'` if no field needs them"
                )
            default:
                throw .malformed(
                    at: location(at: index),
                    reason: "text follows a closing quote; double the quotes inside a quoted field"
                )
            }
        }
    }

    /// Whether the quote at `start` encloses a field that ends on the same line before the next separator; quotes inside
    /// are doubled.
    private static func isEnclosed(in bytes: Span<UInt8>, from start: Int, separator: UInt8) -> Bool {
        func endsField(_ byte: UInt8) -> Bool { byte == separator || byte == lineFeed || byte == carriageReturn }
        var index = start + 1
        while index < bytes.count, !endsField(bytes[index]) {
            let byte = bytes[index]
            index += 1
            guard byte == quote else { continue }
            guard index < bytes.count, bytes[index] == quote else {
                return index == bytes.count || endsField(bytes[index])
            }
            index += 1
        }
        return false
    }
}
