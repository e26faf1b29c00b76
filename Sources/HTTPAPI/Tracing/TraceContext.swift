/// The place of a request in a distributed trace, by W3C Trace Context (https://www.w3.org/TR/trace-context-2/).
///
/// A request with a valid `traceparent` continues the caller's trace with a new span. A malformed one starts a new
/// trace. This is a class, so that the many requests without a trace carry only one word.
package final class TraceContext: Sendable {
    /// The flags that are kept: the trace is sampled, and its id is random.
    private static let knownFlags: UInt8 = 0b11

    /// The id of the whole trace; not zero.
    package let traceID: UInt128
    /// The caller's span; nil if the trace begins here.
    package let parent: UInt64?
    /// The span of this request; not zero.
    package let span = UInt64.random(in: 1...UInt64.max)
    /// The caller's flags.
    package let flags: UInt8
    /// The received `tracestate` of other vendors; nil if missing or malformed.
    package let state: String?
    /// Whether the answer names the span: it does if the request sent a `traceparent`.
    package let isAnswered: Bool

    /// Continues the trace in a request's header fields; starts a new one if they are malformed.
    ///
    /// - Parameters:
    ///   - traceparent: The only field of this name.
    ///   - tracestate: The fields of this name, joined by commas.
    ///   - isSampled: Whether a new trace is sampled.
    package init(traceparent: String, tracestate: String?, isSampled: Bool) {
        isAnswered = true
        if let caller = Self.parse(traceparent) {
            traceID = caller.traceID
            parent = caller.span
            flags = caller.flags & Self.knownFlags
            state = tracestate.flatMap { Self.isWellFormed($0) ? $0 : nil }
        } else {
            traceID = UInt128.random(in: 1...UInt128.max)
            parent = nil
            flags = isSampled ? 0b11 : 0b10
            state = nil
        }
    }

    /// Starts a new sampled trace that the answer does not mention.
    package init() {
        isAnswered = false
        traceID = UInt128.random(in: 1...UInt128.max)
        parent = nil
        flags = 0b11
        state = nil
    }

    /// Whether to write the spans.
    package var isSampled: Bool { flags & 1 == 1 }

    /// The `traceparent` field with this request's span.
    package var traceparent: String {
        "00-\(hexadecimal(traceID, digits: 32))-\(hexadecimal(span, digits: 16))-\(hexadecimal(flags, digits: 2))"
    }

    /// Parses `version "-" trace-id "-" parent-id "-" flags`; versions after 00 may append fields.
    private static func parse(_ text: String) -> (traceID: UInt128, span: UInt64, flags: UInt8)? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 55, [2, 35, 52].allSatisfy({ bytes[$0] == UInt8(ascii: "-") }),
            let version: UInt8 = number(bytes[0..<2]), let traceID: UInt128 = number(bytes[3..<35]),
            let span: UInt64 = number(bytes[36..<52]), let flags: UInt8 = number(bytes[53..<55]),
            version != 255, traceID != 0, span != 0
        else { return nil }
        guard bytes.count == 55 || version > 0 && bytes[55] == UInt8(ascii: "-") else { return nil }
        return (traceID, span, flags)
    }

    /// Parses lower-case hexadecimal digits.
    private static func number<Number: FixedWidthInteger>(_ digits: ArraySlice<UInt8>) -> Number? {
        var value: Number = 0
        for byte in digits {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | Number(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | Number(byte - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }

    /// Whether a `tracestate` is a list of at most 32 members `key "=" value`, no key twice.
    private static func isWellFormed(_ state: String) -> Bool {
        var keys: Set<Substring> = []
        for part in state.split(separator: ",") {
            let member = part.drop { $0 == " " || $0 == "\t" }
            // Empty members are allowed.
            guard !member.isEmpty else { continue }
            guard let sign = member.utf8.firstIndex(of: UInt8(ascii: "=")), keys.count < 32,
                isKey(member[..<sign].utf8), isValue(member[sign...].dropFirst().utf8),
                keys.insert(member[..<sign]).inserted
            else { return false }
        }
        return !keys.isEmpty
    }

    private static func isKey(_ key: Substring.UTF8View) -> Bool {
        guard 1...256 ~= key.count, let first = key.first, isLowerOrDigit(first) else { return false }
        return key.allSatisfy { isLowerOrDigit($0) || "_-*/@".utf8.contains($0) }
    }

    private static func isLowerOrDigit(_ byte: UInt8) -> Bool {
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
    }

    /// Whether a value is printable ASCII without comma and equals sign; blanks at the end belong to the list.
    private static func isValue(_ value: Substring.UTF8View) -> Bool {
        let blanks = value.reversed().prefix { $0 == 0x20 || $0 == 0x09 }.count
        let value = value.dropLast(blanks)
        return 1...256 ~= value.count
            && value.allSatisfy { 0x20...0x7e ~= $0 && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "=") }
    }
}

/// A number in lower-case hexadecimal digits, padded with zeros.
func hexadecimal(_ value: some FixedWidthInteger & UnsignedInteger, digits: Int) -> String {
    let bytes = (0..<digits).reversed().map { hexadecimalDigit(UInt8(truncatingIfNeeded: value >> (4 * $0)) & 15) }
    return String(decoding: bytes, as: UTF8.self)
}
