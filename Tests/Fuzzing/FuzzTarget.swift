import CheckpointStore
import Foundation
import HTTPAPI
import Kernels
import Recommenders
import Serving
import Training
import VectorIndex

/// A parser of bytes from outside, with the properties that must hold for any input.
///
/// A violated property traps, as a crash does, so that a fuzzer sees both.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// The body of `/retrieve`.
    case request
    /// The body of `/retrieve:batch`.
    case batch
    /// A filter.
    case filter
    /// The body of an inference request of the Open Inference Protocol.
    case inference
    /// The body of `PUT /v1/aliases/{alias}`.
    case alias
    /// The body of `PUT /v1/items/{id}`.
    case item
    /// The body of `PATCH /v1/items`.
    case attributes
    /// Lines of header fields.
    case framing
    /// `traceparent` and, in the second line, `tracestate`.
    case trace
    /// A CSV file.
    case csv
    /// A recipe.
    case recipe
    /// A saved index over 300 vectors.
    case index
    /// An exported version.
    case bundle
    /// Changes of the parts of a version, below their digests.
    case version

    /// Feeds one input.
    package func run(_ bytes: [UInt8]) {
        switch self {
        case .request: Self.request(bytes)
        case .batch: Self.batch(bytes)
        case .filter: Self.filter(bytes)
        case .inference: Self.inference(bytes)
        case .alias: Self.accepts { () throws(Problem) in _ = try Alias(name: "a", json: bytes).contradiction }
        case .item: Self.accepts { () throws(Problem) in _ = try NewItem(json: bytes) }
        case .attributes: Self.accepts { () throws(Problem) in _ = try AttributeEdits(json: bytes) }
        case .framing: Self.framing(bytes)
        case .trace: Self.trace(bytes)
        case .csv: Self.csv(bytes)
        case .recipe: Self.recipe(bytes)
        case .index: Self.index(bytes)
        case .bundle: Self.bundle(bytes)
        case .version: Self.version(bytes)
        }
    }

    /// Runs a reader; its problems must be those of a bad request, with pointers.
    @discardableResult private static func accepts(_ read: () throws(Problem) -> Void) -> Bool {
        do throws(Problem) {
            try read()
            return true
        } catch {
            precondition(400..<500 ~= error.code.status, "status \(error.code.status): \(error.detail)")
            return false
        }
    }

    // MARK: Requests

    private static func request(_ bytes: [UInt8]) {
        var reader = RetrievalRequestReader()
        var (first, second) = (RetrievalRequest(), RetrievalRequest())
        let isAccepted = accepts { () throws(Problem) in try reader.read(bytes, into: &first) }
        // A reader keeps nothing of its last input.
        precondition(isAccepted == accepts { () throws(Problem) in try reader.read(bytes, into: &second) })
        guard isAccepted else { return }
        precondition(first == second, "read again, the request differs")
        precondition((try? JSONReader.validate(bytes)) != nil, "an accepted body is not JSON")
        let limits = RetrievalLimits()
        precondition(limits.k ~= first.k && limits.samples ~= first.samples, "k \(first.k), samples \(first.samples)")
        precondition(0...1 ~= first.diversity && RetrievalLimits.categoryPenalty ~= first.categoryPenalty)
    }

    private static func batch(_ bytes: [UInt8]) {
        var reader = RetrievalBatchReader()
        var requests: [RetrievalRequest] = []
        var problems: [Problem?] = []
        guard accepts({ () throws(Problem) in try reader.read(bytes, into: &requests, problems: &problems) }) else {
            return
        }
        precondition(requests.count == problems.count && requests.count <= RetrievalLimits().maxBatch)
        precondition((try? JSONReader.validate(bytes)) != nil, "an accepted body is not JSON")
    }

    private static func filter(_ bytes: [UInt8]) {
        var request = RetrievalRequest()
        accepts { () throws(Problem) in try request.setFilter(json: bytes) }
    }

    private static func inference(_ bytes: [UInt8]) {
        var request = RetrievalRequest()
        let limits = RetrievalLimits()
        let isAccepted = accepts { () throws(Problem) in
            _ = try InferenceProtocol.Request(bytes, limits: limits, into: &request)
        }
        precondition(!isAccepted || limits.k ~= request.k, "k \(request.k)")
    }

    private static func framing(_ bytes: [UInt8]) {
        for isHTTP10 in [true, false] {
            var framing = RequestFraming(maxBodyBytes: 1000, isHTTP10: isHTTP10)
            var hosts = 0
            for line in bytes.split(separator: 10) {
                let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
                let (name, value) = (
                    String(decoding: parts[0], as: UTF8.self), String(decoding: parts.last ?? [], as: UTF8.self)
                )
                if framing.read(name, value), name.lowercased() == "host" { hosts += 1 }
            }
            if framing.problem == nil { precondition(hosts == 1 || isHTTP10 && hosts == 0, "\(hosts) hosts") }
        }
    }

    private static func trace(_ bytes: [UInt8]) {
        let lines = bytes.split(separator: 10, maxSplits: 1, omittingEmptySubsequences: false)
        let parent = String(decoding: lines.first ?? [], as: UTF8.self)
        let state = lines.count > 1 ? String(decoding: lines[1], as: UTF8.self) : nil
        let context = TraceContext(traceparent: parent, tracestate: state, isSampled: false)
        let next = TraceContext(traceparent: context.traceparent, tracestate: context.state, isSampled: false)
        precondition(
            next.traceID == context.traceID && next.parent == context.span,
            "the next service reads another trace"
        )
        precondition(next.state == context.state || context.parent == nil, "the next service reads another state")
    }

    // MARK: Files

    private static func csv(_ bytes: [UInt8]) {
        withFile(bytes) { file in
            func rows() throws(CSVError) -> [[String]] {
                var reader = try CSVReader(file: file)
                var rows = [reader.header]
                while try reader.next() {
                    var row: [String] = []
                    for column in reader.header.indices {
                        row.append(reader.text(column))
                        _ = try? reader.timestamp(column)
                        _ = try? reader.id(column)
                    }
                    rows.append(row)
                }
                return rows
            }
            let (first, second) = (try? rows(), try? rows())
            precondition(first == second, "read again, the rows differ")
            _ = try? ItemMetadata.load(items: file)
            var vocabulary = ItemVocabulary()
            _ = try? InteractionDataset.load(events: file, vocabulary: &vocabulary)
        }
    }

    private static func recipe(_ bytes: [UInt8]) {
        guard let recipe = try? Recipe(json: Data(bytes)) else { return }
        // A recipe that is accepted is accepted as it is written.
        precondition(
            (try? Recipe(json: Data(recipe.json.utf8)))?.json == recipe.json,
            "written, the recipe differs: \(recipe.json)"
        )
    }

    private static let vectors = CounterBasedGenerator(seed: 1, purpose: .simulation)
        .normalRows(streams: (0..<300).map { $0 }, columns: 8).normalisedRows().unit

    private static func index(_ bytes: [UInt8]) {
        guard let index = try? IndexFormat.load(bytes, vectors: vectors) else { return }
        for effort in [nil, 1, Int.max] as [Int?] {
            let found = index.search(vectors.row(7).span, k: 20, effort: effort)
            precondition(Set(found.map(\.id)).count == 20 && found.allSatisfy { 0..<300 ~= $0.id }, "\(found)")
        }
    }

    private static func bundle(_ bytes: [UInt8]) {
        withFile(bytes) { file in
            do {
                let store = try CheckpointStore(path: file + ".store")
                let (model, version, isNew) = try store.importVersion(from: file)
                precondition(isNew)
                try store.verify(model: model, version: version)
                _ = try? SnapshotBuilder.standard(warmUpRequests: 1, minRecall: 0)
                    .build(try store.load(model: model, version: version), generation: 1)
            } catch {
                precondition(error is CheckpointError, "\(type(of: error)): \(error)")
            }
        }
    }

    private static func withFile(_ bytes: [UInt8], _ body: (String) -> Void) {
        let memory = "/dev/shm"
        let parent =
            FileManager.default.fileExists(atPath: memory) ? memory : FileManager.default.temporaryDirectory.path
        let folder = URL(filePath: parent).appending(path: "dimerec-fuzz-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let file = folder.appending(path: "input.csv")
            try Data(bytes).write(to: file)
            body(file.path)
        } catch {
            preconditionFailure("no temporary file: \(error)")
        }
    }
}
