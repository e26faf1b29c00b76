/// Why a call failed.
public enum DimeRecError: Error, Equatable, CustomStringConvertible {
    /// The service answered with a problem.
    case problem(Problem)
    /// The answer breaks the service's contract; it may come from a proxy.
    case invalidAnswer(url: String, status: Int, reason: String)
    /// The last tried address is unreachable.
    case unreachable(url: String, reason: String)
    /// The connection broke before the answer was complete; the service may have executed the request.
    case connectionLost(url: String, reason: String)
    /// The call timed out; `last` is the failure of the previous attempt.
    case deadlineExceeded(after: Duration, last: String?)
    /// The base address is invalid.
    case invalidURL(String)
    /// The call needs the control plane, but the options have no address for it.
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
            "The connection to \(url) broke before the answer was complete: \(reason). The service may have executed "
                + "the call; ask for the present state before you send a change again."
        case .deadlineExceeded(let duration, let last):
            "There was no answer within \(duration); allow a longer timeout, or add replicas."
                + (last.map { " The previous attempt failed: \($0)" } ?? "")
        case .invalidURL(let text): "'\(text)' is not a base address; give one like http://127.0.0.1:8080."
        case .noControlPlane:
            "controlURL is not set; calls about models, versions and aliases need the address of the control plane."
        }
    }
}

/// An error answer of the service, as RFC 9457 defines it.
public struct Problem: Codable, Sendable, Equatable, CustomStringConvertible {
    /// One wrong place in the body.
    public struct Location: Codable, Sendable, Equatable {
        /// The RFC 6901 pointer into the body.
        public let pointer: String
        /// What is wrong there.
        public let message: String
    }

    /// The HTTP status.
    public let status: Int
    /// The machine-readable error code: `invalid_argument`, `overloaded`, `not_ready` and so on.
    public let code: String
    /// A short description, the same for every occurrence.
    public let title: String
    /// A description of this occurrence, with the next step.
    public let detail: String
    /// The request's id in the service's log.
    public let instance: String
    /// The wrong places in the body.
    public let errors: [Location]

    /// Status, code and detail.
    public var description: String { "\(status) \(code): \(detail)" }
}
