import Foundation
import HTTPAPI
import Kernels
import TestSupport
import Testing

@Suite("SlowestEntries", .timeLimit(.minutes(2))) struct SlowestEntriesTests {
    @Test("holds the slowest of this and the previous minute, and of this and the previous hour", arguments: 0..<6)
    func matchesOracle(seed: UInt64) {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        var list = SlowestEntries<Int>()
        var all: [(minute: UInt64, duration: UInt64)] = []
        var minute: UInt64 = 1000
        for number in 0..<6000 {
            // Some minutes and some hours have no entry.
            if generator.next() % 40 == 0 { minute += 1 }
            if generator.next() % 400 == 0 { minute += generator.next() % 130 }
            let duration = 1 + generator.next() % 100_000
            let wouldEnter = duration > list.threshold || all.last?.minute != minute
            list.insert(number, duration: duration, minute: minute)
            #expect(wouldEnter == list.entries.contains { $0.entry == number })
            all.append((minute, duration))
            guard number % 50 == 0 else { continue }
            let kept = list.entries.map { (all[$0.entry].minute, $0.duration, $0.entry) }
            #expect(Set(kept.map(\.2)).count == kept.count, "an entry twice")
            for (first, last) in [(minute, minute), (minute - 1, minute - 1), (minute / 60 * 60, minute)] {
                let expected = all.filter { first...last ~= $0.minute }.map(\.duration).sorted(by: >).prefix(32)
                let found = kept.filter { first...last ~= $0.0 }.map(\.1).sorted(by: >).prefix(32)
                #expect(Array(found) == Array(expected), "minutes \(first) to \(last)")
            }
        }
    }

    @Test("with the token the slowest requests are listed, slowest first, with version and stages")
    func tellsRequests() async throws {
        let token = "0123456789-secret"
        let builder = makeTestBuilder { seed in if seed == 7 { Thread.sleep(forTimeInterval: 0.05) } }
        try await withServer(builder: builder, configuration: .testing { $0.controlToken = token }) { server in
            for _ in 0..<50 { _ = try await server.ask(post(Body.light)) }
            let caller = "traceparent: 00-\(TraceContextTests.trace)-\(TraceContextTests.span)-00\r\n"
            let slow = "{\"history\":[\"i1\",\"none\",\"i2\"],\"k\":3,\"seed\":7}"
            #expect(try await server.ask(post(slow, headers: caller)).status == 200)
            func ask(_ query: String, _ fields: String) async throws -> Answer {
                let connection = try await TestConnection(port: server.controlPort)
                try await connection.send("GET /debug/requests\(query) HTTP/1.1\r\nHost: localhost\r\n\(fields)\r\n")
                let answer = try await connection.answer()
                try await connection.close()
                return answer
            }
            #expect(try await ask("", "").status == 401)
            let authorization = "Authorization: Bearer \(token)\r\n"
            #expect(try await ask("?seconds=0", authorization).status == 400)
            for query in ["", "?seconds=3600"] {
                let answer = try await ask(query, authorization)
                let requests = try #require(try answer.json()["requests"] as? [[String: Any]])
                #expect(answer.status == 200 && requests.count == 32)
                let durations = requests.compactMap { $0["duration_us"] as? Double }
                #expect(durations == durations.sorted(by: >) && durations.count == 32)
                let first = try #require(requests.first { $0["k"] as? Int == 3 })
                #expect(first["id"] as? String == "test" && first["trace_id"] as? String == TraceContextTests.trace)
                #expect(first["route"] as? String == "retrieve" && first["status"] as? Int == 200)
                #expect(first["model"] as? String == "m" && first["version"] as? Int == 1)
                #expect(first["history_length"] as? Int == 3)
                let stages = try #require(first["stages_us"] as? [String: Double])
                #expect(Set(stages.keys) == ["parse", "guidance", "diffusion", "search", "encode"])
                #expect(try #require(stages["guidance"]) >= 50_000 && durations[0] >= 50_000)
                #expect(try #require(first["wait_us"] as? Double) >= 0)
                let date = try Date(try #require(first["at"] as? String), strategy: Self.dates)
                #expect(abs(date.timeIntervalSinceNow) < 60)
            }
        }
    }

    private static let dates = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
}
