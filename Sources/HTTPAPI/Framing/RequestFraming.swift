/// Checks the header fields that decide where a request ends and which host it addresses; both planes use it.
///
/// Two readers could disagree about where an ambiguous request ends (request smuggling). The service refuses such a
/// request, and one with an ambiguous host, before anything acts on it.
package struct RequestFraming {
    private let maxBodyBytes: Int
    private let isHTTP10: Bool
    private var hosts = 0
    private var finding: Problem?

    /// Starts before the first header field.
    ///
    /// - Parameters:
    ///   - maxBodyBytes: The largest accepted body.
    ///   - isHTTP10: Whether the request uses HTTP/1.0, which needs no Host and has no chunked bodies.
    package init(maxBodyBytes: Int, isHTTP10: Bool) {
        self.maxBodyBytes = maxBodyBytes
        self.isHTTP10 = isHTTP10
    }

    /// Reads a header field if it concerns framing, and returns whether it does.
    package mutating func read(_ name: String, _ value: String) -> Bool {
        if equalsIgnoringCase(name, "host") {
            hosts += 1
            if !value.isEmpty, Authority(value) == nil {
                finding = Problem(.invalidArgument, "The Host header field is not a host with an optional port.")
            }
        } else if equalsIgnoringCase(name, "content-length") {
            guard let length = Int(value), length <= maxBodyBytes else {
                finding = .bodyTooLarge(maxBodyBytes)
                return true
            }
        } else if equalsIgnoringCase(name, "transfer-encoding") {
            guard equalsIgnoringCase(value, "chunked"), !isHTTP10 else {
                finding = Problem(.invalidArgument, "Transfer-Encoding must be 'chunked', and only in HTTP/1.1.")
                return true
            }
        } else {
            return false
        }
        return true
    }

    /// The framing problem, once all header fields are read.
    ///
    /// Such a request ends its connection.
    package var problem: Problem? {
        if let finding { return finding }
        guard hosts > 1 || hosts == 0 && !isHTTP10 else { return nil }
        return Problem(.invalidArgument, "The request has \(hosts) Host header fields; HTTP/1.1 requires exactly one.")
    }
}

/// A host with an optional port, as a Host header field names it (RFC 9110, section 7.2).
package struct Authority: Equatable {
    /// The host; an IPv6 address without its brackets.
    package let host: String
    /// The port, or nil when it is not given.
    package let port: UInt16?

    /// Parses a field; nil unless it is a host with an optional port.
    package init?(_ text: String) {
        let bytes = text.utf8
        var rest = bytes[...]
        if bytes.first == UInt8(ascii: "[") {
            guard let end = bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            let address = bytes[bytes.index(after: bytes.startIndex)..<end]
            guard !address.isEmpty, address.allSatisfy(Self.isOfIPv6) else { return nil }
            host = String(decoding: address, as: UTF8.self)
            rest = bytes[bytes.index(after: end)...]
        } else {
            let name = bytes.prefix { $0 != UInt8(ascii: ":") }
            guard !name.isEmpty, name.allSatisfy(Self.isOfName) else { return nil }
            host = String(decoding: name, as: UTF8.self)
            rest = bytes[name.endIndex...]
        }
        guard let colon = rest.popFirst() else {
            port = nil
            return
        }
        guard colon == UInt8(ascii: ":") else { return nil }
        if rest.isEmpty {
            port = nil
            return
        }
        guard rest.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
            let port = UInt16(String(decoding: rest, as: UTF8.self))
        else { return nil }
        self.port = port
    }

    private static func isOfIPv6(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "%")
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }
}

extension Problem {
    /// The problem for a body above the limit.
    static func bodyTooLarge(_ limit: Int) -> Problem {
        Problem(.bodyTooLarge, "The body is larger than \(limit) bytes, the limit of this path.")
    }
}

/// Whether a header's name or token equals a lower-case ASCII word.
func equalsIgnoringCase(_ text: some StringProtocol, _ lowercase: String) -> Bool {
    let bytes = text.utf8
    guard bytes.count == lowercase.utf8.count else { return false }
    return zip(bytes, lowercase.utf8).allSatisfy { byte, expected in
        (UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte ? byte | 0x20 : byte) == expected
    }
}
