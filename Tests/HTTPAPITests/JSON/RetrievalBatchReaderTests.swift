import HTTPAPI
import Serving
import Testing

@Suite("Body of /retrieve:batch") struct RetrievalBatchReaderTests {
    private typealias Batch = (requests: [RetrievalRequest], problems: [Problem?])

    private func read(_ text: String, limit: Int = 4) throws(Problem) -> Batch {
        var reader = RetrievalBatchReader(limits: RetrievalLimits(maxBatch: limit))
        // Leftovers of an earlier batch.
        var requests = [RetrievalRequest](repeating: RetrievalRequest(history: ["left over"], k: 3), count: 3)
        var problems: [Problem?] = [Problem(.notReady, "left over")]
        try reader.read(Array(text.utf8), into: &requests, problems: &problems)
        return (requests, problems)
    }

    private func problem(_ text: String, limit: Int = 4) -> Problem? {
        do {
            _ = try read(text, limit: limit)
            return nil
        } catch {
            return error
        }
    }

    @Test("each element reads like the same text alone", arguments: 1...4)
    func readsLikeSingleRequests(count: Int) throws {
        let texts = [
            #"{"history":["i42","\u0069\u0037"],"k":20,"exclude":[8,"é"],"samples":16,"explain":true}"#,
            #"{"history":[1,2,3],"seed":7,"filter":{"any_of":["Comedy"]}}"#, #"{ "history" : [ ] }"#,
            #"{"steps":3,"model":"m","ef":null,"diversity":0.5,"exact":true,"history":["x"],"exclude_history":false}"#,
        ].prefix(count)
        let batch = try read(" {\"requests\" : [ \(texts.joined(separator: " ,\n")) ] } ")
        #expect(batch.problems == [Problem?](repeating: nil, count: count))
        #expect(batch.requests.count == count)
        for (text, request) in zip(texts, batch.requests) {
            var reader = RetrievalRequestReader()
            var alone = RetrievalRequest()
            try reader.read(Array(text.utf8), into: &alone)
            #expect(request == alone)
        }
    }

    @Test(
        "an element that breaks the contract gets its pointer and does not affect the others",
        arguments: [
            ("{}", "/history"), ("null", ""), ("[]", ""), ("\"{\"", ""), ("7", ""),
            (#"{"k":"5","history":[]}"#, "/k"), (#"{"history":["a",{"b":[1,{}]}],"k":5}"#, "/history/1/b"),
            (#"{"history":[],"history":[]}"#, "/history"), (#"{"a/b":{"requests":[1]}}"#, "/a~1b"),
            (#"{"history":[],"filter":{"any_of":["a",1]}}"#, "/filter/any_of/1"),
            (#"{"history":[],"samples":1.5}"#, "/samples"),
        ]
    )
    func isolatesViolations(element: String, pointer: String) throws {
        let good = #"{"history":["i1"],"k":2}"#
        for position in 0..<3 {
            var elements = [good, good, good]
            elements[position] = element
            let batch = try read("{\"requests\":[\(elements.joined(separator: ","))]}")
            #expect(batch.requests.count == 3 && batch.problems.count == 3)
            for other in 0..<3 where other != position {
                #expect(batch.problems[other] == nil)
                #expect(batch.requests[other] == RetrievalRequest(history: ["i1"], k: 2))
            }
            let problem = try #require(batch.problems[position])
            #expect(problem.code == .invalidArgument)
            #expect(problem.errors.map(\.pointer) == ["/requests/\(position)\(pointer)"])
        }
    }

    @Test(
        "a body that is not a batch is refused with its pointer",
        arguments: [
            ("{}", "/requests"), ("[]", ""), ("3", ""), (#"{"requests":[]}"#, "/requests"),
            (#"{"requests":{}}"#, "/requests"), (#"{"requests":null}"#, "/requests"),
            (#"{"requests":[{"history":[]}],"k":5}"#, "/k"), (#"{"request":[{"history":[]}]}"#, "/request"),
            (#"{"requests":[{"history":[]}],"requests":[{"history":[]}]}"#, "/requests"),
            (#"{"requests":[1,1,1,1,1]}"#, "/requests"),
        ]
    )
    func refusesOtherBodies(text: String, pointer: String) {
        let problem = problem(text)
        #expect(problem?.code == .invalidArgument)
        #expect(problem?.errors.map(\.pointer) == [pointer])
    }

    @Test("the limit counts valid and broken requests")
    func keepsLimit() throws {
        let four = [String](repeating: #"{"history":[]}"#, count: 4).joined(separator: ",")
        #expect(try read("{\"requests\":[\(four)]}", limit: 4).requests.count == 4)
        #expect(problem("{\"requests\":[\(four)]}", limit: 3)?.errors.map(\.pointer) == ["/requests"])
    }

    @Test(
        "text that is not JSON is invalid_json, at any place and with any other error",
        arguments: JSONReaderTests.refused.map { "{\"requests\":[{\"history\":[],\"k\":\($0)}]}" }
            + JSONReaderTests.refused.map { "{\"requests\":[7,{\"history\":[]},\($0)]}" }
            + JSONReaderTests.refused
            + [#"{"requests":[{"history":[]}]} x"#, #"{"requests":[{"k":"5"}]"#, #"{"nope":1,"requests":[}"#]
            + [#"{"requests":[1,1,1,1,1,NaN]}"#, #"{"requests":[{"history":[]},]}"#]
    )
    func refusesSyntax(text: String) {
        #expect(problem(text)?.code == .invalidJSON)
    }

    @Test("no batch keeps anything of the previous one, shorter or longer")
    func reuses() throws {
        var reader = RetrievalBatchReader(limits: RetrievalLimits(maxBatch: 4))
        var (requests, problems): ([RetrievalRequest], [Problem?]) = ([], [])
        for count in [3, 1, 4, 2] {
            let elements = (0..<count).map { "{\"history\":[\"\(count)-\($0)\"]}" }.joined(separator: ",")
            let body = Array("{\"requests\":[\(elements)]}".utf8)
            try reader.read(body, into: &requests, problems: &problems)
            #expect(requests == (0..<count).map { RetrievalRequest(history: ["\(count)-\($0)"]) })
            #expect(problems == [Problem?](repeating: nil, count: count))
        }
    }
}
