/// Why a call has no answer.
public enum DimeRecError: Error, Equatable, CustomStringConvertible {
    /// The service says what is wrong.
    case problem(Problem)
    /// Whatever answered, it does not keep the service's contract: a proxy, say.
    case invalidAnswer(url: String, status: Int, reason: String)
    /// Nobody listens, on the last address that was tried.
    case unreachable(url: String, reason: String)
    /// A connection broke before the answer was whole; what was asked may have been done.
    case connectionLost(url: String, reason: String)
    /// The time of the call is over; `last` is why the attempt before had no answer.
    case deadlineExceeded(after: Duration, last: String?)
    /// A base address that no request can be sent to.
    case invalidURL(String)
    /// A call of the control plane, and the options have no address for it.
    case noControlPlane

    /// What is wrong and what to do.
    public var description: String {
        switch self {
        case .problem(let problem): problem.description
        case .invalidAnswer(let url, let status, let reason):
            "\(url) answered \(status), but not as a DimeRec service does: \(reason). Is it the right address?"
        case .unreachable(let url, let reason):
            "\(url) cannot be reached (\(reason)). Is the service running there?"
        case .connectionLost(let url, let reason):
            "The connection to \(url) broke before the answer was whole: \(reason)."
        case .deadlineExceeded(let duration, let last):
            "There was no answer within \(duration)" + (last.map { "; before that: \($0)" } ?? ".")
        case .invalidURL(let text): "'\(text)' is no address; it must be like http://127.0.0.1:8080."
        case .noControlPlane: "The options have no controlURL, which calls about models and versions go to."
        }
    }
}

/// An error answer of the service, after RFC 9457.
public struct Problem: Codable, Sendable, Equatable, CustomStringConvertible {
    /// One place of the body that is wrong.
    public struct Location: Codable, Sendable, Equatable {
        /// RFC 6901 pointer into the body.
        public let pointer: String
        /// What is wrong there.
        public let message: String
    }

    /// The HTTP status.
    public let status: Int
    /// What went wrong, for programs: `invalid_argument`, `overloaded`, `not_ready` and so on.
    public let code: String
    /// What went wrong, the same for every occurrence.
    public let title: String
    /// What went wrong this time, and what to do.
    public let detail: String
    /// The request's id in the service's log.
    public let instance: String
    /// Where the body is wrong.
    public let errors: [Location]

    /// Status, code and detail.
    public var description: String { "\(status) \(code): \(detail)" }
}
