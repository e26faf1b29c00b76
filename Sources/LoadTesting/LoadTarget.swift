import FoundationEssentials

/// The target of the requests.
public struct LoadTarget: Sendable, Equatable {
    /// The host name or address; an IPv6 address without brackets.
    public let host: String
    /// The TCP port, 80 by default.
    public let port: Int
    /// The path and query, `/retrieve` by default.
    public let path: String

    /// Parses a URL.
    ///
    /// - Throws: `LoadError.badTarget` if the URL is not plain HTTP, has no host, or has a user or a fragment.
    public init(url: String) throws(LoadError) {
        guard let parts = URLComponents(string: url), parts.scheme == "http", let host = parts.host, !host.isEmpty,
            parts.user == nil, parts.fragment == nil, let port = Optional(parts.port ?? 80), 1...65_535 ~= port
        else { throw .badTarget(url: url) }
        self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        self.port = port
        let path = parts.percentEncodedPath
        self.path =
            (path.isEmpty || path == "/" ? "/retrieve" : path) + (parts.percentEncodedQuery.map { "?\($0)" } ?? "")
    }

    /// The value of the `Host` header.
    var authority: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }
}
