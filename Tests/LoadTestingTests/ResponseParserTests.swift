import Kernels
import LoadTesting
import Testing

@Suite("ResponseParser") struct ResponseParserTests {
    private static let stream = [
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\nDate: now\r\n\r\n{\"a\":\r\n\r\n1}",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length:0\r\nRetry-After: 1\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nX-Content-Length: 9\r\n\r\n",
        "HTTP/1.1 200\r\nCONNECTION: Close\r\nTE: x\r\nCONTENT-LENGTH: \t3 \r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.0 404 Not Found\r\nContent-Lengthy: 7\r\nContent-Length: 1\r\n\r\n\n",
        "HTTP/1.0 200 OK\nConnection: keep-alive\nContent-Length: 2\n\nok",
    ]
    private static let answers = [
        Answer(status: 200, closes: false), Answer(status: 503, closes: false), Answer(status: 204, closes: false),
        Answer(status: 200, closes: true), Answer(status: 404, closes: true), Answer(status: 200, closes: false),
    ]

    /// All answers of a stream, read in pieces of given sizes; the last size repeats.
    private func parse(_ bytes: [UInt8], pieces: [Int]) throws -> [Answer] {
        var parser = ResponseParser()
        var answers: [Answer] = []
        var start = 0
        var number = 0
        while start < bytes.count {
            let piece = Array(bytes[start..<min(bytes.count, start + pieces[min(number, pieces.count - 1)])])
            start += piece.count
            number += 1
            var position = 0
            while let answer = try parser.next(in: piece.span, from: &position) { answers.append(answer) }
            #expect(position == piece.count)
        }
        return answers
    }

    @Test("finds the same answers in pieces of any size", arguments: [1, 2, 3, 7, 64, 100_000])
    func pieces(size: Int) throws {
        #expect(try parse(Array(Self.stream.joined().utf8), pieces: [size]) == Self.answers)
    }

    @Test("finds the same answers in random pieces", arguments: 0..<50)
    func randomPieces(seed: Int) throws {
        let random = CounterBasedGenerator(seed: UInt64(seed), purpose: .simulation)
        let pieces = random.integers(below: 60, stream: 0, count: 400).map { Int($0) + 1 }
        #expect(try parse(Array(Self.stream.joined().utf8), pieces: pieces) == Self.answers)
    }

    @Test("returns each answer at its last byte")
    func lastByte() throws {
        for (text, answer) in zip(Self.stream, Self.answers) {
            let bytes = Array(text.utf8)
            #expect(try parse(Array(bytes.dropLast()), pieces: [bytes.count]) == [])
            #expect(try parse(bytes, pieces: [bytes.count]) == [answer])
        }
    }

    @Test(
        "refuses answers that it cannot measure, whole and byte by byte",
        arguments: [
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ResponseError.transferEncoding("chunked")),
            ("HTTP/1.1 200 OK\r\nContent-Type: a\r\n\r\n", .noLength(status: 200)),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", .badLength("-1")),
            ("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", .badLength("+1")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", .badLength("2")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", .badLength("99999999999999999999")),
            ("HTTP/2 200\r\n\r\n", .notHTTP(line: "HTTP/2 200")),
            ("HTTP/1.1 20 OK\r\n\r\n", .notHTTP(line: "HTTP/1.1 20 OK")),
            ("SSH-2.0-x\r\n", .notHTTP(line: "SSH-2.0-x")),
        ]
    )
    func refusals(text: String, error: ResponseError) {
        let bytes = Array(text.utf8)
        #expect(throws: error) { try parse(bytes, pieces: [bytes.count]) }
        #expect(throws: error) { try parse(bytes, pieces: [1]) }
    }

    @Test("refuses an endless head")
    func endless() {
        let bytes = Array(("HTTP/1.1 200 OK\r\n" + String(repeating: "X: y\r\n", count: 20_000)).utf8)
        #expect(throws: ResponseError.headTooLong(limit: 65_536)) { try parse(bytes, pieces: [1000]) }
    }
}
