// Rows of JSON records, one a line.

extension CSVRecords {
    /// The bytes of the line at a place without its line feed; nil when the chunk ends before the line.
    private func lineEnd(from start: Int) -> (end: Int, isASCII: Bool)? {
        let bytes = bytes.span
        var (index, seen): (Int, UInt8) = (start, 0)
        while index < bytes.count, bytes[index] != Self.lineFeed {
            seen |= bytes[index]
            index += 1
        }
        return index < bytes.count || isAtEnd ? (index, seen < 0x80) : nil
    }

    /// The names of all fields in the first lines, by first appearance: the lines that end in the first chunk.
    mutating func recordNames() throws(CSVError) -> [String] {
        var (names, known): ([String], Set<String>) = ([], [])
        var start = nextStart
        while start < bytes.count, let (end, _) = lineEnd(from: start), names.isEmpty || end < Self.chunk {
            rowStart = start
            if !isBlank(start..<end) {
                try forEachMember(in: start..<end) { name, _ in
                    let name = String(decoding: value(name), as: UTF8.self)
                    if known.insert(name).inserted { names.append(name) }
                }
            }
            start = end + 1
            line += 1
        }
        (rowStart, line) = (nextStart, nextLine)
        return names
    }

    /// Finds the fields of the record at `rowStart`; fields that the first lines do not name are skipped.
    mutating func scanRecord() throws(CSVError) -> Scan {
        guard rowStart < bytes.count || !isAtEnd else { return .end }
        guard let (end, isASCII) = lineEnd(from: rowStart) else { return .incomplete }
        let next = min(end + 1, bytes.count)
        let isBlank = isBlank(rowStart..<end)
        if !isBlank {
            var found = [RowField](
                repeating: RowField(start: -1, end: -1, form: .missing),
                count: memberNames.count
            )
            var expected = 0
            var unknown: [RowField] = []
            try forEachMember(in: rowStart..<end) { (name, value) throws(JSONLine.Fault) in
                let own = self.value(name)
                // Records mostly have their fields in one order.
                let isExpected = expected < found.count && memberNames[expected].elementsEqual(own)
                guard let place = isExpected ? expected : memberPlaces[own] else { return unknown.append(name) }
                guard found[place].start < 0 else {
                    throw JSONLine.Fault(
                        position: name.start,
                        reason: "the record has the field '\(String(decoding: own, as: UTF8.self))' twice"
                    )
                }
                found[place] = value
                expected = place + 1
            }
            for place in found.indices where found[place].start < 0 {
                (found[place].start, found[place].end) = (rowStart, rowStart)
            }
            fields = found
            for name in unknown where lateFields.count < Self.mostLateFields {
                let text = String(decoding: value(name), as: UTF8.self)
                if lateNames.insert(text).inserted { lateFields.append(LateField(name: text, line: line)) }
            }
        }
        return .row(end: next, lineBreaks: next - end, isASCII: isASCII, isBlank: isBlank)
    }

    private func forEachMember(
        in line: Range<Int>,
        _ body: (_ name: RowField, _ value: RowField) throws(JSONLine.Fault) -> Void
    ) throws(CSVError) {
        do {
            try JSONLine.forEachMember(bytes, in: line, body)
        } catch {
            throw .malformed(at: location(at: error.position), reason: error.reason)
        }
    }

    private func isBlank(_ line: Range<Int>) -> Bool { bytes[line].allSatisfy { " \t\r".utf8.contains($0) } }
}
