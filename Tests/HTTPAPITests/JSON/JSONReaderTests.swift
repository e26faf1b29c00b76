import Foundation
import HTTPAPI
import Kernels
import Testing

@Suite("JSONReader") struct JSONReaderTests {
    /// Texts that every JSON reader must accept.
    static let accepted: [String] = [
        "[]", "{}", "0", "-0", "1", "-1", "1.5", "-0.0", "1e5", "1E+5", "1e-5", "0e0", "123456789012345678901234567890",
        "1.7976931348623157e308", "5e-324", "1e-400", "true", "false", "null", "\"\"", "\"a\"", " [ 1 , 2 ] ",
        "\t\n\r {\t\"a\"\n:\r1 } ", "[[],{}]", "{\"a\":{\"b\":[1,{\"c\":null}]}}", "{\"\":0}", "{\"a\":1,\"a\":2}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0041\\u00e9\\u20ac\"", "\"\\ud83c\\udfac\"", "\"\\uD834\\uDd1e\"",
        "\"\\u0000\"", "\"\u{7f}\"", "\"é€🎬\u{10ffff}\"", "\"\\ufffe\"", "\"\u{2028}\"", "[null,1,\"1\",{}]",
        String(repeating: "[", count: 64) + String(repeating: "]", count: 64),
        "[" + String(repeating: "9", count: 300) + "]",
    ]

    /// Texts that no JSON reader may accept, or that this reader refuses on purpose.
    static let refused: [String] = [
        "", " ", "[", "]", "{", "}", "[1", "[1,", "[,1]", "[1,]", "[1,,2]", "[1 2]", "[]]", "[1]x", "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}", "{,}", "{\"a\" 1}", "{a:1}", "{'a':1}", "{1:1}", "{\"a\":1 \"b\":2}", "{\"a\"::1}", "nul",
        "nulll",
        "tru", "True", "NaN", "Infinity", "-Infinity", "nan", "-", "+1", ".5", "1.", "1.e5", "01", "-01", "00", "1e",
        "1e+",
        "0x10", "1_000", "1 000", "--1", "1.5.5", "1e5.5", "1e400", "-1e400", "[1e999]", "\"", "\"a", "\"\\", "\"\\\"",
        "\"\\a\"", "\"\\x41\"", "\"\\u\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\U0041\"", "\"\\ud800\"", "\"\\udc00\"",
        "\"\\ud800x\"", "\"\\ud800\\n\"", "\"\\ud800\\ud800\"", "\"\\udfff\\ud800\"", "\"\t\"", "\"\n\"", "\"\u{0}\"",
        "\"\u{1f}\"", "'a'", "\u{feff}[]", "[\u{a0}1]", "[1\u{c}]", "/**/[]", "[]//x", "#", "[1]\u{0}", "\u{0}",
        "undefined", "\"a\"\"b\"", "{}{}", "[\"a\"", "{\"a\":[}", "[{]}", "١", "１",
        String(repeating: "[", count: 65) + String(repeating: "]", count: 65), String(repeating: "9", count: 1025),
    ]

    /// Byte sequences inside of a string that are not UTF-8.
    static let badUTF8: [[UInt8]] = [
        [0x80], [0xbf], [0xc0, 0x80], [0xc1, 0xbf], [0xc2], [0xc2, 0x41], [0xe0, 0x80, 0x80], [0xe0, 0x9f, 0xbf],
        [0xe2, 0x82], [0xe2, 0x28, 0xa1], [0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf], [0xf0, 0x80, 0x80, 0x80],
        [0xf0, 0x8f, 0xbf, 0xbf], [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80],
        [0xfe], [0xff], [0xf0, 0x9f, 0x8e],
    ]

    @Test("accepts valid texts of RFC 8259", arguments: accepted)
    func accepts(_ text: String) {
        #expect(throws: Never.self) { try JSONReader.validate(Array(text.utf8)) }
    }

