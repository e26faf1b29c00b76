/// The header fields that say where a request ends and whom it is for; both planes judge them alike.
///
/// A request that two readers may cut at different places, or whose host is doubtful, is refused before anything acts on it.
struct RequestFraming {
    private let maxBodyBytes: Int
    private let isHTTP10: Bool
    private var hosts = 0
    private var finding: Problem?

    /// No header field read yet.
    ///
    /// - Parameters:
    ///   - maxBodyBytes: The largest body that is accepted.
    ///   - isHTTP10: Whether the request came in HTTP/1.0, which needs no Host and has no chunks.
    init(maxBodyBytes: Int, isHTTP10: Bool) {
        self.maxBodyBytes = maxBodyBytes
        self.isHTTP10 = isHTTP10
    }

    /// Reads a header field, if it is one of framing, and says whether it was.
    mutating func read(_ name: String, _ value: String) -> Bool {
        if equalsIgnoringCase(name, "host") {
            hosts += 1
            if !value.isEmpty, Authority(value) == nil {
                finding = Problem(.invalidArgument, "The Host header field is no host with an optional port.")
            }
        } else if equalsIgnoringCase(name, "content-length") {
            guard let length = Int(value), length <= maxBodyBytes else {
                finding = .bodyTooLarge(maxBodyBytes)
                return true
            }
        } else if equalsIgnoringCase(name, "transfer-encoding") {
            guard equalsIgnoringCase(value, "chunked"), !isHTTP10 else {
                finding = Problem(.invalidArgument, "The only Transfer-Encoding is 'chunked', in HTTP/1.1.")
                return true
            }
        } else {
            return false
        }
        return true
    }

    /// What is wrong with the framing, after all header fields; such a request ends its connection.
    var problem: Problem? {
        if let finding { return finding }
        guard hosts > 1 || hosts == 0 && !isHTTP10 else { return nil }
        return Problem(.invalidArgument, "The request has \(hosts) Host header fields; HTTP/1.1 wants one.")
    }
}

/// A host with an optional port, as a Host header field names it (RFC 9110, section 7.2).
package struct Authority: Equatable {
    /// The host, of an IPv6 address without its brackets.
    package let host: String
    /// The port, or nil when it is not given.
    package let port: UInt16?

    /// Parses a field; nil when it is not a host with an optional port.
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
    /// The problem of a body beyond the limit.
    static func bodyTooLarge(_ limit: Int) -> Problem {
        Problem(.bodyTooLarge, "The body is larger than \(limit) bytes, the most that is accepted here.")
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
