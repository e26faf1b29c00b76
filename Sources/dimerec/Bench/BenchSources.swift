import ArgumentParser
import CheckpointStore
import HTTPAPI
import Kernels
import Serving

/// `bench sources`: merged retrievals in this process.
struct SourcesBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sources",
        abstract: "Time merged retrievals of stored models and those of each model alone, one after the other."
    )
    @Option(help: "The store (SQLite) with the models.") var store: String
    @Option(help: "Sources in JSON as in /retrieve, such as '[{\"model\":\"a\"},{\"model\":\"b\"}]'.")
    var sources: String
    @Option(help: "How the lists of the sources are merged, in JSON as in /retrieve.") var fusion: String?
    @Option(name: .customShort("k"), help: "How many items.") var k = 50
    @Option(help: "Items of each history, drawn at random from the first model's catalogue.") var historyLength = 20
    @Option(help: "Number of timed requests of each kind.") var requests = 2000
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        try ValidationError.require("--history-length", historyLength, in: 1...1000)
        try ValidationError.require("-k", k, in: 1...1000)
        try ValidationError.require("--requests", requests, in: 1...10_000_000)
        _ = try request()
    }

    private func request() throws -> RetrievalRequest {
        var request = RetrievalRequest(history: [], k: k)
        do throws(Problem) {
            try request.setSources(json: Array(sources.utf8), fusion: fusion.map { Array($0.utf8) })
        } catch {
            throw ValidationError("--sources, --fusion: \(error.detail)")
        }
        return request
    }

    func run() throws {
        Allocator.keepFreedMemory()
        let merged = try request()
        let names = merged.sources?.models ?? []
        let table = try RoutingTable(store: CheckpointStore(path: store, readOnly: true), models: names)
        let service = RetrievalService(holder: RoutingHolder(table))
        guard let identifiers = table.standard?.arms[0].snapshot.identifiers else { return }
        let random = CounterBasedGenerator(seed: 1, purpose: .simulation)
        let histories = (0..<UInt64(min(requests, 1000))).map { stream in
            IdentifierList(
                random.integers(below: identifiers.count, stream: stream, count: historyLength).map(identifiers.id)
            )
        }
        var rows: [(name: String, times: Percentiles)] = []
        for name in ["merged"] + names {
            var request = merged
            if name != "merged" { (request.sources, request.model) = (nil, name) }
            rows.append((name, Percentiles(try times(request, histories, service))))
        }
        if json {
            let list = rows.map { name, times in
                ["name": name, "p50_us": times[0.5], "p99_us": times[0.99], "mean_us": times.mean] as [String: Any]
            }
            return Terminal.print(JSONObject(["rows": list, "items": identifiers.count, "requests": requests]).line)
        }
        for (name, times) in rows {
            let numbers = [times[0.5], times[0.99], times.mean].map { "\(($0 * 10).rounded() / 10)" }
            Terminal.print("\(name): p50 \(numbers[0]) us, p99 \(numbers[1]) us, mean \(numbers[2]) us")
        }
    }

    /// Microseconds of each request, after some that are not timed.
    private func times(
        _ request: RetrievalRequest,
        _ histories: [IdentifierList],
        _ service: RetrievalService
    ) throws -> [Double] {
        let workspace = RetrievalWorkspace()
        var request = request
        var times: [Double] = []
        for number in 0..<requests + 50 {
            request.history = histories[number % histories.count]
            let start = ContinuousClock.now
            _ = try service.retrieve(request, workspace: workspace)
            if number >= 50 { times.append((ContinuousClock.now - start) / .microseconds(1)) }
        }
        return times
    }
}
