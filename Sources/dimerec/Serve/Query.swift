import ArgumentParser
import CheckpointStore
import Foundation
import HTTPAPI
import Kernels
import Serving

struct Query: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer one retrieval from a store without a server, or from a running server."
    )

    @Option(help: "The store (SQLite); needs --model.") var store: String?
    @Option(help: "A running server's data plane, such as http://127.0.0.1:8080.") var url: String?
    @Option(help: "Name of the model in the store, or of the server's model or alias.") var model: String?
    @Option(help: "Version in the store; the active one by default.") var version: Int?
    @Option(help: "Item ids, oldest first, separated by commas.") var history = ""
    @Option(name: .customShort("k"), help: "How many items.") var k = 10
    @Option(help: "Seed of the noise; derived from the request by default.") var seed: UInt64?
    @Flag(help: "Scan every item instead of searching the index.") var exact = false
    @Option(help: "A filter in JSON as in /retrieve, such as '{\"must\":[{\"key\":\"price\",\"range\":{\"lt\":20}}]}'.")
    var filter: String?
    @Option(
        help: ArgumentHelp(
            "Rules in JSON as in /retrieve, such as '{\"group_by\":{\"key\":\"brand\",\"limit\":2}}'."
        )
    )
    var rules: String?
    @Option(help: "The time limit of a server's answer, over all attempts.") var timeoutMs = 2000
    @Flag(help: "Print the answer as /retrieve gives it.") var json = false

    func validate() throws {
        guard (store == nil) != (url == nil) else {
            throw ValidationError("Give either a store with --store or a running server with --url.")
        }
        guard store == nil || model != nil else { throw ValidationError("--store needs --model.") }
        guard url == nil || version == nil else {
            throw ValidationError("--version needs --store; a server answers with the version that it serves.")
        }
        guard url?.lowercased().hasPrefix("https:") != true else {
            throw ValidationError(
                "--url must be a plain http address, because this program has no TLS. Give the server's own address, "
                    + "such as http://127.0.0.1:8080, or ask through TLS with curl or the library DimeRecClient."
            )
        }
        if let rules {
            var request = Serving.RetrievalRequest(history: identifiers, k: k)
            do throws(Problem) {
                try request.setRules(json: Array(rules.utf8))
            } catch {
                throw ValidationError("--rules: \(error.detail)")
            }
        }
        if let filter {
            var request = Serving.RetrievalRequest()
            do throws(Problem) {
                try request.setFilter(json: Array(filter.utf8))
            } catch {
                throw ValidationError("--filter: \(error.detail)")
            }
        }
        guard 1...3_600_000 ~= timeoutMs else { throw ValidationError("--timeout-ms must be 1 to 3600000.") }
    }

    func run() async throws {
        if let url { return try await ask(url) }
        if let store, let model { try answer(from: store, model) }
    }

    var identifiers: [String] { history.split(separator: ",").map(String.init) }

    private func answer(from store: String, _ model: String) throws {
        let checkpoint = try CheckpointStore(path: store, readOnly: true).load(model: model, version: version)
        let snapshot = try SnapshotBuilder.standard(warmUpRequests: 1, minRecall: 0).build(checkpoint, generation: 1)
        let holder = RoutingHolder(RoutingTable(snapshot))
        var request = RetrievalRequest(history: identifiers, k: k)
        request.seed = seed
        request.exact = exact
        if let filter { try request.setFilter(json: Array(filter.utf8)) }
        if let rules { try request.setRules(json: Array(rules.utf8)) }
        var response = try RetrievalService(holder: holder).retrieve(request, workspace: RetrievalWorkspace())
        if json {
            var writer = JSONWriter()
            response.write(to: &writer, request: request, requestID: Array("query".utf8))
            Terminal.print(String(decoding: writer.bytes, as: UTF8.self))
            return
        }
        let catalogue = checkpoint.catalogue
        for item in response.items {
            let number = Int(item.id)
            let title = catalogue.titles.isEmpty ? nil : catalogue.titles[number]
            Terminal.print(Self.line(Double(item.score), catalogue.ids[number], title))
        }
        if let fallback = response.fallback { Terminal.print(Self.note("\(fallback)")) }
    }

    static func line(_ score: Double, _ id: String, _ title: String?) -> String {
        String(format: "%.4f  ", score) + id + (title.map { "  " + $0 } ?? "")
    }

    static func note(_ fallback: String) -> String { "(\(fallback): no item of the history is known)" }
}
