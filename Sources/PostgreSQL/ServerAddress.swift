import Foundation

/// The address of a server, in the form of libpq: `postgres://user:password@host:port/database?options`.
public struct ServerAddress: Sendable, Equatable {
    /// The whole address, which may hold a password.
    let url: String
    /// The host, the port and the database, for messages.
    public let name: String

    /// The forms of the password.
    private let secrets: [String]

    /// Reads an address.
    ///
    /// - Returns: Nil unless the text is a URL with the scheme postgres or postgresql. libpq fills in missing parts
    ///   from its environment (PGHOST, PGPASSWORD, a password file).
    public init?(_ text: String) {
        // An @ after the host would be the rest of a password that is not encoded.
        guard let parts = URLComponents(string: text), ["postgres", "postgresql"].contains(parts.scheme),
            !parts.percentEncodedPath.contains("@"), parts.fragment == nil
        else { return nil }
        url = text
        let options = (parts.queryItems ?? []) + (parts.percentEncodedQueryItems ?? [])
        let given = options.filter { $0.name == "password" }.map(\.value)
        secrets = ([parts.password, parts.percentEncodedPassword] + given).compactMap { $0 }.filter { !$0.isEmpty }
        let host = parts.host.flatMap { $0.isEmpty ? nil : $0 } ?? "localhost"
        name = "\(host):\(parts.port ?? 5432)\(parts.path)"
    }

    /// A message in which the password of the address is replaced.
    func withoutPassword(_ text: String) -> String {
        secrets.reduce(text) { $0.replacing($1, with: "(password)") }
    }
}
