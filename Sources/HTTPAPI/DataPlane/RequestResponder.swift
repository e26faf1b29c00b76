import Dispatch
import Logging
import NIOCore
import Serving

/// Answers the complete requests of one event loop, with buffers that are reused from request to request.
///
/// Everything happens inline on the loop: a retrieval takes tens of microseconds, less than handing it to another thread.
final class RequestResponder {
    private let service: RetrievalService
    private let status: ServerStatus
    private let logger: Logger
    let recorder: RequestRecorder
    private let workspace = RetrievalWorkspace()
    private var request = RetrievalRequest()
    private var reader = RetrievalRequestReader()
    private var writer = JSONWriter()
    private var body: [UInt8] = []
    private var head: [UInt8] = []
    private var output = ByteBuffer()
    private var date = HTTPDate()
    private var nextID: UInt64

    init(service: RetrievalService, status: ServerStatus, recorder: RequestRecorder, logger: Logger) {
        self.service = service
        self.status = status
        self.recorder = recorder
        self.logger = logger
        nextID = UInt64.random(in: 0...UInt64.max)
    }

    /// An id for a request that brought none: 16 hexadecimal digits, counted up from a random start.
    func makeID() -> [UInt8] {
        nextID &+= 1
        return (0..<16).map { hexadecimalDigit(UInt8(truncatingIfNeeded: nextID >> UInt64(60 - 4 * $0)) & 15) }
    }

    /// Writes the whole answer to a request.
    ///
    /// - Parameters:
    ///   - incoming: A complete request, or one with a problem.
    ///   - closes: Whether the connection ends with this answer.
    /// - Returns: The answer's bytes.
    func respond(to incoming: IncomingRequest, closes: Bool) -> ByteBuffer {
        let start = DispatchTime.now().uptimeNanoseconds
        recorder.inFlight += 1
        defer { recorder.inFlight -= 1 }
        var response: RetrievalResponse?
        writer.removeAll()
        var head = ResponseHead(requestID: incoming.id, closes: closes)
        head.announcesKeepAlive = incoming.isHTTP10
        do throws(Problem) {
            if let problem = incoming.problem { throw problem }
            switch incoming.route {
            case .retrieve: response = try retrieve(incoming, &head)
            case .live: writer.raw("{\"status\":\"live\"}")
            case .inferenceLive: writer.raw("{\"live\":true}")
            case .ready:
                let snapshot = try readySnapshot()
                writer.raw("{\"status\":\"ready\",\"model\":")
                writer.string(snapshot.model)
                writer.raw(",\"version\":")
                writer.integer(snapshot.version)
                writer.raw("}")
            case .inferenceReady:
                _ = try readySnapshot()
                writer.raw("{\"ready\":true}")
            }
        } catch {
            write(error, incoming, &head)
        }
        let output = assemble(head, hasBody: !incoming.isHead)
        recorder.answered(
            RouteLabel(incoming),
            status: head.status,
            nanoseconds: DispatchTime.now().uptimeNanoseconds - start,
            times: response?.times,
            unknownIDs: response?.unknownIDs ?? 0,
            fallback: response?.fallback
        )
        return output
    }

    private func retrieve(_ incoming: IncomingRequest, _ head: inout ResponseHead) throws(Problem) -> RetrievalResponse
    {
        let start = DispatchTime.now().uptimeNanoseconds
        body.removeAll(keepingCapacity: true)
        if let buffer = incoming.body { body.append(contentsOf: buffer.readableBytesView) }
        try reader.read(body, into: &request)
        let parsed = DispatchTime.now().uptimeNanoseconds
        var response: RetrievalResponse
        do throws(RetrievalError) {
            response = try service.retrieve(request, workspace: workspace)
        } catch {
            if case .nonFiniteUserVector = error {
                let id = String(decoding: incoming.id, as: UTF8.self)
                logger.error("request failed", metadata: ["request.id": "\(id)", "error": "\(error)"])
            }
            throw Problem(error)
        }
        response.times.parse = parsed - start
        response.write(to: &writer, request: request, requestID: incoming.id)
        if request.explain { head.serverTiming = response.times }
        return response
    }

    private func readySnapshot() throws(Problem) -> ServingSnapshot {
        guard !status.isDraining else { throw Problem(.notReady, "The server is shutting down.") }
        guard let snapshot = service.holder.current else { throw Problem(.notReady, "No model has been loaded yet.") }
        return snapshot
    }

    private func write(_ problem: Problem, _ incoming: IncomingRequest, _ head: inout ResponseHead) {
        writer.removeAll()
        problem.write(to: &writer, instance: incoming.id)
        head.status = problem.code.status
        head.contentType = "application/problem+json"
        head.retryAfter = problem.retryAfter
        head.allow = problem.allow
    }

    private func assemble(_ responseHead: ResponseHead, hasBody: Bool) -> ByteBuffer {
        var responseHead = responseHead
        responseHead.contentLength = writer.bytes.count
        head.removeAll(keepingCapacity: true)
        responseHead.write(to: &head, date: &date)
        // Reuses the storage unless the channel still holds it, which it does only for a peer that reads slowly.
        output.clear()
        output.writeBytes(head)
        if hasBody { output.writeBytes(writer.bytes) }
        return output
    }
}
