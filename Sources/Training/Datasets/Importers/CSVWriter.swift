import Foundation

/// Writes rows of RFC 4180, with quotes only where they are needed.
struct CSVWriter {
    private static let chunk = 1 << 20

    private let path: String
    private let file: FileHandle
    private var buffer: [UInt8] = []
    private var isAtRowStart = true

    /// Creates a file, replacing any file of that name, and writes its header.
    init(path: String, header: [String]) throws(ImportError) {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let file = FileHandle(forWritingAtPath: path)
        else { throw .unwritable(path: path, reason: "it cannot be created; check its folder and the free space") }
        self.path = path
        self.file = file
        for name in header { append(Array(name.utf8)) }
        try endRow()
    }

    /// Adds a field to the row.
    mutating func append(_ field: some BidirectionalCollection<UInt8>) {
        separate()
        func isSpace(_ byte: UInt8?) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        // A reader drops spaces around an id unless they are quoted.
        let needsQuotes =
            isSpace(field.first) || isSpace(field.last)
            || field.contains { byte in
                byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\n")
                    || byte == UInt8(ascii: "\r")
            }
        guard needsQuotes else {
            buffer.append(contentsOf: field)
            return
        }
        buffer.append(UInt8(ascii: "\""))
        for byte in field {
            if byte == UInt8(ascii: "\"") { buffer.append(byte) }
            buffer.append(byte)
        }
        buffer.append(UInt8(ascii: "\""))
    }

    /// Adds a time that reads back as the same one; whole numbers have no point.
    mutating func append(_ time: Timestamp) {
        separate()
        buffer.append(contentsOf: time.description.utf8)
    }

    /// Ends the row.
    mutating func endRow() throws(ImportError) {
        buffer.append(UInt8(ascii: "\n"))
        isAtRowStart = true
        if buffer.count >= Self.chunk { try flush() }
    }

    /// Writes the rest of the buffer and waits until the file is on the disk.
    mutating func close() throws(ImportError) {
        try flush()
        do {
            try file.synchronize()
            try file.close()
        } catch {
            throw .unwritable(path: path, reason: ByteSource.reason(error))
        }
    }

    private mutating func separate() {
        if !isAtRowStart { buffer.append(UInt8(ascii: ",")) }
        isAtRowStart = false
    }

    private mutating func flush() throws(ImportError) {
        do {
            try file.write(contentsOf: buffer)
        } catch {
            throw .unwritable(path: path, reason: ByteSource.reason(error))
        }
        buffer.removeAll(keepingCapacity: true)
    }
}
