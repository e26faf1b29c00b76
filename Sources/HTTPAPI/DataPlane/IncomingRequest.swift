import NIOCore
import NIOHTTP1

/// A request while it arrives.
struct IncomingRequest: Sendable {
    /// The largest X-Deadline-Ms: an hour.
    private static let longestDeadline: Int64 = 3_600_000

    /// The request's route; nil only when there is a problem.
    var route: Route?
    /// Whether the answer must have no body.
    var isHead = false
    /// Whether the client uses HTTP/1.0.
    ///
    /// The answer must then announce that the connection stays open.
    var isHTTP10 = false
    /// Whether the connection may stay open after the answer.
    var keepAlive = false
    /// Whether the client waits for `100 Continue` before it sends the body.
    var expectsContinue = false
    /// The request's id in the answer and the log.
    var id: [UInt8]
    /// The request's place in a distributed trace; nil without a trace.
    var trace: TraceContext?
    /// The problem that is already known; nil without one.
    var problem: Problem?
    /// The part of the body that has arrived.
    var body: ByteBuffer?
    /// How many bytes of the body have arrived.
    var bodyCount = 0
    /// When the event loop began the batch of events that brought the head.
    let arrival: NIODeadline
    /// When the client stops waiting for the answer; nil is never.
    var deadline: NIODeadline?

    /// A placeholder for a request that could not be read.
    init(unreadable problem: Problem, id: [UInt8], arrival: NIODeadline = .now()) {
        self.problem = problem
        self.id = id
        self.arrival = arrival
    }

    /// Checks a request's head.
    ///
    /// - Parameters:
    ///   - head: The request line and the header fields.
    ///   - arrival: When the event loop began the batch of events that brought the head.
    ///   - settings: The body limit and the default deadline, among others.
    ///   - makeID: Makes an id for a request without one.
    init(head: HTTPRequestHead, arrival: NIODeadline, settings: ConnectionSettings, makeID: () -> [UInt8]) {
        let maxBodyBytes = settings.maxBodyBytes
        self.arrival = arrival
        var patience = settings.deadline
        var deadlineProblem: Problem?
        var framing = RequestFraming(maxBodyBytes: maxBodyBytes, isHTTP10: head.version != .http1_1)
        var source = RequestSource()
        var contentType: String?
        var ownID: [UInt8]?
        var (traceparents, traceparent, tracestate): (Int, String?, String?) = (0, nil, nil)
        isHTTP10 = head.version != .http1_1
        keepAlive = head.isKeepAlive && head.method != .CONNECT
        isHead = head.method == .HEAD
        var mediaProblem: Problem?
        for (name, value) in head.headers {
            source.read(name, value)
            if framing.read(name, value) {
                continue
            } else if equalsIgnoringCase(name, "content-type") {
                contentType = value
            } else if equalsIgnoringCase(name, "content-encoding") {
                guard equalsIgnoringCase(value, "identity") else {
                    mediaProblem = Problem(.unsupportedMediaType, "Send the body without Content-Encoding.")
                    continue
                }
            } else if equalsIgnoringCase(name, "expect") {
                expectsContinue = equalsIgnoringCase(value, "100-continue") && !isHTTP10
            } else if equalsIgnoringCase(name, "upgrade") {
                // NIO's decoder stops reading after a request that asks for another protocol.
                keepAlive = false
            } else if equalsIgnoringCase(name, "x-request-id"), Self.isSaneID(value) {
                ownID = Array(value.utf8)
            } else if equalsIgnoringCase(name, "x-deadline-ms") {
                guard let milliseconds = Int64(value), 1...Self.longestDeadline ~= milliseconds else {
                    let range = "1 to \(Self.longestDeadline)"
                    deadlineProblem = Problem(.invalidArgument, "X-Deadline-Ms must be whole milliseconds, \(range).")
                    continue
                }
                patience = min(patience ?? .milliseconds(milliseconds), .milliseconds(milliseconds))
            } else if equalsIgnoringCase(name, "traceparent") {
                traceparents += 1
                traceparent = value
            } else if equalsIgnoringCase(name, "tracestate") {
                tracestate = tracestate.map { $0 + "," + value } ?? value
            }
        }
        let isSampled = settings.traceSample > 0 && Int.random(in: 0..<settings.traceSample) == 0
        if let traceparent {
            // Two fields are ambiguous, so neither counts.
            let caller = traceparents == 1 ? traceparent : ""
            trace = TraceContext(traceparent: caller, tracestate: tracestate, isSampled: isSampled)
        } else if isSampled {
            trace = TraceContext()
        }
        id = ownID ?? makeID()
        if let patience { deadline = arrival + patience }
        if let framingProblem = framing.problem {
            problem = framingProblem
            keepAlive = false
        } else {
            do throws(Problem) {
                let route = try Route(target: head.uri)
                self.route = route
                guard route.allows(head.method) else {
                    let detail = "This path answers \(route.methods) only."
                    throw Problem(.methodNotAllowed, detail, allow: route.methods)
                }
                guard route.hasBody else { return }
                if source.isForeign { throw RequestSource.problem }
                if let mediaProblem { throw mediaProblem }
                try Self.checkMediaType(contentType)
                if let deadlineProblem { throw deadlineProblem }
            } catch {
                problem = error
            }
        }
    }

    /// Appends a part of the body; drops it if the request already has a problem.
    mutating func append(_ bytes: ByteBuffer, limit: Int) {
        bodyCount += bytes.readableBytes
        if bodyCount > limit {
            problem = .bodyTooLarge(limit)
            keepAlive = false
            body = nil
        } else if problem == nil {
            if body == nil { body = bytes } else { body?.writeImmutableBuffer(bytes) }
        }
    }

    /// Checks that the deadline has not passed.
    ///
    /// - Throws: A ``Problem`` of code `deadline_exceeded`.
    func checkDeadline(at now: NIODeadline) throws(Problem) {
        guard let deadline, now > deadline else { return }
        throw Problem(.deadlineExceeded, "The deadline passed before the work began.")
    }

    /// Checks the Content-Type; a missing one counts as JSON.
    static func checkMediaType(_ value: String?) throws(Problem) {
        guard let value else { return }
        let type = value.prefix { $0 != ";" && $0 != " " && $0 != "\t" }
        guard !equalsIgnoringCase(type, "application/json") else { return }
        throw Problem(.unsupportedMediaType, "Send the body as 'Content-Type: application/json'.")
    }

    /// Whether a caller's id is safe in a header, a body and a log.
    private static func isSaneID(_ value: String) -> Bool {
        1...128 ~= value.utf8.count
            && value.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                    UInt8(ascii: ":"):
                    true
                default: false
                }
            }
    }
}
