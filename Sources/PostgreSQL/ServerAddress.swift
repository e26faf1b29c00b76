import Foundation

/// The address of a server, in the form of libpq: `postgres://user:password@host:port/database?options`.
public struct ServerAddress: Sendable, Equatable {
    /// The whole address, which may hold a password.
    let url: String
    /// The host, the port and the database, for messages.
    public let name: String

    /// Reads an address.
    ///
    /// - Returns: Nil unless the text is a URL with the scheme postgres or postgresql. libpq fills in missing parts
    ///   from its environment (PGHOST, PGPASSWORD, a password file).
    public init?(_ text: String) {
        guard let parts = URLComponents(string: text), ["postgres", "postgresql"].contains(parts.scheme) else {
            return nil
        }
        url = text
        let host = parts.host.flatMap { $0.isEmpty ? nil : $0 } ?? "localhost"
        name = "\(host):\(parts.port ?? 5432)\(parts.path)"
    }
}
