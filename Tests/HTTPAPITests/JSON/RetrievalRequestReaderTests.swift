import HTTPAPI
import Serving
import Testing

@Suite("Body of /retrieve") struct RetrievalRequestReaderTests {
    private func read(_ text: String) throws(Problem) -> RetrievalRequest {
        var reader = RetrievalRequestReader()
        var request = RetrievalRequest(history: ["left over"], k: 3)
        try reader.read(Array(text.utf8), into: &request)
        return request
    }

    @Test("every field is read")
    func readsAll() throws {
        let request = try read(
            """
            {"history":["i42","\\u0069\\u0037","é"],"k":20,"exclude":["i9",8],"exclude_history":false,"model":"m",
             "seed":18446744073709551615,"steps":5,"samples":16,"diversity":0.25,"category_penalty":0.0,"exact":true,"ef":9,"explain":true,
             "filter":{"none_of":["Horror"],"any_of":["Comedy","\\u0046ilm-Noir"]}}
            """
        )
        var expected = RetrievalRequest(history: ["i42", "i7", "é"], k: 20)
        expected.exclude = IdentifierList(["i9", "8"])
        expected.excludeHistory = false
        expected.model = "m"
        expected.seed = UInt64.max
        expected.steps = 5
        expected.samples = 16
        expected.diversity = 0.25
        expected.filter = CategoryFilter(anyOf: ["Comedy", "Film-Noir"], noneOf: ["Horror"])
        expected.exact = true
        expected.effort = 9
        expected.explain = true
        #expect(request == expected)
    }

    @Test(
        "defaults apply, and nothing of the previous request remains",
        arguments: [
            "{\"history\":[]}",
            " {\"seed\":null,\"history\":[],\"model\":null,\"steps\":null,\"ef\":null,\"diversity\":0} ",
            "{\"history\":[],\"filter\":null}", "{\"history\":[],\"filter\":{}}",
            "{\"history\":[],\"filter\":{\"any_of\":[],\"none_of\":[]}}",
        ]
    )
    func appliesDefaults(text: String) throws {
        #expect(try read(text) == RetrievalRequest())
    }

    @Test(
        "the first id decides whether the answer has integer ids",
        arguments: [
            ("[1,\"a\"]", true), ("[\"1\",2]", false), ("[]", false), ("[-5]", true),
        ]
    )
    func seesIntegers(history: String, answersIntegers: Bool) throws {
        #expect(try read("{\"history\":\(history)}").answersIntegers == answersIntegers)
    }

    @Test("ids keep their spelling, short or long, in both lists and with any white space")
    func readsIdentifiers() throws {
        let integers = [
            "0", "-0", "5", "-5", "123456789012345678", "-123456789012345678", "1234567890123456789",
            "9223372036854775807", "-9223372036854775808",
        ]
        let strings = ["", "i1", "00", "1.5", "a b", "é🎬", "a\\u0062c\\n\\\"d"]
        let texts = integers + strings.map { "\"\($0)\"" }
        let expected = IdentifierList(integers + strings.dropLast() + ["abc\n\"d"])
        for separator in [",", " , ", "\n,\t"] {
            let list = texts.joined(separator: separator)
            let request = try read("{\"exclude\":[\(list)],\"history\":[ \(list) ]}")
            #expect(request.history == expected && request.exclude == expected && request.answersIntegers)
        }
    }

