/// Where a stored version stands in this process.
public enum VersionState: Sendable, Equatable {
    /// Stored, and could be activated.
    case available
    /// Being read, checked and warmed up.
    case loading
    /// Answering requests.
    case active
    /// Refused, with the reason; the version before it keeps answering.
    case rejected(reason: String)

    /// One lower-case word.
    public var name: String {
        switch self {
        case .available: "available"
        case .loading: "loading"
        case .active: "active"
        case .rejected: "rejected"
        }
    }
}

/// Why an activation did not happen.
public enum ActivationError: Error, Equatable, CustomStringConvertible {
    /// The served model has another name.
    case modelNotServed(String, served: String?)
    /// There is no such version.
    case versionNotFound(model: String, version: Int)
    /// Another version is being loaded.
    case busyLoading(version: Int)
    /// The version cannot be served.
    case rejected(model: String, version: Int, reason: String)
    /// The store could not be asked or written.
    case storeFailed(String)

    /// What is wrong and what to do.
    public var description: String {
        switch self {
        case .modelNotServed(let model, let served):
            "Model '\(model)' is not served by this process, which serves \(served.map { "'\($0)'" } ?? "none yet")."
        case .versionNotFound(let model, let version):
            "Model '\(model)' has no version \(version); list its versions with GET /v1/models/\(model)."
        case .busyLoading(let version):
            "Version \(version) is being loaded; try again when it is done."
        case .rejected(let model, let version, let reason):
            "Version \(version) of model '\(model)' was rejected and nothing changed: \(reason)"
        case .storeFailed(let reason):
            "The store could not be used: \(reason)"
        }
    }
}
