public import PostgreSQL

/// Why a version could not be published for the search, or removed from it.
public enum SearchError: Error, CustomStringConvertible {
    /// No addresses, or a text that is none.
    case badAddress(position: Int)
    /// The system scores all items itself.
    case noItemVectors(model: String, version: Int)
    /// The index of pgvector takes shorter vectors only.
    case tooLong(dimension: Int, most: Int)
    /// The servers have another version of the same name and number.
    case otherVersion(model: String, version: Int, server: String)
    /// Another process publishes the model.
    case busy(model: String, server: String)
    /// A server failed.
    case server(PostgreSQLError)

    /// What is wrong and what to do.
    public var description: String {
        switch self {
        case .badAddress(let position):
            "Address \(position + 1) is not one of a PostgreSQL server; write it like"
                + " postgres://user:password@host:5432/database."
        case .noItemVectors(let model, let version):
            "Version \(version) of '\(model)' has no item vectors, because its system scores all items itself; it cannot"
                + " be searched in PostgreSQL."
        case .tooLong(let dimension, let most):
            "The item vectors have \(dimension) elements; an index of pgvector takes at most \(most)."
        case .otherVersion(let model, let version, let server):
            "\(server) has another version \(version) of '\(model)'; use another database, or remove that version with"
                + " `dimerec models prune-search`."
        case .busy(let model, let server):
            "Another process publishes '\(model)' on \(server); try again when it is done."
        case .server(let error):
            error.description
        }
    }
}
