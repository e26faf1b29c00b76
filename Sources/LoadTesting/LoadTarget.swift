import FoundationEssentials

/// Where the requests go.
public struct LoadTarget: Sendable, Equatable {
    /// Host name or address, without the brackets of an IPv6 address.
    public let host: String
    /// TCP port, 80 by default.
    public let port: Int
    /// Path and query, `/retrieve` by default.
    public let path: String

    /// Takes a URL apart.
    ///
    /// - Throws: `LoadError.badTarget` when it is not plain HTTP, has no host, or carries a user or a fragment.
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