    @Test("refuses other texts", arguments: refused)
    func refuses(_ text: String) {
        #expect(throws: JSONSyntaxError.self) { try JSONReader.validate(Array(text.utf8)) }
    }

    @Test("refuses bad UTF-8 in values and keys", arguments: badUTF8)
    func refusesBadUTF8(_ bytes: [UInt8]) {
        let quoted = Array("\"".utf8) + bytes + Array("\"".utf8)
        #expect(throws: JSONSyntaxError.self) { try JSONReader.validate(quoted) }
        #expect(throws: JSONSyntaxError.self) {
            try JSONReader.validate(Array("{".utf8) + quoted + Array(":1}".utf8))
        }
    }

    @Test(
        "endless nesting, strings and numbers end in an error, not in a stack overflow",
        arguments: ["[", "{\"a\":", "\"", "1"]
    )
    func survives(_ unit: String) {
        let text = Array(String(repeating: unit, count: 100_000).utf8)
        #expect(throws: JSONSyntaxError.self) { try JSONReader.validate(text) }
    }

    @Test("strings decode as Foundation decodes them", arguments: accepted.filter { $0.hasPrefix("\"") })
    func decodesStrings(_ text: String) throws {
        var reader = JSONReader(Array(text.utf8))
        var bytes: [UInt8] = []
        #expect(try reader.kind() == .string)
        try reader.string(appendingTo: &bytes)
        let expected = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed) as? String
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
    }

    @Test(
        "64-bit integers are exact",
        arguments: [
            ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min), ("9223372036854775808", nil),
            ("-9223372036854775809", nil), ("0", 0), ("-0", 0), ("99999999999999999999", nil),
        ] as [(String, Int64?)]
    )
    func readsIntegers(text: String, value: Int64?) throws {
        var reader = JSONReader(Array(text.utf8))
        let number = try reader.number()
        #expect(number.isInteger)
        #expect(reader.integer(number.text, as: Int64.self) == value)
        var unsigned = JSONReader(Array("18446744073709551615".utf8))
        #expect(unsigned.integer(try unsigned.number().text, as: UInt64.self) == UInt64.max)
    }
}

@Suite("JSONWriter") struct JSONWriterTests {
    @Test("strings read back", arguments: ["", "a", "\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}", "é€🎬\u{2028}", "a\"b"])
    func writesStrings(_ text: String) throws {
        var writer = JSONWriter()
        writer.string(text)
        let value = try JSONSerialization.jsonObject(with: Data(writer.bytes), options: .fragmentsAllowed)
        #expect(value as? String == text)
        #expect(throws: Never.self) { try JSONReader.validate(writer.bytes) }
    }

    @Test("floats are JSON numbers that read back exactly and are as short as Float's description")
    func writesFloats() throws {
        let random = CounterBasedGenerator(seed: 1, purpose: .simulation).words(stream: 0, count: 20_000)
        let edges: [Float] = [
            0, -0.0, 1, -1, 0.1, 1e-5, 1e16, .greatestFiniteMagnitude, .leastNonzeroMagnitude, 0.8731,
        ]
        for value in edges + random.map(Float.init(bitPattern:)) where value.isFinite {
            var writer = JSONWriter()
            writer.float(value)
            try JSONReader.validate(writer.bytes)
            #expect(Float(String(decoding: writer.bytes, as: UTF8.self))?.bitPattern == value.bitPattern)
            #expect(writer.bytes.count <= 15)
        }
    }

    @Test("integers are written in decimal", arguments: [0, 7, 10, -1, 1_234_567_890, Int.max, Int.min])
    func writesIntegers(_ value: Int) {
        var writer = JSONWriter()
        writer.integer(value)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == "\(value)")
    }

    @Test(
        "nanoseconds become microseconds",
        arguments: [(0, "0.000"), (1, "0.001"), (12_345, "12.345"), (1_000_050, "1000.050")]
    )
    func writesMicroseconds(nanoseconds: UInt64, text: String) {
        var writer = JSONWriter()
        writer.microseconds(nanoseconds: nanoseconds)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == text)
    }
}
