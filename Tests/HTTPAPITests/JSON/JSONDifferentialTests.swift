import Foundation
import HTTPAPI
import Kernels
import Testing

/// Compares our reader with Foundation's on random JSON texts, valid and damaged.
@Suite("JSON beside Foundation") struct JSONDifferentialTests {
    @Test("valid texts are read to the same values", arguments: 0..<16)
    func readsValidTexts(seed: UInt64) throws {
        var random = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        for _ in 0..<250 {
            let text = JSONTextGenerator.text(using: &random)
            let own = try JSONValue(text)
            let other = try JSONSerialization.jsonObject(with: Data(text), options: .fragmentsAllowed)
            #expect(own.equals(other), "\(String(decoding: text, as: UTF8.self)) became \(other)")
        }
    }

    @Test("damaged texts get the same verdict, and the same values if they are still valid", arguments: 0..<16)
    func judgesDamagedTexts(seed: UInt64) {
        var random = SequentialGenerator(CounterBasedGenerator(seed: 1000 + seed, purpose: .simulation))
        var (valid, invalid) = (0, 0)
        for _ in 0..<2000 {
            var text = JSONTextGenerator.text(using: &random)
            for _ in 0..<Int.random(in: 1...3, using: &random) { JSONTextGenerator.damage(&text, using: &random) }
            let other = try? JSONSerialization.jsonObject(with: Data(text), options: .fragmentsAllowed)
            let shown = "\(String(decoding: text, as: UTF8.self)) \(text)"
            do {
                let own = try JSONValue(text)
                valid += 1
                // There is no text that only we accept.
                #expect(other.map(own.equals) == true, "\(shown) became \(String(describing: other))")
            } catch let error as JSONSyntaxError {
                invalid += 1
                if other != nil { #expect(Self.onlyFoundationAccepts(text, error), "\(error.reason): \(shown)") }
            } catch {
                Issue.record(error)
            }
        }
        #expect(valid > 100 && invalid > 500, "\(valid) valid and \(invalid) invalid texts test little")
    }

    /// The known differences; in all of them Foundation is less strict.
    private static func onlyFoundationAccepts(_ text: [UInt8], _ error: JSONSyntaxError) -> Bool {
        // It guesses UTF-16 and UTF-32 from NUL bytes; RFC 8259 allows UTF-8 only.
        text.contains(0)
            // It allows a comma before the end of an array or object.
            || error.reason == "a comma stands before the end"
            // It reads numbers outside the range of a Double as decimals.
            || error.reason == "a number is outside the range of a Double"
            // It skips a byte order mark, which RFC 8259 section 8.1 leaves to us.
            || error.reason == "the text starts with a byte order mark"
    }
}

/// A JSON text read completely by `JSONReader`.
private indirect enum JSONValue {
    case object([(key: [UInt8], value: JSONValue)])
    case array([JSONValue])
    case string([UInt8])
    case integer(Int64)
    case unsigned(UInt64)
    case real(Double, text: String)
    case boolean(Bool)
    case null

    init(_ text: [UInt8]) throws {
        var reader = JSONReader(text)
        self = try JSONValue(&reader, text)
        try reader.end()
    }

    private init(_ reader: inout JSONReader, _ text: [UInt8]) throws {
        var isFirst = true
        switch try reader.kind() {
        case .object:
            var members: [(key: [UInt8], value: JSONValue)] = []
            reader.enter()
            while true {
                var key: [UInt8] = []
                guard try reader.nextKey(isFirst: &isFirst, into: &key) else { break }
                members.append((key, try JSONValue(&reader, text)))
            }
            self = .object(members)
        case .array:
            var elements: [JSONValue] = []
            reader.enter()
            while try reader.nextElement(isFirst: &isFirst) { elements.append(try JSONValue(&reader, text)) }
            self = .array(elements)
        case .string:
            var bytes: [UInt8] = []
            try reader.string(appendingTo: &bytes)
            self = .string(bytes)
        case .number:
            let number = try reader.number()
            if number.isInteger, let value = reader.integer(number.text, as: Int64.self) {
                self = .integer(value)
            } else if number.isInteger, let value = reader.integer(number.text, as: UInt64.self) {
                self = .unsigned(value)
            } else {
                self = .real(reader.double(number.text), text: String(decoding: text[number.text], as: UTF8.self))
            }
        case .boolean: self = .boolean(try reader.boolean())
        case .null:
            try reader.null()
            self = .null
        }
    }

    /// Whether Foundation's value is equal, strings to the byte and integers to the bit.
    func equals(_ other: Any) -> Bool {
        switch self {
        case .object(let members):
            guard let dictionary = other as? [String: Any] else { return false }
            let keys = members.map { String(decoding: $0.key, as: UTF8.self) }
            // For equal keys (also if composed differently) Foundation keeps one value; the RFC does not say which.
            guard Set(keys).count == keys.count else { return dictionary.count == Set(keys).count }
            return dictionary.count == members.count
                && zip(keys, members).allSatisfy { key, member in dictionary[key].map(member.value.equals) ?? false }
        case .array(let elements):
            guard let array = other as? [Any] else { return false }
            return array.count == elements.count && zip(elements, array).allSatisfy { $0.equals($1) }
        case .string(let bytes): return (other as? String).map { Array($0.utf8) == bytes } ?? false
        case .integer(let value): return (other as? NSNumber).map { $0.int64Value == value } ?? false
        case .unsigned(let value): return (other as? NSNumber).map { $0.uint64Value == value } ?? false
        case .real(let value, let text):
            // Foundation converts through a decimal and may round twice; Swift rounds once.
            guard let other = (other as? NSNumber)?.doubleValue else { return false }
            return value == Double(text) && abs(other - value) <= abs(value) * 1e-14
        case .boolean(let value): return other as? Bool == value
        case .null: return other is NSNull
        }
    }
}

/// Generates random JSON texts with all kinds of values, spellings and white space.
private enum JSONTextGenerator {
    typealias Random = SequentialGenerator

