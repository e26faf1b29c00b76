import ArgumentParser
import CheckpointStore
import Foundation
import HTTPAPI
import Serving

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check that every answer of a running server is exactly that of the stored version that it names.",
        discussion: """
            Sends made-up retrievals to the server and records the answers. Then it computes each answer again from the \
            version in the store and compares the bytes. Versions may be activated, rolled back, split by aliases and \
            published meanwhile, but not removed; an item may change once. The server may also be restarted or killed: \
            requests without an answer are counted as lost. The first difference is printed whole, and the exit code is 1.
            """
    )

    @Option(help: "The server's store (SQLite).") var store: String
    @Option(help: "The server's data plane; without it, --answers is checked again.") var url: String?
    @Option(
        help: "The file of the recorded answers, one JSON object a line: written with --url, read without it.",
        completion: .file()
    )
    var answers: String?
    @Option(help: "Models or aliases to ask in turn, separated by commas; by default requests name none.") var model =
        ""
    @Option(help: "How many seconds to send requests.") var duration: Double = 10
    @Option(help: "Clients, each with one request at a time.") var clients = 4
    @Option(help: "Seed of the requests.") var seed: UInt64 = 42
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        guard url != nil || answers != nil else {
            throw ValidationError("Give a running server with --url, or recorded answers with --answers.")
        }
        try ValidationError.require("--duration", duration, in: 0.1...86_400)
        try ValidationError.require("--clients", clients, in: 1...1000)
    }

    func run() async throws {
        let store = try CheckpointStore(path: store, readOnly: true)
        var recording = AnswerRecording()
        if let url {
            let names = model.split(separator: ",").map(String.init)
            let requests = try MadeUpRetrievals(store: store, models: names, seed: seed)
            recording = try await AnswerRecording(of: url, requests: requests, clients: clients, seconds: duration)
            if let answers { try recording.write(to: answers) }
        } else if let answers {
            recording = try AnswerRecording(file: answers)
        }
        var check = AnswerCheck(source: store, builder: .standard(warmUpRequests: 1, minRecall: 0))
        do throws(AnswerCheck.Difference) {
            if let finding = recording.finding { throw finding }
            for record in recording.answers { try check.check(record) }
        } catch {
            Terminal.write("dimerec: \(error)\n")
            print(recording, check, isEqual: false)
            throw ExitCode.failure
        }
        print(recording, check, isEqual: true)
        guard !recording.answers.isEmpty else {
            Terminal.write("dimerec: No request got an answer, so nothing was checked.\n")
            throw ExitCode.failure
        }
    }

    private func print(_ recording: AnswerRecording, _ check: AnswerCheck, isEqual: Bool) {
        let equal = check.equal.values.reduce(0, +)
        if json {
            let object = JSONObject([
                "answers": recording.answers.count, "equal": equal, "versions": check.equal,
                "item_changes": check.itemChanges, "refused": recording.refused, "lost": recording.lost, "ok": isEqual,
            ])
            return Terminal.print(object.line)
        }
        let versions = check.equal.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        Terminal.print(
            "\(equal) of \(recording.answers.count) answers equal (\(versions.joined(separator: ", "))), up to "
                + "\(check.itemChanges) item changes, \(recording.refused) refused, \(recording.lost) lost"
        )
    }
}
