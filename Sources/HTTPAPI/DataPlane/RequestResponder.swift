import Logging
import NIOCore
import Serving

/// One answer as bytes.
struct Answer: Sendable {
    /// Head and body.
    let bytes: ByteBuffer
    /// Whether the connection closes after it.
    let closes: Bool
}

/// Answers the complete requests of one thread, with buffers that it reuses.
///
/// An event loop answers inline: a retrieval takes tens of microseconds, less than a handover to another thread.
/// Slower requests go to a responder of the ``WorkerThreads``.
final class RequestResponder {
    /// Worker threads handle bodies of at least this many bytes, because parsing alone takes long.
    private static let longBody = 65_536

    private let service: RetrievalService
    private let status: ServerStatus
    private let spans: SpanFile?
    private let slowRequest: UInt64?
    private let logger: Logger
    /// Counts this thread's answers.
    let recorder: RequestRecorder
    private let workspace = RetrievalWorkspace()
    private var request = RetrievalRequest()
    private var reader: RetrievalRequestReader
    private var batchReader: RetrievalBatchReader
    private var batch: [RetrievalRequest] = []
    private var batchProblems: [Problem?] = []
    private var writer = JSONWriter()
    private var body: [UInt8] = []
    private var head: [UInt8] = []
    private var output = ByteBuffer()
    private var date = HTTPDate()
    private var nextID: UInt64

    /// Creates the buffers of one thread.
    ///
    /// - Parameters:
    ///   - service: Answers retrievals.
    ///   - status: Tells whether the server is shutting down.
    ///   - recorder: The thread's own recorder.
    ///   - spans: Receives the spans of sampled requests; nil writes none.
    ///   - slowRequest: Requests that take at least this many nanoseconds are logged as slow; nil logs none.
    ///   - logger: Receives an event for every request.
    init(
        service: RetrievalService,
        status: ServerStatus,
        recorder: RequestRecorder,
        spans: SpanFile?,
        slowRequest: UInt64?,
        logger: Logger
    ) {
        self.service = service
        self.status = status
        self.recorder = recorder
        self.spans = spans
        self.slowRequest = slowRequest
        self.logger = logger
        reader = RetrievalRequestReader(limits: service.limits)
        batchReader = RetrievalBatchReader(limits: service.limits)
        nextID = UInt64.random(in: 0...UInt64.max)
    }

    /// An id for a request without one: 16 hexadecimal digits, counted up from a random start.
    func makeID() -> [UInt8] {
        nextID &+= 1
        return (0..<16).map { hexadecimalDigit(UInt8(truncatingIfNeeded: nextID >> UInt64(60 - 4 * $0)) & 15) }
    }

    /// Writes the whole answer to a request, unless the request is too heavy for an event loop.
    ///
    /// - Parameters:
    ///   - incoming: A complete request, or one with a problem.
    ///   - start: The current time.
    /// - Returns: The answer; nil if a worker thread must answer the request.
    func respondUnlessHeavy(to incoming: IncomingRequest, at start: NIODeadline) -> Answer? {
        if incoming.problem == nil, isPlainlyHeavy(incoming) { return nil }
        writer.removeAll()
        var outcome = Outcome(incoming, start: start)
        do throws(Problem) {
            try receive(incoming, &outcome)
            if incoming.route == .retrieve, service.isHeavy(request) { return nil }
            try answer(incoming, &outcome)
        } catch {
            write(error, &outcome)
        }
        return finish(outcome)
    }

    /// Writes the whole answer to a request, however long it takes.
    func respond(to incoming: IncomingRequest) -> Answer {
        writer.removeAll()
        var outcome = Outcome(incoming, start: .now())
        do throws(Problem) {
            try receive(incoming, &outcome)
            try answer(incoming, &outcome)
        } catch {
            write(error, &outcome)
        }
        return finish(outcome)
    }

    /// Whether a request is heavy regardless of its content.
    private func isPlainlyHeavy(_ incoming: IncomingRequest) -> Bool {
        switch incoming.route {
        case .batch, .filterCount, .facets, .embed: true
        case .similar, .infer: service.searchesOutside
        default: incoming.bodyCount >= Self.longBody
        }
    }

    // MARK: One request

