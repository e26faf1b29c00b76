import HTTPAPI
import Serving
import Testing

/// The cases of the JSONTestSuite (github.com/nst/JSONTestSuite), with our own names and texts, one line a case.
///
/// `<e5>` in a text stands for that single byte.
@Suite("JSON conformance") struct JSONConformanceTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let bytes: [UInt8]
        var testDescription: String { name }

        init(_ name: String, _ text: String) {
            self.name = name
            bytes = Case.bytes(of: text)
        }

        private static func bytes(of text: String) -> [UInt8] {
            let utf8 = Array(text.utf8)
            var bytes: [UInt8] = []
            var position = 0
            while position < utf8.count {
                if utf8[position] == UInt8(ascii: "<"), position + 3 < utf8.count,
                    utf8[position + 3] == UInt8(ascii: ">"),
                    let byte = UInt8(String(decoding: utf8[position + 1...position + 2], as: UTF8.self), radix: 16)
                {
                    bytes.append(byte)
                    position += 4
                } else {
                    bytes.append(utf8[position])
                    position += 1
                }
            }
            return bytes
        }
    }

    /// The suite's `y_` cases: every reader must accept them.
    static let mandatory: [Case] = [
        Case("array: arrays with spaces", "[[]   ]"), Case("array: empty string", #"[""]"#), Case("array: empty", "[]"),
        Case("array: ends with newline", "[\"x\"]\n"), Case("array: false", "[false]"), Case("array: null", "[null]"),
        Case("array: of all kinds", #"[null, 1, "1", {}, true, 1.5, []]"#), Case("array: newline inside", "[1\n]"),
        Case("array: leading space", " [1]"), Case("array: trailing space", "[2] "),
        Case("array: several null", "[1,null,null,null,2]"), Case("array: true", "[true]"),
        Case("number: exponent", "[123e65]"), Case("number: 0e+1", "[0e+1]"), Case("number: 0e1", "[0e1]"),
        Case("number: after space", "[ 4]"), Case("number: integer with exponent", "[20e1]"),
        Case("number: close to zero", "[-0.\(String(repeating: "0", count: 77))1]"),
        Case("number: minus zero", "[-0]"), Case("number: negative", "[-123]"), Case("number: minus one", "[-1]"),
        Case("number: capital E", "[1E22]"), Case("number: capital E, minus", "[1E-2]"),
        Case("number: capital E, plus", "[1E+2]"), Case("number: fraction and exponent", "[123.456e78]"),
        Case("number: negative exponent", "[1e-2]"), Case("number: positive exponent", "[1e+2]"),
        Case("number: integer", "[123]"), Case("number: fraction", "[123.456789]"), Case("number: -0.0", "[-0.0]"),
        Case("object: two members", #"{"ab":"cd", "ef":"gh"}"#), Case("object: one member", #"{"ab":"cd"}"#),
        Case("object: repeated key", #"{"a":"b","a":"c"}"#), Case("object: repeated member", #"{"a":"b","a":"b"}"#),
        Case("object: empty", "{}"), Case("object: empty key", #"{"":0}"#),
        Case("object: escaped NUL in key", #"{"one\u0000two": 42}"#),
        Case("object: large numbers", #"{ "least": -1.0e+28, "most": 1.0e+28 }"#),
        Case("object: long strings", "{\"a\":[{\"b\": \"\(String(repeating: "x", count: 40))\"}], \"c\": \"\"}"),
        Case("object: array inside", #"{"a":[]}"#), Case("object: newlines", "{\n\"a\": \"b\"\n}"),
        Case("object: escaped Cyrillic", #"{"a":"\u041f\u0440\u0438\u0432\u0435\u0442" }"#),
        Case("string: escapes of 1, 2 and 3 bytes", #"["\u0060\u012a\u12AB"]"#),
        Case("string: surrogate pair", #"["\uD801\udc37"]"#),
        Case("string: two surrogate pairs", #"["\ud83d\ude39\ud83d\udc8d"]"#),
        Case("string: all short escapes", #"["\"\\\/\b\f\n\r\t"]"#),
        Case("string: escaped backslash before u0000", #"["\\u0000"]"#), Case("string: escaped quote", #"["\""]"#),
        Case("string: comment signs", #"["a/*b*/c/*d//e"]"#), Case("string: escaped backslash, a", #"["\\a"]"#),
        Case("string: escaped backslash, n", #"["\\n"]"#), Case("string: escaped control", #"["\u0012"]"#),
        Case("string: escaped U+FFFF", #"["\uFFFF"]"#), Case("string: in array", #"["abc"]"#),
        Case("string: after space", #"[ "abc"]"#), Case("string: last surrogate pair", #"["\uDBFF\uDFFF"]"#),
        Case("string: escaped no-break space", #"["one\u00A0two"]"#),
        Case("string: U+10FFFF", "[\"\u{10ffff}\"]"), Case("string: U+FFFF", "[\"\u{ffff}\"]"),
        Case("string: escaped NUL", #"["\u0000"]"#), Case("string: escaped comma", #"["\u002c"]"#),
        Case("string: Greek", "[\"π\"]"), Case("string: U+1BFFF", "[\"\u{1bfff}\"]"),
        Case("string: ASCII", #"["abc "]"#),
        Case("string: a space", #"" ""#), Case("string: G clef, mixed case", #"["\uD834\uDd1e"]"#),
        Case("string: U+0821", #"["\u0821"]"#), Case("string: U+0123", #"["\u0123"]"#),
        Case("string: U+2028", "[\"\u{2028}\"]"), Case("string: U+2029", "[\"\u{2029}\"]"),
        Case("string: escaped letters", #"["\u0061\u30af\u30EA\u30b9"]"#),
        Case("string: escaped newline", #"["one\u000Atwo"]"#), Case("string: DEL", "[\"\u{7f}\"]"),
        Case("string: DEL inside", "[\"a\u{7f}a\"]"), Case("string: U+A66D", #"["\uA66D"]"#),
        Case("string: escaped backslash by number", #"["\u005C"]"#), Case("string: symbols", "[\"⍂㈴⍂\"]"),
        Case("string: U+10FFFE", #"["\uDBFF\uDFFE"]"#), Case("string: U+1FFFE", #"["\uD83F\uDFFE"]"#),
        Case("string: zero width space", #"["\u200B"]"#), Case("string: invisible plus", #"["\u2064"]"#),
        Case("string: U+FDD0", #"["\uFDD0"]"#), Case("string: U+FFFE", #"["\uFFFE"]"#),
        Case("string: escaped quote by number", #"["\u0022"]"#), Case("string: 3 and 4 bytes", "[\"€𝄞\"]"),
        Case("text: false alone", "false"), Case("text: integer alone", "42"), Case("text: real alone", "-0.1"),
        Case("text: null alone", "null"), Case("text: string alone", #""abc""#), Case("text: true alone", "true"),
        Case("text: empty string alone", #""""#), Case("text: spaces around", " [] "),
    ]

    /// The suite's `n_` cases: no reader may accept them.
    static let forbidden: [Case] = [
        Case("array: no comma", "[1 true]"), Case("array: bad UTF-8 after a letter", "[a<e5>]"),
        Case("array: colon", #"["": 1]"#), Case("array: comma after it", #"[""],"#), Case("array: comma first", "[,1]"),
        Case("array: two commas", "[1,,2]"), Case("array: two commas last", #"["x",,]"#),
        Case("array: closed twice", #"["x"]]"#), Case("array: comma last", #"["",]"#),
        Case("array: not closed", #"["x""#),
        Case("array: bad and not closed", "[x"), Case("array: array without comma", "[3[4]]"),
        Case("array: bad UTF-8", "[<ff>]"), Case("array: colon for comma", "[1:2]"), Case("array: comma only", "[,]"),
        Case("array: minus only", "[-]"), Case("array: value missing", #"[   , ""]"#),
        Case("array: newlines, not closed", "[\"a\",\n4\n,1,"), Case("array: number, comma", "[1,]"),
        Case("array: number, commas", "[1,,]"), Case("array: vertical tab, form feed", "[\"<0b>a\"<0c>]"),
        Case("array: star", "[*]"), Case("array: string, not closed", #"["""#), Case("array: comma at the end", "[1,"),
        Case("array: lines, not closed", "[1,\n1\n,1"), Case("array: object, not closed", "[{}"),
        Case("literal: fals", "[fals]"), Case("literal: nul", "[nul]"), Case("literal: tru", "[tru]"),
        Case("literal: capital", "[True]"), Case("literal: NUL after a number", "123<00>"),
        Case("number: ++", "[++1234]"), Case("number: plus", "[+1]"), Case("number: +Inf", "[+Inf]"),
        Case("number: -01", "[-01]"), Case("number: -1.0.", "[-1.0.]"), Case("number: -2.", "[-2.]"),
        Case("number: -NaN", "[-NaN]"), Case("number: .-1", "[.-1]"), Case("number: .2e-3", "[.2e-3]"),
        Case("number: two points", "[0.1.2]"), Case("number: 0.3e+", "[0.3e+]"), Case("number: 0.3e", "[0.3e]"),
        Case("number: 0.e1", "[0.e1]"), Case("number: 0E+", "[0E+]"), Case("number: 0E", "[0E]"),
        Case("number: 0e+", "[0e+]"), Case("number: 0e", "[0e]"), Case("number: 1.0e+", "[1.0e+]"),
        Case("number: 1.0e-", "[1.0e-]"), Case("number: 1.0e", "[1.0e]"), Case("number: space inside", "[1 000.0]"),
        Case("number: 1eE2", "[1eE2]"), Case("number: 2.e+3", "[2.e+3]"), Case("number: 2.e-3", "[2.e-3]"),
        Case("number: 2.e3", "[2.e3]"), Case("number: 9.e+", "[9.e+]"), Case("number: Inf", "[Inf]"),
        Case("number: NaN", "[NaN]"), Case("number: fullwidth digit", "[\u{ff11}]"), Case("number: sum", "[1+2]"),
        Case("number: 0x1", "[0x1]"), Case("number: 0x42", "[0x42]"), Case("number: Infinity", "[Infinity]"),
        Case("number: 0e+-1", "[0e+-1]"), Case("number: word after it", "[-123.123abc]"),
        Case("number: bad UTF-8", "[123<e5>]"), Case("number: bad UTF-8 in exponent", "[1e1<e5>]"),
        Case("number: bad UTF-8 after 0", "[0<e5>]"), Case("number: -Infinity", "[-Infinity]"),
        Case("number: minus, word", "[-abc]"), Case("number: minus, space", "[- 1]"), Case("number: -012", "[-012]"),
        Case("number: -.123", "[-.123]"), Case("number: -1x", "[-1x]"), Case("number: 1ea", "[1ea]"),
        Case("number: bad UTF-8 after e", "[1e<e5>]"), Case("number: 1.", "[1.]"), Case("number: .123", "[.123]"),
        Case("number: 1.2a-3", "[1.2a-3]"), Case("number: letter for e", "[1.8011670033376514H-308]"),
        Case("number: 012", "[012]"), Case("number: -00.0", "[-00.0]"), Case("number: -00e0", "[-00e0]"),
        Case("number: 00.0", "[00.0]"), Case("number: 00e0", "[00e0]"),
        Case("object: bad value", #"["x", truth]"#), Case("object: bracket key", "{[: \"x\"}"),
        Case("object: comma for colon", #"{"x", null}"#), Case("object: two colons", #"{"x"::"b"}"#),
        Case("object: flag", "{🇨🇭}"), Case("object: number after value", #"{"a":"a" 123}"#),
        Case("object: single quotes", "{key: 'value'}"), Case("object: bad key, comma", "{\"<b9>\":\"0\",}"),
        Case("object: no colon, letter", #"{"a" b}"#), Case("object: no key", #"{:"b"}"#),
        Case("object: no colon, string", #"{"a" "b"}"#), Case("object: no value", #"{"a":"#),
        Case("object: key only", #"{"a""#), Case("object: number as key", "{1:1}"),
        Case("object: huge number as key", "{9999E9999:1}"), Case("object: null as key", "{null:null,null:null}"),
        Case("object: many commas", #"{"id":0,,,,,}"#), Case("object: single-quoted key", "{'a':0}"),
        Case("object: comma last", #"{"id":0,}"#), Case("object: comment after it", #"{"a":"b"}/**/"#),
        Case("object: comment, slash", #"{"a":"b"}/**//"#), Case("object: line comment", #"{"a":"b"}//"#),
        Case("object: slash", #"{"a":"b"}/"#), Case("object: two commas", #"{"a":"b",,"c":"d"}"#),
        Case("object: bare key", #"{a: "b"}"#), Case("object: value not closed", #"{"a":"a"#),
        Case("object: last without value", #"{ "foo" : "bar", "a" }"#), Case("object: hash after it", #"{"a":"b"}#"#),
        Case("string: surrogate, escape", #"["\uD800\"]"#), Case("string: surrogate, u", #"["\uD800\u"]"#),
        Case("string: surrogate, u1", #"["\uD800\u1"]"#), Case("string: surrogate, u1x", #"["\uD800\u1x"]"#),
        Case("string: bare letter", "[é]"), Case("string: escaped NUL byte", "[\"\\<00>\"]"),
        Case("string: x escape", #"["\x00"]"#), Case("string: three backslashes", #"["\\\"]"#),
        Case("string: escaped tab byte", "[\"\\<09>\"]"), Case("string: escaped emoji", "[\"\\🌀\"]"),
        Case("string: backslash last", #"["\"]"#), Case("string: three digits", #"["\u00A"]"#),
        Case("string: half surrogate", #"["\uD834\uDd"]"#), Case("string: surrogates, x", #"["\uD800\uD800\x"]"#),
        Case("string: bad UTF-8 in escape", "[\"\\u<e5>\"]"), Case("string: a escape", #"["\a"]"#),
        Case("string: no digits", #"["\uqqqq"]"#), Case("string: bad UTF-8 escaped", "[\"\\<e5>\"]"),
        Case("string: escape before it", #"[\u0020"abc"]"#), Case("string: bare escape", #"[\n]"#),
        Case("string: one quote", "\""), Case("string: single quotes", "['single quote']"),
        Case("string: bare word", "abc"), Case("string: not closed after backslash", "[\"\\"),
        Case("string: NUL byte", "[\"a<00>a\"]"), Case("string: newline", "[\"one\ntwo\"]"),
        Case("string: tab", "[\"\t\"]"), Case("string: capital U", #""\UA66D""#), Case("string: octal", #"["\1"]"#),
        Case("string: letter after it", #"""x"#),
        Case("text: 100,000 open arrays", String(repeating: "[", count: 100_000)),
        Case("text: 50,000 open arrays and objects", String(repeating: "[{\"\":", count: 50_000)),
        Case("text: angle brackets", "<.>"), Case("text: null in angle brackets", "[<null>]"), Case("text: space", " "),
        Case("text: letter after array", "[1]x"), Case("text: array closed twice", "[1]]"),
        Case("text: string not closed", #"["asd]"#), Case("text: identifier", "aå"), Case("text: not opened", "1]"),
        Case("text: comma for brace", #"{"x": true,"#), Case("text: two arrays", "[][]"), Case("text: bracket", "]"),
        Case("text: half a BOM", "<ef><bb>{}"), Case("text: bad UTF-8", "<e5>"), Case("text: open bracket", "["),
        Case("text: nothing", ""), Case("text: NUL between values", "[<00>]"), Case("text: at sign", "2@"),
        Case("text: object closed twice", "{}}"), Case("text: object, no value", #"{"":"#),
        Case("text: comment", #"{"a":/*comment*/"b"}"#), Case("text: two values", #"{"a": true} "x""#),
        Case("text: apostrophe", "['"), Case("text: array, comma", "[,"), Case("text: array, object", "[{"),
        Case("text: array, open string", #"["a"#), Case("text: array, string", #"["a""#),
        Case("text: open object", "{"),
        Case("text: object, bracket", "{]"), Case("text: object, comma", "{,"), Case("text: object, array", "{["),
        Case("text: object, open string", #"{"a"#), Case("text: object, apostrophes", "{'a'"),
        Case("text: nested bad escapes", #"["\{["\{["\{["\{"#), Case("text: Latin-1", "<e9>"), Case("text: star", "*"),
        Case("text: hash, object", #"{"a":"b"}#{}"#), Case("text: word joiner", "[\u{2060}]"),
        Case("text: escape before string", #"[\u000A""]"#), Case("text: array not closed", "[1"),
        Case("text: nul", "[ false, nul"), Case("text: fals", "[ true, fals"), Case("text: tru", "[ false, tru"),
        Case("text: object not closed", #"{"asd":"asd""#), Case("text: letter", "å"),
        Case("text: BOM only", "<ef><bb><bf>"),
        Case("text: form feed", "[<0c>]"), Case("text: no-break space", "[\u{a0}]"),
    ]

    /// The suite's `i_` cases that we accept: integers of any size up to 1024 bytes, and numbers that round to zero.
    static let accepted: [Case] = [
        Case("number: underflow", "[123.456e-789]"), Case("number: far underflow", "[123e-10000000]"),
        Case("number: large negative integer", "[-123123123123123123123123123123]"),
        Case("number: large integer", "[100000000000000000000]"),
        Case("number: very large negative integer", "[-237462374673276894279832749832423479823246327846]"),
    ]

    /// The suite's `i_` cases that we refuse: numbers without a finite Double, text that is not UTF-8 or Unicode, a
    /// byte order mark, and nesting deeper than 64.
    static let refused: [Case] = [
        Case("number: endless exponent", "[0.4e00669999999999999999999999999999999999999999999999999999]"),
        Case("number: huge negative", "[-1e+9999]"), Case("number: huge", "[1.5e+9999]"),
        Case("number: 1e400", "1e400"),
        Case("number: overflow below", "[-123123e100000]"), Case("number: overflow", "[123123e100000]"),
        Case("number: 10 MB of digits", String(repeating: "7", count: 10_000_000)),
        Case("key: lone second surrogate", #"{"\uDFAA":0}"#), Case("string: lone first surrogate", #"["\uDADA"]"#),
        Case("string: surrogate, other escape", #"["\uD888\u1234"]"#), Case("string: surrogate, \\n", #"["\uD800\n"]"#),
        Case("string: second surrogate, letter", #"["\uDd1ea"]"#),
        Case("string: two first surrogates", #"["\uD800\uD800\n"]"#), Case("string: lone surrogate", #"["\ud800"]"#),
        Case("string: surrogate, letters", #"["\ud800abc"]"#), Case("string: ff", "[\"<ff>\"]"),
        Case("string: pair the wrong way round", #"["\uDd1e\uD834"]"#), Case("string: Latin-1", "[\"<e9>\"]"),
        Case("string: lone second surrogate", #"["\uDFAA"]"#), Case("string: lone continuation", "[\"<81>\"]"),
        Case("string: beyond U+10FFFF", "[\"<f4><bf><bf><bf>\"]"), Case("string: overlong, 2 bytes", "[\"<c0><af>\"]"),
        Case("string: overlong, 6 bytes", "[\"<fc><83><bf><bf><bf><bf>\"]"),
        Case("string: overlong NUL", "[\"<fc><80><80><80><80><80>\"]"), Case("string: cut short", "[\"<e0><ff>\"]"),
        Case("string: bad sequence", "[\"日ш<fa>\"]"), Case("string: U+D800 in UTF-8", "[\"<ed><a0><80>\"]"),
        Case("text: UTF-16, low byte first, BOM", "<ff><fe>[<00>\"<00>x<00>\"<00>]<00>"),
        Case("text: UTF-16, low byte first", "[<00>\"<00>x<00>\"<00>]<00>"),
        Case("text: UTF-16, high byte first", "<00>[<00>\"<00>x<00>\"<00>]"), Case("text: BOM", "<ef><bb><bf>{}"),
        Case("text: 500 arrays", String(repeating: "[", count: 500) + String(repeating: "]", count: 500)),
    ]

    @Test("valid texts are JSON, but not requests", arguments: mandatory + accepted)
    func acceptsGoodTexts(_ good: Case) throws {
        try JSONReader.validate(good.bytes)
        #expect(Self.problem(good.bytes)?.code == .invalidArgument)
    }

    @Test("invalid texts are 400 invalid_json, alone and inside a body", arguments: forbidden + refused)
    func refusesBadTexts(_ bad: Case) {
        #expect(throws: JSONSyntaxError.self) { try JSONReader.validate(bad.bytes) }
        for body in [bad.bytes, Array(#"{"history":[],"k":["#.utf8) + bad.bytes] {
            let problem = Self.problem(body)
            #expect(problem?.code == .invalidJSON && problem?.code.status == 400)
        }
    }

    @Test("the deepest accepted nesting is 64, of any mixture")
    func boundsDepth() throws {
        for (opening, closing) in [("[", "]"), (#"{"a":"#, "}"), (#"[{"a":["#, "]}]")] {
            let levels = opening.count { $0 == "[" || $0 == "{" }
            for depth in [64 / levels, 64 / levels + 1] {
                let inside = opening.hasPrefix("{") ? "1" : ""
                let text = String(repeating: opening, count: depth) + inside + String(repeating: closing, count: depth)
                let isRead = (try? JSONReader.validate(Array(text.utf8))) != nil
                #expect(isRead == (depth * levels <= 64), "\(depth) times \(opening)")
            }
        }
    }

    private static func problem(_ body: [UInt8]) -> Problem? {
        var reader = RetrievalRequestReader()
        var request = RetrievalRequest()
        do throws(Problem) {
            try reader.read(body, into: &request)
            return nil
        } catch {
            return error
        }
    }
}