    static func text(using random: inout Random) -> [UInt8] {
        var text: [UInt8] = []
        space(&text, &random)
        value(&text, depth: 0, &random)
        space(&text, &random)
        return text
    }

    /// Flips a bit, cuts, inserts, removes or repeats a piece.
    static func damage(_ text: inout [UInt8], using random: inout Random) {
        guard let position = text.indices.randomElement(using: &random) else { return }
        switch Int.random(in: 0..<6, using: &random) {
        case 0: text[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: text.removeSubrange(position...)
        case 2: text.insert(pieces.randomElement(using: &random) ?? 0, at: position)
        case 3: text.insert(UInt8.random(in: 0...255, using: &random), at: position)
        case 4: text.remove(at: position)
        default: text.insert(contentsOf: text[position..<min(text.count, position + 4)], at: position)
        }
    }

    private static let pieces = Array("[]{}:,\"\\/0123456789+-.eEtrufalsn u\t\n\r".utf8)

    private static func value(_ text: inout [UInt8], depth: Int, _ random: inout Random) {
        switch Int.random(in: 0..<(depth < 5 ? 10 : 6), using: &random) {
        case 0: text += "null".utf8
        case 1: text += (Bool.random(using: &random) ? "true" : "false").utf8
        case 2, 3: number(&text, &random)
        case 4, 5: string(&text, &random)
        case 6, 7:
            list(&text, "[", "]", &random) { text, _, random in value(&text, depth: depth + 1, &random) }
        default:
            list(&text, "{", "}", &random) { text, position, random in
                string(&text, &random)
                // The keys are mostly different.
                if Int.random(in: 0..<10, using: &random) > 0 {
                    text.insert(contentsOf: "\(position)".utf8, at: text.count - 1)
                }
                space(&text, &random)
                text.append(UInt8(ascii: ":"))
                space(&text, &random)
                value(&text, depth: depth + 1, &random)
            }
        }
    }

    private static func list(
        _ text: inout [UInt8],
        _ opening: String,
        _ closing: String,
        _ random: inout Random,
        element: (inout [UInt8], Int, inout Random) -> Void
    ) {
        text += opening.utf8
        space(&text, &random)
        for position in 0..<Int.random(in: 0...3, using: &random) {
            if position > 0 {
                text.append(UInt8(ascii: ","))
                space(&text, &random)
            }
            element(&text, position, &random)
            space(&text, &random)
        }
        text += closing.utf8
    }

    private static func space(_ text: inout [UInt8], _ random: inout Random) {
        guard Int.random(in: 0..<4, using: &random) == 0 else { return }
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            text.append([0x20, 0x09, 0x0a, 0x0d].randomElement(using: &random) ?? 0x20)
        }
    }

    private static func number(_ text: inout [UInt8], _ random: inout Random) {
        if Bool.random(using: &random) { text.append(UInt8(ascii: "-")) }
        let whole = Int.random(in: 0..<4, using: &random) == 0 ? 1 : Int.random(in: 1...22, using: &random)
        digits(&text, whole, canStartWithZero: whole == 1, &random)
        if Int.random(in: 0..<3, using: &random) == 0 {
            text.append(UInt8(ascii: "."))
            digits(&text, Int.random(in: 1...20, using: &random), canStartWithZero: true, &random)
        }
        if Int.random(in: 0..<3, using: &random) == 0 {
            text.append([UInt8(ascii: "e"), UInt8(ascii: "E")].randomElement(using: &random) ?? 0)
            text += (["", "+", "-"].randomElement(using: &random) ?? "").utf8
            let exponents = ["0", "00", "7", "22", "023", "100", "280"]
            text += (exponents.randomElement(using: &random) ?? "").utf8
        }
    }

    private static func digits(_ text: inout [UInt8], _ count: Int, canStartWithZero: Bool, _ random: inout Random) {
        for position in 0..<count {
            let least: UInt8 = position == 0 && !canStartWithZero ? 1 : 0
            text.append(UInt8(ascii: "0") + UInt8.random(in: least...9, using: &random))
        }
    }

    private static func string(_ text: inout [UInt8], _ random: inout Random) {
        text.append(UInt8(ascii: "\""))
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                text += ("\\" + (["\"", "\\", "/", "b", "f", "n", "r", "t"].randomElement(using: &random) ?? "n")).utf8
            case 1:
                for unit in String(scalar(&random)).utf16 {
                    let digits = String(unit, radix: 16, uppercase: Bool.random(using: &random))
                    text += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
                }
            case 2:
                let raw = scalar(&random)
                if raw.value >= 0x20, raw != "\"", raw != "\\" { text += String(raw).utf8 }
            default: text += String(Int.random(in: 0...999, using: &random), radix: 36).utf8
            }
        }
        text.append(UInt8(ascii: "\""))
    }

    private static func scalar(_ random: inout Random) -> Unicode.Scalar {
        let ends: [UInt32] = [0x7f, 0x7ff, 0xffff, 0x10ffff]
        let end = ends.randomElement(using: &random) ?? 0x7f
        return Unicode.Scalar(UInt32.random(in: 0...end, using: &random)) ?? "\u{fffd}"
    }
}
