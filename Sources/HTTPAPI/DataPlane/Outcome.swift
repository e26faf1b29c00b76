import Logging
import NIOCore
import Serving

/// What came of one request: the head of its answer, and what is worth recording of it.
struct Outcome {
    /// The route's label in metrics; `other` for what has no route.
    let route: RouteLabel
    /// Whether the answer has a body.
    let hasBody: Bool
    /// Whether the connection may stay open after the answer.
    let keepAlive: Bool
    /// When the events that brought the request began to be served.
    let arrival: NIODeadline
    /// When work on it began.
    let start: NIODeadline
    /// When its answer was written.
    var end: NIODeadline
    /// The answer's head, its status included.
    var head: ResponseHead
    /// Why it was not answered; nil when it was.
    var problem: Problem.Code?
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
        self.start = start
        end = start
        head = ResponseHead(requestID: incoming.id, closes: !incoming.keepAlive)
        head.announcesKeepAlive = incoming.isHTTP10
    }

    /// Runs the service; its errors become problems.
    mutating func retrieved<Value>(_ work: () throws(RetrievalError) -> Value) throws(Problem) -> Value {
        do throws(RetrievalError) {
            return try work()
        } catch {
            failures.append(error)
            throw Problem(error)
        }
    }

    /// Adds a written response.
    mutating func note(_ response: RetrievalResponse) {
        times.guidance += response.times.guidance
        times.diffusion += response.times.diffusion
        times.search += response.times.search
        times.encode += response.times.encode
        unknownIDs += response.unknownIDs
        if response.fallback != nil { fallbacks += 1 }
    }

    /// Counts the request and its stages.
    func record(in recorder: RequestRecorder) {
        recorder.answered(
            route,
            status: head.status,
            nanoseconds: end.nanoseconds(since: arrival),
            times: times,
            unknownIDs: unknownIDs,
            fallbacks: fallbacks
        )
        switch problem {
        case .overloaded: recorder.shed(.inflight)
        case .deadlineExceeded: recorder.shed(.deadline)
        default: break
        }
    }

    /// Logs the request (level debug), and what is this server's own fault (level error).
    func log(to logger: Logger) {
        for failure in failures {
            guard case .nonFiniteUserVector = failure else { continue }
            logger.error("request failed", metadata: ["request.id": "\(requestID)", "error": "\(failure)"])
        }
        logger.debug(
            "request answered",
            metadata: [
                "request.id": "\(requestID)", "http.route": "\(route.name)", "http.status": "\(head.status)",
                "wait.us": "\(start.nanoseconds(since: arrival) / 1000)",
                "work.us": "\(end.nanoseconds(since: start) / 1000)",
            ]
        )
    }

    private var requestID: String { String(decoding: head.requestID, as: UTF8.self) }
}

extension NIODeadline {
    /// How much later it is than an earlier time, in nanoseconds.
    func nanoseconds(since start: NIODeadline) -> UInt64 { uptimeNanoseconds - start.uptimeNanoseconds }
}
