import CheckpointStore
import ClientCalls
import Foundation
import HTTPAPI
import Kernels
import NIOHTTP1

/// The answers of a running server to made-up retrievals.
struct AnswerRecording {
    /// The answers; those of one client in the order of sending.
    var answers: [RecordedAnswer] = []
    /// How many requests were refused with 503 or 504.
    var refused = 0
    /// How many requests got no answer.
    var lost = 0
    /// The first answer with a status that a valid request must not get.
    var finding: AnswerCheck.Difference?

    /// An empty recording.
    init() {}

    /// Reads a file of answers.
    init(file: String) throws {
        let decoder = JSONDecoder()
        for line in try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n") {
            answers.append(try decoder.decode(RecordedAnswer.self, from: Data(line.utf8)))
        }
    }

    /// Asks a server for some seconds, or until the program is interrupted.
    init(of url: String, requests: MadeUpRetrievals, clients: Int, seconds: Double) async throws {
        let options = DimeRecClient.Options()
        let target = (url.hasSuffix("/") ? String(url.dropLast()) : url) + "/retrieve"
        let end = ContinuousClock.now + .seconds(seconds)
        let interruption = Interruption()
        let shouldStop = interruption.question
        await withTaskGroup(of: AnswerRecording.self) { group in
            for client in 0..<clients {
                group.addTask {
                    var recording = AnswerRecording()
                    let transport = PlainTransport(options)
                    var number = client
                    while ContinuousClock.now < end, !shouldStop(), recording.finding == nil {
                        await recording.ask(target, requests.body(number), client, number, transport)
                        number += clients
                    }
                    return recording
                }
            }
            for await part in group {
                answers += part.answers
                refused += part.refused
                lost += part.lost
                finding = finding ?? part.finding
            }
        }
        withExtendedLifetime(interruption) {}
    }

    private mutating func ask(
        _ url: String,
        _ body: String,
        _ client: Int,
        _ number: Int,
        _ transport: PlainTransport
    ) async {
        let id = "check-\(number)"
        let request = TransportRequest(
            method: .POST,
            url: url,
            headers: [("Content-Type", "application/json"), ("X-Request-Id", id)],
            body: Data(body.utf8)
        )
        guard let answer = try? await transport.send(request, within: .seconds(5)) else {
            lost += 1
            // The server may be starting again.
            try? await Task.sleep(for: .milliseconds(5))
            return
        }
        let text = String(decoding: answer.body, as: UTF8.self)
        let record = RecordedAnswer(client: client, requestID: id, request: body, answer: text)
        switch answer.status {
        case 200: answers.append(record)
        case 503, 504: refused += 1
        default:
            let reason = "a valid request got status \(answer.status)"
            finding = AnswerCheck.Difference(reason: reason, record: record, computed: nil)
        }
    }

    /// Writes the answers, one JSON object a line.
    func write(to file: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let lines = try answers.map { String(decoding: try encoder.encode($0), as: UTF8.self) + "\n" }
        try lines.joined().write(toFile: file, atomically: true, encoding: .utf8)
    }
}

/// Valid bodies of `/retrieve` over a store's items, by number; the same seed and number give the same body.
struct MadeUpRetrievals: Sendable {
    private let ids: [String]
    private let categories: [String]
    private let models: [String]
    private let generator: CounterBasedGenerator

    /// Takes items and categories from the active version of the first model of a store.
    ///
    /// - Throws: `CheckpointError` when the store has no version.
    init(store: CheckpointStore, models: [String], seed: UInt64) throws {
        let model = try store.models().first ?? ""
        let catalogue = try store.load(model: model, version: nil).catalogue
        ids = catalogue.ids
        categories = catalogue.categoryNames
        self.models = models
        generator = CounterBasedGenerator(seed: seed, purpose: .simulation)
    }

    /// One in eight has no history or an unknown id; seeds, steps, samples, filters and re-ranking are mixed.
    func body(_ number: Int) -> String {
        let words = generator.words(stream: UInt64(number), count: 48)
        func draw(_ place: Int, below bound: Int) -> Int { Int(words[place]) % bound }
        var history = (0..<draw(0, below: 20)).map { ids[draw(20 + $0, below: ids.count)] }
        if draw(1, below: 16) == 0 { history = [] }
        if draw(2, below: 16) == 0 { history.append("no such item") }
        var fields: [String: Any] = ["history": history, "k": 1 + draw(3, below: 20)]
        if draw(4, below: 2) == 0 { fields["seed"] = draw(5, below: 1000) }
        if draw(6, below: 4) == 0 { fields["exact"] = true }
        if draw(7, below: 4) == 0 { fields["exclude_history"] = false }
        if draw(8, below: 8) == 0 { fields["steps"] = 1 + draw(9, below: 5) }
        if draw(10, below: 8) == 0 { fields["samples"] = 2 + draw(11, below: 5) }
        if draw(12, below: 8) == 0 { fields["diversity"] = 0.5 }
        if draw(13, below: 8) == 0, !categories.isEmpty {
            fields["filter"] = ["any_of": [categories[draw(14, below: categories.count)]]]
        }
        if draw(15, below: 2) == 0 { fields["user"] = "user-\(draw(16, below: 100))" }
        if !models.isEmpty { fields["model"] = models[number % models.count] }
        return JSONObject(fields).line
    }
}