    @Test(
        "a body that breaks the contract is refused with its pointer",
        arguments: [
            ("[]", ""), ("1", ""), ("\"x\"", ""), ("null", ""), ("{}", "/history"), ("{\"k\":5}", "/history"),
            ("{\"history\":null}", "/history"), ("{\"history\":\"i1\"}", "/history"), ("{\"history\":{}}", "/history"),
            ("{\"history\":[null]}", "/history/0"), ("{\"history\":[\"a\",[]]}", "/history/1"),
            ("{\"history\":[1.0]}", "/history/0"), ("{\"history\":[1,2,1e2]}", "/history/2"),
            ("{\"history\":[9223372036854775808]}", "/history/0"), ("{\"history\":[true]}", "/history/0"),
            ("{\"history\":[],\"history\":[]}", "/history"), ("{\"history\":[],\"k\":1,\"k\":1}", "/k"),
            ("{\"history\":[],\"hist\":1}", "/hist"), ("{\"history\":[],\"a/b~\":1}", "/a~1b~0"), ("{\"\":1}", "/"),
            ("{\"history\":[],\"exclude_historyx\":1}", "/exclude_historyx"), ("{\"history\":[],\"K\":1}", "/K"),
            ("{\"history\":[],\"k\":\"5\"}", "/k"), ("{\"history\":[],\"k\":5.0}", "/k"),
            ("{\"history\":[],\"k\":null}", "/k"),
            ("{\"history\":[],\"k\":1e2}", "/k"), ("{\"history\":[],\"k\":9223372036854775808}", "/k"),
            ("{\"history\":[],\"seed\":-1}", "/seed"), ("{\"history\":[],\"seed\":18446744073709551616}", "/seed"),
            ("{\"history\":[],\"seed\":\"x\"}", "/seed"), ("{\"history\":[],\"exact\":1}", "/exact"),
            ("{\"history\":[],\"explain\":null}", "/explain"),
            ("{\"history\":[],\"exclude_history\":\"no\"}", "/exclude_history"),
            ("{\"history\":[],\"exclude\":[{}]}", "/exclude/0"), ("{\"history\":[],\"model\":5}", "/model"),
            ("{\"history\":[],\"samples\":2.0}", "/samples"), ("{\"history\":[],\"samples\":null}", "/samples"),
            ("{\"history\":[],\"diversity\":\"1\"}", "/diversity"),
            ("{\"history\":[],\"diversity\":null}", "/diversity"), ("{\"history\":[],\"filter\":[]}", "/filter"),
            ("{\"history\":[],\"category_penalty\":null}", "/category_penalty"),
            ("{\"history\":[],\"category_penaltyx\":1}", "/category_penaltyx"),
            ("{\"history\":[],\"filter\":\"Comedy\"}", "/filter"),
            ("{\"history\":[],\"filter\":{\"any\":[\"Comedy\"]}}", "/filter/any"),
            ("{\"history\":[],\"filter\":{\"any_of\":\"Comedy\"}}", "/filter/any_of"),
            ("{\"history\":[],\"filter\":{\"any_of\":null}}", "/filter/any_of"),
            ("{\"history\":[],\"filter\":{\"none_of\":[\"a\",1]}}", "/filter/none_of/1"),
            ("{\"history\":[],\"filter\":{\"any_of\":[[]]}}", "/filter/any_of/0"),
            ("{\"history\":[],\"filter\":{\"any_of\":[],\"any_of\":[]}}", "/filter/any_of"),
            ("{\"history\":[],\"filter\":{\"none_of\":[],\"none_of\":[]}}", "/filter/none_of"),
            ("{\"history\":[],\"filter\":{},\"filter\":{}}", "/filter"),
            ("{\"history\":[],\"ef\":true}", "/ef"),
        ]
    )
    func refusesContract(text: String, pointer: String) {
        let problem = problem(text)
        #expect(problem?.code == .invalidArgument)
        #expect(problem?.errors.map(\.pointer) == [pointer])
    }

    static let extremes = [
        "-9223372036854775808", "-759250126", "-1", "0", "1", "16", "17", "1000", "1001", "2147483648",
        "4611686018427387904",
        "9223372036854775807", "9223372036854775808", "18446744073709551616", "1.0", "1e3", "-1e308",
        "1.7976931348623157e308",
        "5e-324", "-0", "0.5", "1000000", "1000001",
    ]
    static let numbers = ["k", "samples", "steps", "ef", "seed", "diversity", "category_penalty"]

    @Test("an accepted request is within all bounds, for every pair of extreme values", arguments: numbers)
    func boundsPairs(field: String) throws {
        let limits = RetrievalLimits()
        for value in Self.extremes {
            for other in Self.numbers where other != field {
                for otherValue in Self.extremes {
                    let text = "{\"history\":[],\"\(field)\":\(value),\"\(other)\":\(otherValue)}"
                    guard let request = try? read(text) else { continue }
                    try request.validate(within: limits)
                    #expect(1...1000 ~= request.k && 1...16 ~= request.samples && request.steps ?? 1 >= 1, "\(text)")
                    #expect(0...1 ~= request.diversity && 0...1e6 ~= request.categoryPenalty, "\(text)")
                    #expect(request.diversity == 0 || request.categoryPenalty == 0, "\(text)")
                }
            }
        }
    }

    @Test(
        "the message names the field's bounds and the number as sent",
        arguments: [
            ("\"k\":10.0", "must be a whole number from 1 to 1000; got 10.0."),
            ("\"k\":0", "must be a whole number from 1 to 1000; got 0."),
            ("\"k\":9223372036854775808", "must be a whole number from 1 to 1000; got 9223372036854775808."),
            ("\"samples\":17", "must be a whole number from 1 to 16; got 17."),
            ("\"steps\":0", "must be a whole number of at least 1; got 0."),
            ("\"diversity\":1.5", "must be a number from 0 to 1; got 1.5."),
            ("\"category_penalty\":1e7", "must be a number from 0 to 1000000; got 1e7."),
            ("\"diversity\":0.5,\"category_penalty\":1", "cannot be combined with a diversity; give one of the two."),
        ]
    )
    func namesBounds(fields: String, message: String) {
        #expect(problem("{\"history\":[],\(fields)}")?.errors.map(\.message) == [message])
    }

    @Test(
        "a text that is not JSON is invalid_json, even if it also breaks the contract",
        arguments:
            JSONReaderTests.refused.map { "{\"history\":[],\"k\":\($0)" } + JSONReaderTests.refused
            + JSONReaderTests.refused.filter { !$0.allSatisfy(\.isWhitespace) }.map { "{\"history\":[\($0)]}" }
            + ["{\"history\":[],\"filter\":{\"any_of\":[,]}}", "{\"history\":[],\"filter\":{\"any_of\"}}"]
            + ["{\"nope\":NaN}", "{\"k\":\"x\",", "{\"history\":[],\"diversity\":1e400}", "{\"history\":[]} x"]
    )
    func refusesSyntax(text: String) {
        #expect(problem(text)?.code == .invalidJSON)
    }

    private func problem(_ text: String) -> Problem? {
        do {
            _ = try read(text)
            return nil
        } catch {
            return error
        }
    }
}
