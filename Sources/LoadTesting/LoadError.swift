/// Why a load test cannot go on.
public enum LoadError: Error, Equatable, CustomStringConvertible {
    /// The URL is not `http://host[:port][/path]`.
    case badTarget(url: String)
    /// No connection could be opened.
    case unreachable(host: String, port: Int, reason: String)
    /// The server sent something that this client does not read.
    case badAnswer(ResponseError)

    /// What happened, where, and what to do next.
    public var description: String {
        switch self {
        case .badTarget(let url):
            "'\(url)' is not a URL to load; give http://host:port or http://host:port/path."
        case .unreachable(let host, let port, let reason):
            "No connection to \(host):\(port): \(reason). Is the server running, and is this its data port?"
        case .badAnswer(let error):
            "\(error)"
        }
    }
}

/// An answer that is not HTTP/1.1 with a stated length.
public enum ResponseError: Error, Equatable, CustomStringConvertible {
    /// The first line is no status line.
    case notHTTP(line: String)
    /// The body comes with this transfer encoding.
    case transferEncoding(String)
    /// The length is no number, or is given twice with different values.
    case badLength(String)
    /// The body has no stated length.
    case noLength(status: Int)
    /// The head is longer than this many bytes.
    case headTooLong(limit: Int)

    /// What came and what was expected.
    public var description: String {
        switch self {
        case .notHTTP(let line): "The server answered '\(line)' where a status line of HTTP/1.x belongs."
        case .transferEncoding(let value):
            "The server answered with Transfer-Encoding: \(value); only answers with Content-Length can be measured."
        case .badLength(let value): "The server answered with Content-Length: \(value), which is not one number."
        case .noLength(let status):
            "The server answered \(status) without Content-Length; only answers with a stated length can be measured."
        case .headTooLong(let limit): "The head of the server's answer is longer than \(limit) bytes."
        }
    }
}
