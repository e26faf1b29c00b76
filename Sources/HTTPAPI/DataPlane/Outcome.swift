import Logging
import NIOCore
import Serving

/// The outcome of one request: the head of its answer, and the facts to record.
struct Outcome: Sendable {
    /// The route's label in metrics; `other` without a route.
    let route: RouteLabel
    /// Whether the answer has a body.
    let hasBody: Bool
    /// Whether the connection may stay open after the answer.
    let keepAlive: Bool
    /// When the event loop began the batch of events that brought the request.
    let arrival: NIODeadline
    /// The request's place in a distributed trace; nil without a trace.
    let trace: TraceContext?
    /// When work on the request began.
    let start: NIODeadline
    /// When the answer was written.
    var end: NIODeadline
    /// The answer's head, including its status.
    var head: ResponseHead
    /// Why the request failed; nil on success.
    var problem: Problem.Code?
    /// The version that answered; for a batch, the version that answered its first request.
    private(set) var model: (name: String, version: Int)?
    /// How many history ids were read.
    private(set) var historyIDs = 0
    /// How many items were asked for.
    private(set) var k = 0
    /// The stage times, summed over a batch.
    var times = StageTimes()
    /// How many history ids are not in the catalogue.
    var unknownIDs = 0
    /// How many answers were fallbacks instead of predictions.
    var fallbacks = 0
    /// The errors of single requests.
    var failures: [RetrievalError] = []

    /// The outcome of a request on which work begins.
    init(_ incoming: IncomingRequest, start: NIODeadline) {
        route = incoming.route?.label ?? .other
        hasBody = !incoming.isHead
        keepAlive = incoming.keepAlive
        arrival = incoming.arrival
        trace = incoming.trace
        self.start = start
        end = start
        head = ResponseHead(requestID: incoming.id, closes: !incoming.keepAlive)
        head.announcesKeepAlive = incoming.isHTTP10
        if let trace, trace.isAnswered { head.trace = trace }
    }

    /// The time from arrival to the written answer, in nanoseconds.
    var duration: UInt64 { end.nanoseconds(since: arrival) }

    /// Calls the service and converts its errors to problems.
    mutating func retrieved<Value>(_ work: () throws(RetrievalError) -> Value) throws(Problem) -> Value {
        do throws(RetrievalError) {
            return try work()
        } catch {
            failures.append(error)
            throw Problem(error)
        }
    }

    /// Adds a written response, for which the service read `historyIDs` ids.
    mutating func note(_ response: RetrievalResponse, k: Int, historyIDs: Int) {
        times.guidance += response.times.guidance
        times.diffusion += response.times.diffusion
        times.search += response.times.search
        times.encode += response.times.encode
        unknownIDs += response.unknownIDs
        if response.fallback != nil { fallbacks += 1 }
        self.historyIDs += historyIDs
        note(response.snapshot, k: k)
    }

    /// Adds a user's vectors.
    mutating func note(_ embedding: UserEmbedding) {
        times.guidance += embedding.times.guidance
        times.diffusion += embedding.times.diffusion
        unknownIDs += embedding.unknownIDs
        note(embedding.snapshot, k: 0)
    }

    /// Adds a request for `k` items of a snapshot.
    mutating func note(_ snapshot: ServingSnapshot, k: Int) {
        self.k += k
        if model == nil { model = (snapshot.model, snapshot.version) }
    }

    /// Counts the request and its stages, and keeps it if it is among the slowest.
    func record(in recorder: RequestRecorder) {
        recorder.answered(
            route,
            status: head.status,
            nanoseconds: duration,
            times: times,
            unknownIDs: unknownIDs,
            fallbacks: fallbacks
        )
        recorder.keepIfSlow(self)
        switch problem {
        // A refused connection has no route and was counted already.
        case .overloaded where route != .other: recorder.shed(.inflight)
        case .deadlineExceeded: recorder.shed(.deadline)
        default: break
        }
    }

    /// Logs the request at level debug, a slow one at warning, and each server fault at error.
    func log(to logger: Logger, slowFrom limit: UInt64?) {
        for failure in failures {
            guard case .nonFiniteUserVector(let model, let version) = failure else { continue }
            logger.error(
                "request failed",
                metadata: [
                    "request.id": "\(requestID)", "model.name": "\(model)", "model.version": "\(version)",
                    "error": "\(failure)",
                ]
            )
        }
        if let limit, duration >= limit {
            logger.warning("request was slow", metadata: metadata.merging(stages) { own, _ in own })
        } else {
            logger.debug("request answered", metadata: metadata)
        }
    }

    private var requestID: String { String(decoding: head.requestID, as: UTF8.self) }

    private var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = [
            "request.id": "\(requestID)", "http.route": "\(route.name)", "http.status": "\(head.status)",
            "wait.us": "\(start.nanoseconds(since: arrival) / 1000)",
            "work.us": "\(end.nanoseconds(since: start) / 1000)",
        ]
        if let trace { metadata["trace.id"] = "\(hexadecimal(trace.traceID, digits: 32))" }
        if let model {
            metadata["model.name"] = "\(model.name)"
            metadata["model.version"] = "\(model.version)"
        }
        return metadata
    }

    private var stages: Logger.Metadata {
        Dictionary(uniqueKeysWithValues: StageLabel.allCases.map { ("\($0.name).us", "\(times[$0] / 1000)") })
    }
}

extension NIODeadline {
    /// The nanoseconds since an earlier time.
    func nanoseconds(since start: NIODeadline) -> UInt64 { uptimeNanoseconds - start.uptimeNanoseconds }
}
