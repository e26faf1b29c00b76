import NIOCore
import NIOHTTP1

/// What a path of the data plane is for.
enum Route {
    case retrieve
    case live
    case ready
    case inferenceLive
    case inferenceReady

    /// The route of a request target, its query ignored; nil when there is none.
    init?(target: String) {
        var path = target[...]
        // The absolute form, which a proxy may use.
        if path.hasPrefix("http://"), let slash = path.dropFirst(7).firstIndex(of: "/") { path = path[slash...] }
        if let query = path.utf8.firstIndex(of: UInt8(ascii: "?")) { path = path[..<query] }
        switch path {
        case "/retrieve", "/v1/retrieve": self = .retrieve
        case "/health/live": self = .live
        case "/health/ready": self = .ready
        case "/v2/health/live": self = .inferenceLive
        case "/v2/health/ready": self = .inferenceReady
        default: return nil
        }
    }

    /// The methods that the path has, for `Allow`.
    var methods: String {
        self == .retrieve ? "POST" : "GET, HEAD"
    }
}

/// A request as far as it has arrived.
struct IncomingRequest {
    /// Which route it is for; meaningless when there is a problem.
    var route = Route.retrieve
    /// Whether its answer must have no body.
    var isHead = false
    /// Whether it comes from an HTTP/1.0 client, which must be told that a connection stays open.
    var isHTTP10 = false
    /// Whether the connection may stay open after its answer.
    var keepAlive = false
    /// Whether it waits for `100 Continue` before it sends its body.
    var expectsContinue = false
    /// Names it in the answer and the log.
    var id: [UInt8]
    /// What is wrong with it already.
    var problem: Problem?
    /// The body as far as it has arrived.
    var body: ByteBuffer?
    /// Bytes of the body that have arrived.
    var bodyCount = 0

    /// A stand-in for a request that could not be read.
    init(unreadable problem: Problem, id: [UInt8]) {
        self.problem = problem
        self.id = id
    }

    /// Judges a request by its head.
    ///
    /// - Parameters:
    ///   - head: The request line and the header fields.
    ///   - maxBodyBytes: The largest body that is accepted.
    ///   - makeID: Makes an id for a request that brings none.
    init(head: HTTPRequestHead, maxBodyBytes: Int, makeID: () -> [UInt8]) {
        var hosts = 0
        var contentType: String?
        var ownID: [UInt8]?
        isHTTP10 = head.version != .http1_1
        keepAlive = head.isKeepAlive && head.method != .CONNECT
        isHead = head.method == .HEAD
        var framingProblem: Problem?
        var mediaProblem: Problem?
        for (name, value) in head.headers {
            if equalsIgnoringCase(name, "host") {
                hosts += 1
            } else if equalsIgnoringCase(name, "content-type") {
                contentType = value
            } else if equalsIgnoringCase(name, "content-length") {
                guard let length = Int(value), length <= maxBodyBytes else {
                    framingProblem = Self.bodyTooLarge(maxBodyBytes)
                    continue
                }
            } else if equalsIgnoringCase(name, "transfer-encoding") {
                guard equalsIgnoringCase(value, "chunked"), !isHTTP10 else {
                    framingProblem = Problem(.invalidArgument, "The only Transfer-Encoding is 'chunked', in HTTP/1.1.")
                    continue
                }
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
            }
        }
        id = ownID ?? makeID()
        if let framingProblem {
            problem = framingProblem
            keepAlive = false
        } else if hosts > 1 || hosts == 0 && !isHTTP10 {
            problem = Problem(.invalidArgument, "The request has \(hosts) Host header fields; HTTP/1.1 wants one.")
            keepAlive = false
        } else if let route = Route(target: head.uri) {
            self.route = route
            let isAllowed = route == .retrieve ? head.method == .POST : head.method == .GET || isHead
            if !isAllowed {
                let detail = "This path answers \(route.methods) only."
                problem = Problem(.methodNotAllowed, detail, allow: route.methods)
            } else if route == .retrieve {
                problem = mediaProblem ?? Self.checkMediaType(contentType)
            }
        } else {
            problem = Problem(.notFound, "There is no such path; retrieval is POST /retrieve.")
        }
    }

    static func bodyTooLarge(_ limit: Int) -> Problem {
        Problem(.bodyTooLarge, "The body is larger than MAX_BODY_BYTES, \(limit) bytes.")
    }

    private static func checkMediaType(_ value: String?) -> Problem? {
        guard let value else { return nil }
        let type = value.prefix { $0 != ";" && $0 != " " && $0 != "\t" }
        guard !equalsIgnoringCase(type, "application/json") else { return nil }
        return Problem(.unsupportedMediaType, "Send the body as 'Content-Type: application/json'.")
    }

    /// Whether a caller's id can be repeated in a header, a body and a log.
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

/// Whether a header's name or token equals a lower-case ASCII word.
func equalsIgnoringCase(_ text: some StringProtocol, _ lowercase: String) -> Bool {
    let bytes = text.utf8
    guard bytes.count == lowercase.utf8.count else { return false }
    return zip(bytes, lowercase.utf8).allSatisfy { byte, expected in
        (UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte ? byte | 0x20 : byte) == expected
    }
}
