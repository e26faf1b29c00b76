import ArgumentParser
import CheckpointStore
import Foundation
import HTTPAPI
import Kernels
import Serving

struct Query: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Answer one retrieval without a server.")

    @Option(help: "The store (SQLite).") var store: String
    @Option(help: "Name in the store.") var model: String
    @Option(help: "Version; the active one by default.") var version: Int?
    @Option(help: "Item ids, oldest first, separated by commas.") var history = ""
    @Option(name: .customShort("k"), help: "How many items.") var k = 10
    @Option(help: "Seed of the noise; derived from the request by default.") var seed: UInt64?
    @Flag(help: "Scan every item instead of searching the index.") var exact = false
    @Flag(help: "Print the answer as /retrieve gives it.") var json = false

    func run() throws {
        let checkpoint = try CheckpointStore(path: store, readOnly: true).load(model: model, version: version)
        let snapshot = try SnapshotBuilder.standard(warmUpRequests: 1, minRecall: 0).build(checkpoint, generation: 1)
        let holder = RoutingHolder(RoutingTable(snapshot))
        var request = RetrievalRequest(history: history.split(separator: ",").map(String.init), k: k)
        request.seed = seed
        request.exact = exact
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
            var line = String(format: "%.4f  ", item.score) + catalogue.ids[number]
            if !catalogue.titles.isEmpty { line += "  " + catalogue.titles[number] }
            Terminal.print(line)
        }
        if let fallback = response.fallback { Terminal.print("(\(fallback): no item of the history is known)") }
    }
}
