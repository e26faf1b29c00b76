import ClientCalls
import Foundation

extension Query {
    /// Asks a running server and prints its answer.
    func ask(_ url: String) async throws {
        var options = DimeRecClient.Options()
        options.timeout = .milliseconds(timeoutMs)
        let client = try DimeRecClient(urls: [url], options: options, transport: PlainTransport(options))
        var request = RetrievalRequest(history: identifiers(), k: k)
        request.model = model
        request.seed = seed
        request.exact = exact ? true : nil
        request.excludeHistory = excludeHistory ? nil : false
        request.filter = try filter.flatMap { try JSONDecoder().decode(Filter?.self, from: Data($0.utf8)) }
        if let rules { request.setRules(try JSONDecoder().decode(ClientCalls.Rules.self, from: Data(rules.utf8))) }
        request.sources = try sources.map { try JSONDecoder().decode([Source].self, from: Data($0.utf8)) }
        request.fusion = try fusion.map { try JSONDecoder().decode(Fusion.self, from: Data($0.utf8)) }
        if json { return Terminal.print(try await client.retrieveText(request)) }
        let answer = try await client.retrieve(request)
        for item in answer.items {
            let title = try await client.item(item.id).title
            Terminal.print(Self.line(item.score, item.id, title, item.sources?.map { ($0.source, $0.rank) } ?? []))
        }
        for source in answer.sources ?? [] where source.status != "ok" {
            Terminal.print("(source \(source.source): \(source.status))")
        }
        if answer.items.isEmpty { Terminal.print(Self.nothing) }
        if let fallback = answer.fallback { Terminal.print(Self.note(fallback)) }
    }
}
