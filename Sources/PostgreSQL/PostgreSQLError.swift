/// Why a server did not answer, or refused a statement.
public enum PostgreSQLError: Error, Equatable, CustomStringConvertible {
    /// libpq is not installed, or is unusable.
    case libraryMissing(String)
    /// An address is not one of PostgreSQL.
    case badAddress(String)
    /// The connection could not be made, or it broke.
    case unreachable(server: String, reason: String)
    /// The server refused a statement.
    case refused(server: String, state: String, message: String)
    /// The server did not answer in time.
    case late(server: String)

    /// The server; empty if none is to blame.
    public var server: String {
        switch self {
        case .libraryMissing, .badAddress: ""
        case .unreachable(let server, _), .refused(let server, _, _), .late(let server): server
        }
    }

    /// What is wrong and what to do.
    public var description: String {
        switch self {
        case .libraryMissing(let reason):
            "The client library of PostgreSQL (libpq.so.5) cannot be loaded: \(reason); install the package libpq5."
        case .badAddress(let reason):
            "The address of a PostgreSQL server is wrong: \(reason)."
        case .unreachable(let server, let reason):
            "The PostgreSQL server \(server) cannot be reached: \(reason)"
        case .refused(let server, let state, let message):
            "The PostgreSQL server \(server) refused a statement: \(message) (SQLSTATE \(state))."
        case .late(let server):
            "The PostgreSQL server \(server) did not answer in time; look at its load, or allow more time."
        }
    }
}