    /// Checks a request and reads its body, without a model.
    private func receive(_ incoming: IncomingRequest, _ outcome: inout Outcome) throws(Problem) {
        if let problem = incoming.problem { throw problem }
        guard incoming.route?.hasBody == true else { return }
        try incoming.checkDeadline(at: outcome.start)
        body.removeAll(keepingCapacity: true)
        if let buffer = incoming.body { body.append(contentsOf: buffer.readableBytesView) }
        guard incoming.route == .retrieve else { return }
        try reader.read(body, into: &request)
        let parsed = NIODeadline.now()
        outcome.times.parse = parsed.nanoseconds(since: outcome.start)
        try incoming.checkDeadline(at: parsed)
    }

    /// Computes the answer and writes its body.
    private func answer(_ incoming: IncomingRequest, _ outcome: inout Outcome) throws(Problem) {
        workspace.deadline = incoming.deadline?.uptimeNanoseconds ?? .max
        switch incoming.route {
        case .retrieve: try retrieve(&outcome)
        case .batch: try retrieveBatch(incoming, &outcome)
        case .similar: try findSimilar(&outcome)
        case .filterCount: try count(FilterQuestion(countBody: body), &outcome)
        case .facets: try count(FilterQuestion(facetsBody: body, limits: service.limits), &outcome)
        case .embed: try embed(&outcome)
        case .item(let id, let model): try describeItem(id, of: model)
        case .infer(let model): try infer(model, &outcome)
        case .live: writer.raw("{\"status\":\"live\"}")
        case .ready:
            let table = try readyTable()
            writer.raw("{\"status\":\"ready\",\"model\":")
            if let snapshot = table.standard?.arms[0].snapshot {
                writer.string(snapshot.model)
                writer.raw(",\"version\":\(snapshot.version)}")
            } else {
                writer.raw("null,\"version\":null}")
            }
        case .inferenceLive: writer.raw("{\"live\":true}")
        case .inferenceReady:
            _ = try readyTable()
            writer.raw("{\"ready\":true}")
        case .model(let model):
            let versions = try versions(serving: model)
            InferenceProtocol.writeMetadata(of: model.name, versions: versions, to: &writer)
        case .modelReady(let model):
            _ = try readyTable()
            _ = try versions(serving: model)
            InferenceProtocol.writeReadiness(of: model.name, to: &writer)
        case nil: preconditionFailure("a request without a route has a problem")
        }
    }

    private func retrieve(_ outcome: inout Outcome) throws(Problem) {
        var response = try outcome.retrieved { () throws(RetrievalError) in
            try service.retrieve(request, workspace: workspace)
        }
        response.times.parse = outcome.times.parse
        response.write(to: &writer, request: request, requestID: outcome.head.requestID)
        note(response, to: request, &outcome)
        if request.explain { outcome.head.serverTiming = response.times }
    }

    private func retrieveBatch(_ incoming: IncomingRequest, _ outcome: inout Outcome) throws(Problem) {
        try batchReader.read(body, into: &batch, problems: &batchProblems)
        let parsed = NIODeadline.now()
        outcome.times.parse = parsed.nanoseconds(since: outcome.start)
        try incoming.checkDeadline(at: parsed)
        guard !service.holder.current.routes.isEmpty else { throw Problem(RetrievalError.notReady) }
        let sound = batchProblems.indices.filter { batchProblems[$0] == nil }
        let requests = sound.count == batch.count ? batch : sound.map { batch[$0] }
        let deadline = incoming.deadline?.uptimeNanoseconds ?? .max
        var results = service.retrieve(requests, until: deadline, workspace: workspace).makeIterator()
        let id = outcome.head.requestID
        writer.raw("{\"results\":[")
        for (position, problem) in batchProblems.enumerated() {
            if position > 0 { writer.raw(",") }
            if let problem {
                problem.write(to: &writer, instance: id)
                continue
            }
            switch results.next() {
            case .success(var response):
                response.write(to: &writer, request: batch[position], requestID: id)
                note(response, to: batch[position], &outcome)
            case .failure(let error):
                outcome.failures.append(error)
                Problem(error, of: "/requests/\(position)").write(to: &writer, instance: id)
            case nil: preconditionFailure("\(sound.count) requests have fewer results")
            }
        }
        writer.raw("]}")
    }

    private func findSimilar(_ outcome: inout Outcome) throws(Problem) {
        let question = try SimilarityRequest(body, limits: service.limits)
        let found = try outcome.retrieved { () throws(RetrievalError) in
            try service.similar(to: question.item, k: question.k, model: question.model, workspace: workspace)
        }
        guard let found else {
            throw Problem(.notFound, at: "/item", "'\(question.item.prefix(64))' is not in the catalogue.")
        }
        outcome.note(found.snapshot, k: question.k)
        found.write(to: &writer, request: question, requestID: outcome.head.requestID)
    }

