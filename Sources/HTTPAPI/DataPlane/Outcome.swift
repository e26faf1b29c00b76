import Logging
import NIOCore
import Serving

/// What came of one request: the head of its answer, and what is worth recording of it.
struct Outcome: Sendable {
    /// The route's label in metrics; `other` for what has no route.
    let route: RouteLabel
    /// Whether the answer has a body.
    let hasBody: Bool
    /// Whether the connection may stay open after the answer.
    let keepAlive: Bool
    /// When the events that brought the request began to be served.
    let arrival: NIODeadline
    /// Where it stands in a distributed trace; nil when it is in none.
    let trace: TraceContext?
    /// When work on it began.
    let start: NIODeadline
    /// When its answer was written.
    var end: NIODeadline
    /// The answer's head, its status included.
    var head: ResponseHead
    /// Why it was not answered; nil when it was.
    var problem: Problem.Code?
    /// What answered; in a batch what answered the first.
    private(set) var model: (name: String, version: Int)?
    /// How many ids of histories were looked at.
    private(set) var historyIDs = 0
    /// How many items were asked for.
    private(set) var k = 0
    /// How long the stages took, over all requests of a batch.
    var times = StageTimes()
    /// Ids of histories that are not in the catalogue.
    var unknownIDs = 0
    /// What was answered instead of predictions, and how often.
    var fallbacks = 0
    /// Why single requests were not answered by the service.
    var failures: [RetrievalError] = []

    /// A request on which work begins.
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

    /// From the beginning of the events that brought the request to its written answer, in nanoseconds.
    var duration: UInt64 { end.nanoseconds(since: arrival) }

    /// Runs the service; its errors become problems.
    mutating func retrieved<Value>(_ work: () throws(RetrievalError) -> Value) throws(Problem) -> Value {
        do throws(RetrievalError) {
            return try work()
        } catch {
            failures.append(error)
            throw Problem(error)
        }
    }

    /// Adds a written response, to a history of which so many ids were looked at.
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

    /// Adds what was asked of a snapshot.
    mutating func note(_ snapshot: ServingSnapshot, k: Int) {
        self.k += k
        if model == nil { model = (snapshot.model, snapshot.version) }
    }

    /// Counts the request and its stages, and keeps it if it is a slow one.
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
        case .overloaded: recorder.shed(.inflight)
        case .deadlineExceeded: recorder.shed(.deadline)
        default: break
        }
    }

    /// Logs the request (level debug), one that took too long (level warning), and what is this server's own fault (level
    /// error).
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
    /// How much later it is than an earlier time, in nanoseconds.
    func nanoseconds(since start: NIODeadline) -> UInt64 { uptimeNanoseconds - start.uptimeNanoseconds }
}
