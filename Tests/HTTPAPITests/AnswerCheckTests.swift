import CheckpointStore
import HTTPAPI
import Serving
import TestSupport
import Testing

@Suite("Check of recorded answers", .timeLimit(.minutes(2))) struct AnswerCheckTests {
    private static let bodies = [
        "{\"history\":[\"i1\",\"i2\"],\"k\":3}", "{\"history\":[\"i4\"],\"k\":5,\"seed\":9,\"exact\":true}",
        "{\"history\":[],\"k\":2}", "{\"history\":[\"i1\"],\"k\":4,\"filter\":{\"any_of\":[\"Even\"]},\"user\":\"u\"}",
        "{\"history\":[3,\"i5\"],\"k\":40,\"samples\":3,\"exclude_history\":false}",
    ]

    private func ask(_ server: RunningServer, _ number: Int) async throws -> RecordedAnswer {
        let body = Self.bodies[number % Self.bodies.count]
        let answer = try await server.ask(post(body))
        return RecordedAnswer(client: 0, requestID: "test", request: body, answer: answer.text)
    }

    private func check(_ server: RunningServer) -> AnswerCheck {
        AnswerCheck(source: server.source, builder: testBuilder)
    }

    @Test("answers across an activation and item changes are equal, and those of another version are not")
    func recomputes() async throws {
        try await withServer { server in
            var records: [RecordedAnswer] = []
            for number in 0..<5 { records.append(try await ask(server, number)) }
            for (item, like) in [("x", "i1"), ("y", "i2"), ("z", "i4")] {
                let content = ItemChange.Content(like: [like], categories: ["Even"])
                _ = try await server.controller.changeItem(item, to: content, model: nil)
                for number in 0..<5 { records.append(try await ask(server, number)) }
            }
            _ = try await server.controller.activate(model: "m", version: 2, wait: true)
            for number in 0..<5 { records.append(try await ask(server, number)) }

            var check = check(server)
            for record in records { try check.check(record) }
            #expect(check.equal == ["m/1": 20, "m/2": 5] && check.itemChanges == 3)

            // One changed digit, another version, another request, and an unknown version are found.
            for (number, change) in [
                { $0.replacing("\"score\":0.", with: "\"score\":0.0", maxReplacements: 1) },
                { $0.replacing("\"version\":1", with: "\"version\":2") },
                { $0.replacing("\"truncated\":false", with: "\"truncated\":true") },
                { $0.replacing("\"version\":1", with: "\"version\":9") },
            ].enumerated() as EnumeratedSequence<[(String) -> String]> {
                var wrong = records[number % 2]
                wrong.answer = change(wrong.answer)
                #expect(wrong != records[number % 2])
                #expect(throws: AnswerCheck.Difference.self) { try check.check(wrong) }
            }
        }
    }

    @Test("an answer with fewer item changes than an earlier one of its client is found")
    func goesBack() async throws {
        try await withServer { server in
            let before = try await ask(server, 4)
            let content = ItemChange.Content(like: ["i1"], categories: [])
            _ = try await server.controller.changeItem("x", to: content, model: nil)
            let after = try await ask(server, 4)
            #expect(before.answer != after.answer)
            var check = check(server)
            try check.check(before)
            try check.check(after)
            let difference = #expect(throws: AnswerCheck.Difference.self) { try check.check(before) }
            #expect(difference?.reason.contains("0 item changes, but an earlier one of this client has 1") == true)
            // Another client may see the older state.
            var other = before
            other.client = 1
            try check.check(other)
        }
    }
}