    private func count(_ question: FilterQuestion, _ outcome: inout Outcome) throws(Problem) {
        let found = try outcome.retrieved { () throws(RetrievalError) in
            try service.count(question.request, facets: question.keys, limit: question.limit)
        }
        found.write(to: &writer, requestID: outcome.head.requestID)
    }

    private func embed(_ outcome: inout Outcome) throws(Problem) {
        let question = try EmbeddingRequest(body, limits: service.limits)
        let found = try outcome.retrieved { () throws(RetrievalError) in
            try service.embed(question.request, workspace: workspace)
        }
        outcome.note(found)
        found.write(to: &writer, encoding: question.encoding, requestID: outcome.head.requestID)
    }

    private func describeItem(_ id: String, of model: String?) throws(Problem) {
        try route(named: model).arms[0].snapshot.writeItem(id, to: &writer)
    }

    /// The traffic route of a model or alias in a path; nil is the default one.
    private func route(named model: String?) throws(Problem) -> TrafficRoute {
        do throws(RetrievalError) {
            return try service.holder.current.route(to: model)
        } catch {
            // The name comes from the path, so no place in the body is wrong.
            guard case .modelNotServed = error else { throw Problem(error) }
            throw Problem(.notFound, error.description)
        }
    }

    private func infer(_ model: Route.Model, _ outcome: inout Outcome) throws(Problem) {
        let versions = try versions(serving: model)
        let question = try InferenceProtocol.Request(body, limits: service.limits, into: &request)
        request.model = model.name
        request.version = model.version == nil ? nil : versions[0]
        let response = try outcome.retrieved { () throws(RetrievalError) in
            try service.retrieve(request, workspace: workspace)
        }
        question.write(response, to: &writer)
        note(response, to: request, &outcome)
    }

    /// Records a written response.
    private func note(
        _ response: RetrievalResponse,
        to request: borrowing RetrievalRequest,
        _ outcome: inout Outcome
    ) {
        let historyIDs = min(request.history.count, service.limits.maxHistory)
        outcome.note(response, k: request.k, historyIDs: historyIDs)
        recorder.retrieved(response, rules: request.ruleKinds, historyIDs: historyIDs, at: outcome.start)
    }

    private func readyTable() throws(Problem) -> RoutingTable {
        guard !status.isDraining else { throw Problem(.notReady, "The server is shutting down.") }
        let table = service.holder.current
        do throws(RetrievalError) { try table.requireReady() } catch { throw Problem(error) }
        return table
    }

    /// The versions in service for a path: the version that it names, or else all versions of its route.
    private func versions(serving model: Route.Model) throws(Problem) -> [Int] {
        let route = try route(named: model.name)
        let versions = route.arms.map(\.snapshot.version)
        guard let text = model.version else { return versions }
        guard let version = Int(text),
            versions.contains(version) || service.holder.current.arm(of: model.name, version: version) != nil
        else {
            let list = versions.map(String.init).joined(separator: ", ")
            throw Problem(.versionNotFound, "The versions in service are \(list); name one or leave it out.")
        }
        return [version]
    }

    // MARK: Writing

    private func write(_ problem: Problem, _ outcome: inout Outcome) {
        writer.removeAll()
        problem.write(to: &writer, instance: outcome.head.requestID)
        outcome.head.status = problem.code.status
        outcome.head.contentType = "application/problem+json"
        outcome.head.retryAfter = problem.retryAfter
        outcome.head.allow = problem.allow
        outcome.problem = problem.code
    }

    /// Puts head and body together and records the outcome; every answer of the data plane passes here.
    private func finish(_ outcome: Outcome) -> Answer {
        var outcome = outcome
        outcome.head.closes = !outcome.keepAlive || status.isDraining
        outcome.head.contentLength = writer.bytes.count
        head.removeAll(keepingCapacity: true)
        outcome.head.write(to: &head, date: &date)
        // Reuses the storage unless the channel still holds it, which happens only with slow readers.
        output.clear()
        output.writeBytes(head)
        if outcome.hasBody { output.writeBytes(writer.bytes) }
        outcome.end = .now()
        outcome.record(in: recorder)
        if let spans, let trace = outcome.trace, trace.isSampled { spans.export(outcome) }
        outcome.log(to: logger, slowFrom: slowRequest)
        return Answer(bytes: output, closes: outcome.head.closes)
    }
}
