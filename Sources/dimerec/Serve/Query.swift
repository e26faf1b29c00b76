import ArgumentParser
import CheckpointStore
import Foundation
import HTTPAPI
import Kernels
import Serving
import Training

struct Query: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer one retrieval from a store without a server, or from a running server."
    )

    @Option(help: "The store (SQLite); needs --model.") var store: String?
    @Option(help: "A running server's data plane, such as http://127.0.0.1:8080.") var url: String?
    @Option(help: "Name of the model in the store, or of the server's model or alias.") var model: String?
    @Option(help: "Version in the store; the active one by default.") var version: Int?
    @Option(
        help: """
            Item ids, oldest first: separated by commas, or a JSON list such as '["i1","a,b"]' for ids with commas. Repeat it \
            for more.
            """
    )
    var history: [String] = []
    @Flag(inversion: .prefixedNo, help: "Leave the items of the history out of the answer.") var excludeHistory = true
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
    @Option(help: "Sources in JSON as in /retrieve, such as '[{\"model\":\"a\"},{\"popular\":true,\"quota\":3}]'.")
    var sources: String?
    @Option(help: "How the lists of the sources are merged, in JSON as in /retrieve.") var fusion: String?
    @Option(help: "The time limit of a server's answer, over all attempts.") var timeoutMs = 2000
    @Flag(help: "Print the answer as /retrieve gives it.") var json = false

    func validate() throws {
        try ValidationError.require("-k", k, in: 1...1000)
        guard (store == nil) != (url == nil) else {
            throw ValidationError("Give either a store with --store or a running server with --url.")
        }
        guard store == nil || model != nil || sources != nil else {
            throw ValidationError("--store needs --model or --sources.")
        }
        guard sources == nil || model == nil && version == nil else {
            throw ValidationError("--sources names the models; omit --model and --version.")
        }
        guard sources != nil || fusion == nil else { throw ValidationError("--fusion needs --sources.") }
        guard url == nil || version == nil else {
            throw ValidationError("--version needs --store; a server answers with the version that it serves.")
        }
        guard url?.lowercased().hasPrefix("https:") != true else {
            throw ValidationError(
                "--url must be a plain http address, because this command has no TLS. Give the server's own address, "
                    + "such as http://127.0.0.1:8080, or ask through TLS with curl or the library DimeRecClient."
            )
        }
        if let rules {
            var request = Serving.RetrievalRequest(history: identifiers(), k: k)
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
        if sources != nil {
            var request = Serving.RetrievalRequest()
            do throws(Problem) {
                try setSources(of: &request)
            } catch {
                throw ValidationError("--sources, --fusion: \(error.detail)")
            }
        }
        try ValidationError.require("--timeout-ms", timeoutMs, in: 1...3_600_000)
    }

    func run() async throws {
        if let url { return try await ask(url) }
        if let store { try answer(from: store) }
    }

    private func setSources(of request: inout Serving.RetrievalRequest) throws(Problem) {
        guard let sources else { return }
        try request.setSources(json: Array(sources.utf8), fusion: fusion.map { Array($0.utf8) })
    }

    /// An id in a JSON list.
    private struct ListedID: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let text = try? value.decode(String.self) {
                self.text = text
            } else {
                text = String(try value.decode(Int.self))
            }
        }
    }

    /// The ids of the history; a text that is no JSON list of texts and integers is ids with commas between them.
    func identifiers() -> [String] {
        history.flatMap { text in
            guard text.hasPrefix("["),
                let listed = try? JSONDecoder().decode([ListedID].self, from: Data(text.utf8))
            else { return text.split(separator: ",").map(String.init) }
            return listed.map(\.text)
        }
    }

    private func answer(from path: String) throws {
        var request = RetrievalRequest(history: identifiers(), k: k)
        request.seed = seed
        request.excludeHistory = excludeHistory
        request.exact = exact
        if let filter { try request.setFilter(json: Array(filter.utf8)) }
        if let rules { try request.setRules(json: Array(rules.utf8)) }
        try setSources(of: &request)
        let store = try CheckpointStore(path: path, readOnly: true)
        let names = model.map { [$0] } ?? request.sources?.models ?? []
        let table = try RoutingTable(store: store, models: names, version: version)
        let service = RetrievalService(holder: RoutingHolder(table))
        var response = try service.retrieve(request, workspace: RetrievalWorkspace())
        if json {
            var writer = JSONWriter()
            response.write(to: &writer, request: request, requestID: Array("query".utf8))
            Terminal.print(String(decoding: writer.bytes, as: UTF8.self))
            return
        }
        let snapshot = response.snapshot
        for (place, item) in response.items.enumerated() {
            let sources = response.fused.map { fused in
                fused.sources.enumerated().compactMap { position, source in
                    fused.rank(ofItem: place, in: position).map { (source.name, $0) }
                }
            }
            let id = snapshot.identifiers.id(item.id)
            Terminal.print(Self.line(Double(item.score), id, snapshot.title(of: item.id), sources ?? []))
        }
        if response.items.isEmpty { Terminal.print(Self.nothing) }
        if let fallback = response.fallback {
            Terminal.print(Self.note("\(fallback)"))
        } else if response.unknownIDs > 0 {
            Terminal.write(
                "dimerec: \(response.unknownIDs) of \(request.history.count) ids of the history are unknown; ids that hold "
                    + "commas need a JSON list, such as '[\"a,b\",\"c\"]'\n"
            )
        }
    }

    static func line(_ score: Double, _ id: String, _ title: String?, _ sources: [(name: String, rank: Int)]) -> String
    {
        let given = sources.map { "\($0.name) #\($0.rank)" }.joined(separator: ", ")
        // Ids and titles come from a log, so they may hold line breaks and commands for the terminal.
        return String(format: "%.4f  ", score) + id.printableLine + (title.map { "  " + $0.printableLine } ?? "")
            + (given.isEmpty ? "" : "  (\(given))")
    }

    /// The text of an answer without items.
    static let nothing = "(no item: the filter, the rules or the exclusions leave none)"

    static func note(_ fallback: String) -> String { "(\(fallback): no item of the history is known)" }
}
