/// Why a load test cannot continue.
public enum LoadError: Error, Equatable, CustomStringConvertible {
    /// The URL is not `http://host[:port][/path]`.
    case badTarget(url: String)
    /// A file of request bodies cannot be read, or has too many.
    case unreadableBodies(file: String, reason: String)
    /// A file of request bodies, or one of its lines, is no JSON object.
    case badBodies(file: String, line: Int?, reason: String)
    /// No connection could be opened.
    case unreachable(host: String, port: Int, reason: String)
    /// The server sent an answer that this client does not support.
    case badAnswer(ResponseError)

    /// What happened, where, and what to do next.
    public var description: String {
        switch self {
        case .badTarget(let url):
            "'\(url)' is not a URL to load; give http://host:port or http://host:port/path."
        case .unreadableBodies(let file, let reason):
            "The requests of '\(file)' cannot be sent. \(reason)"
        case .badBodies(let file, let line, let reason):
            "\(file)\(line.map { ":\($0)" } ?? ""): \(reason). Write one JSON object a line, such as "
                + "{\"history\":[\"i1\"],\"k\":10}."
        case .unreachable(let host, let port, let reason):
            "Cannot connect to \(host):\(port): \(reason). Is the server running, and is this its data port?"
        case .badAnswer(let error):
            "\(error)"
        }
    }
}

/// An answer that is not HTTP/1.1 with a Content-Length.
public enum ResponseError: Error, Equatable, CustomStringConvertible {
    /// The first line is not a status line.
    case notHTTP(line: String)
    /// The body has this transfer encoding.
    case transferEncoding(String)
    /// The Content-Length is not a number, or is given twice with different values.
    case badLength(String)
    /// The answer has no Content-Length.
    case noLength(status: Int)
    /// The head is longer than this many bytes.
    case headTooLong(limit: Int)

    /// The received answer and the expected one.
    public var description: String {
        switch self {
        case .notHTTP(let line): "The server answered '\(line)' instead of a status line of HTTP/1.x."
        case .transferEncoding(let value):
            "The server answered with Transfer-Encoding: \(value); only answers with Content-Length can be measured."
        case .badLength(let value): "The server answered with Content-Length: \(value), which is not one number."
        case .noLength(let status):
            "The server answered \(status) without Content-Length; only answers with Content-Length can be measured."
        case .headTooLong(let limit): "The head of the server's answer is longer than \(limit) bytes."
        }
    }
}
