/// The state of a stored version in this process.
public enum VersionState: Sendable, Equatable {
    /// Stored, and can be activated; already in memory if it was active recently.
    case available
    /// Being read and checked.
    case loading
    /// Answering made-up and recorded requests before it may answer real ones.
    case warming
    /// Answering requests.
    case active
    /// Replaced; its last requests are being answered.
    case draining
    /// Was in memory and is no longer.
    case unloaded
    /// Rejected, with the reason; the version before it keeps answering.
    case rejected(reason: String)

    /// One lower-case word.
    public var name: String {
        switch self {
        case .available: "available"
        case .loading: "loading"
        case .warming: "warming"
        case .active: "active"
        case .draining: "draining"
        case .unloaded: "unloaded"
        case .rejected: "rejected"
        }
    }
}

/// A version of a model.
public struct VersionID: Sendable, Hashable, CustomStringConvertible {
    /// The model's name in the store.
    public let model: String
    /// The version.
    public let version: Int

    /// Names a version.
    public init(_ model: String, _ version: Int) {
        self.model = model
        self.version = version
    }

    /// `version 3 of model 'm'`.
    public var description: String { "version \(version) of model '\(model)'" }
}

/// Why the versions in service were not changed.
public enum ServingError: Error, Equatable, CustomStringConvertible {
    /// This process does not serve the model.
    case modelNotServed(String, served: [String])
    /// Several models are served and the change names none.
    case modelNotNamed(served: [String])
    /// There is no such version.
    case versionNotFound(VersionID)
    /// There is no such alias.
    case aliasNotFound(String)
    /// Another version is being loaded.
    case busyLoading(VersionID)
    /// Another choice was made while the version was being loaded.
    case superseded(VersionID)
    /// The version cannot be served.
    case rejected(VersionID, reason: String)
    /// The version answers requests.
    case inUse(VersionID)
    /// No version was active before this one.
    case nothingToRollBackTo(model: String)
    /// The alias has another revision than the caller expects.
    case aliasChanged(name: String, revision: Int)
    /// The alias contradicts itself or what is stored.
    case invalidAlias(String)
    /// An item cannot be changed this way; names the request's field, and the reason.
    case invalidItem(field: String, message: String)
    /// A value does not suit the attribute, or there is no such attribute; names the request's field, and the reason.
    case invalidAttribute(field: String, message: String)
    /// The item is not in the catalogue.
    case itemNotFound(String)
    /// No version of the model is in service yet.
    case notReady(model: String)
    /// The store could not be read or written.
    case storeFailed(String)
    /// The servers of SEARCH do not answer.
    case searchUnavailable(String)

    /// What is wrong and what to do.
    public var description: String {
        switch self {
        case .modelNotServed(let model, let served):
            "Model '\(model)' is not served by this process; name one of: \(served.joined(separator: ", "))."
        case .modelNotNamed(let served):
            "Several models are served; name one of \(served.joined(separator: ", "))."
        case .versionNotFound(let id):
            "Model '\(id.model)' has no version \(id.version); list its versions with GET /v1/models/\(id.model)."
        case .aliasNotFound(let name):
            "There is no alias '\(name)'; GET /v1/aliases lists them."
        case .busyLoading(let id):
            "\(id) is being loaded; try again when it is done."
        case .superseded(let id):
            "Another version was chosen while \(id) was being loaded; the other one stays active."
        case .rejected(let id, let reason):
            "\(id) was rejected and nothing changed: \(reason)"
        case .inUse(let id):
            "\(id) answers requests; activate another version, or remove it from its aliases, before unloading it."
        case .nothingToRollBackTo(let model):
            "Model '\(model)' had no other active version before; activate a version by its number."
        case .aliasChanged(let name, let revision):
            "Alias '\(name)' has revision \(revision) now; read it again, then change it."
        case .invalidAlias(let reason):
            reason
        case .invalidItem(let field, let message), .invalidAttribute(let field, let message):
            "'\(field)' \(message)"
        case .itemNotFound(let item):
            "'\(item)' is not in the catalogue."
        case .notReady(let model):
            "No version of model '\(model)' is in service yet; activate one first."
        case .storeFailed(let reason):
            "The store could not be read or written: \(reason)"
        case .searchUnavailable(let reason):
            reason
        }
    }
}
