/// The head of an answer.
package struct Answer: Equatable, Sendable {
    /// The status code.
    package var status: Int
    /// Whether the server closes the connection after the answer.
    package var closes: Bool

    /// Creates a head.
    package init(status: Int, closes: Bool) {
        self.status = status
        self.closes = closes
    }
}

/// Finds the answers in a connection's bytes, however the reads cut them.
///
/// Reads the status, `Content-Length` and `Connection`, and skips all other fields. It keeps at most one header line,
/// in reused storage, so an answer needs no allocation. Source: RFC 9112, sections 4 and 6.
package struct ResponseParser {
    private static let headLimit = 65_536

    private enum Phase {
        case statusLine
        case fields
        case body(left: Int)
    }

    private var phase = Phase.statusLine
    private var answer = Answer(status: 0, closes: false)
    private var length: Int?
    private var headBytes = 0
    private var line: [UInt8] = []
    /// Whether to skip the current line.
    private var isSkipping = false

    /// Creates a parser at the start of an answer.
    package init() {
        line.reserveCapacity(256)
    }

    /// Reads on until an answer is complete.
    ///
    /// - Parameters:
    ///   - bytes: The received bytes.
    ///   - position: Where to continue; moved past the consumed bytes.
    /// - Returns: The answer that ends before the moved position; nil if all bytes are consumed and more are needed.
    /// - Throws: `ResponseError` if the answer has no Content-Length or is not HTTP; the connection is then unusable.
    package mutating func next(in bytes: Span<UInt8>, from position: inout Int) throws(ResponseError) -> Answer? {
        while position < bytes.count {
            if case .body(let left) = phase {
                let taken = min(left, bytes.count - position)
                position += taken
                guard taken == left else {
                    phase = .body(left: left - taken)
                    return nil
                }
                return finish()
            }
            let byte = bytes[position]
            position += 1
            headBytes += 1
            guard headBytes <= Self.headLimit else { throw .headTooLong(limit: Self.headLimit) }
            guard byte == UInt8(ascii: "\n") else {
                keep(byte)
                continue
            }
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            let endsHead = try endLine()
            line.removeAll(keepingCapacity: true)
            isSkipping = false
            if endsHead, try bodyLength() == 0 { return finish() }
        }
        return nil
    }

    /// Keeps only fields whose first letter matches a relevant field.
    private mutating func keep(_ byte: UInt8) {
        if isSkipping { return }
        if line.isEmpty, case .fields = phase {
            switch byte {
            case UInt8(ascii: "C"), UInt8(ascii: "c"), UInt8(ascii: "T"), UInt8(ascii: "t"), UInt8(ascii: "\r"): break
            default:
                isSkipping = true
                return
            }
        }
        line.append(byte)
    }

    /// Handles a complete line; true for the empty line that ends the head.
    private mutating func endLine() throws(ResponseError) -> Bool {
        guard case .fields = phase else {
            try readStatus()
            phase = .fields
            return false
        }
        if isSkipping { return false }
        if line.isEmpty { return true }
        if let value = value(of: "content-length") {
            let text = String(decoding: value, as: UTF8.self)
            guard let number = Int(text), number >= 0, value.allSatisfy({ 48...57 ~= $0 }), length ?? number == number
            else { throw .badLength(text) }
            length = number
        } else if let value = value(of: "connection") {
            let text = String(decoding: value, as: UTF8.self).lowercased()
            if text.contains("close") { answer.closes = true }
            if text.contains("keep-alive") { answer.closes = false }
        } else if let value = value(of: "transfer-encoding") {
            throw .transferEncoding(String(decoding: value, as: UTF8.self))
        }
        return false
    }

    private mutating func readStatus() throws(ResponseError) {
        let digits = line.dropFirst(9).prefix(3)
        guard line.starts(with: "HTTP/1.".utf8), line.count >= 12, line[8] == UInt8(ascii: " "),
            digits.allSatisfy({ 48...57 ~= $0 }), line.count == 12 || line[12] == UInt8(ascii: " ")
        else { throw .notHTTP(line: String(decoding: line.prefix(80), as: UTF8.self)) }
        answer.status = digits.reduce(0) { $0 * 10 + Int($1 - 48) }
        answer.closes = line[7] == UInt8(ascii: "0")
    }

    /// The value of the current line if its name is `name`, which must be in lower case.
    private func value(of name: StaticString) -> ArraySlice<UInt8>? {
        let count = name.utf8CodeUnitCount
        guard line.count > count, line[count] == UInt8(ascii: ":"), isNamed(name) else { return nil }
        let blank: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        var value = line[(count + 1)...].drop(while: blank)
        while let last = value.last, blank(last) { value.removeLast() }
        return value
    }

    private func isNamed(_ name: StaticString) -> Bool {
        var position = 0
        for scalar in name.description.utf8 {
            guard line[position] | 0x20 == scalar | 0x20 else { return false }
            position += 1
        }
        return true
    }

    /// Enters the body and returns its length.
    private mutating func bodyLength() throws(ResponseError) -> Int {
        let isBodiless = answer.status == 204 || answer.status == 304
        guard let length = isBodiless ? 0 : length else { throw .noLength(status: answer.status) }
        phase = .body(left: length)
        return length
    }

    private mutating func finish() -> Answer {
        phase = .statusLine
        length = nil
        headBytes = 0
        return answer
    }
}
