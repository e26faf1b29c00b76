package import Serving

/// An error answer of either plane, as RFC 9457 defines it (`application/problem+json`).
package struct Problem: Error, Equatable {
    /// The machine-readable error code; each code has one HTTP status.
    package enum Code: String, CaseIterable {
        case invalidJSON = "invalid_json"
        case invalidArgument = "invalid_argument"
        case unauthorized
        case notFound = "not_found"
        case versionNotFound = "version_not_found"
        case methodNotAllowed = "method_not_allowed"
        case requestTimeout = "request_timeout"
        case busyLoading = "busy_loading"
        case superseded
        case versionInUse = "version_in_use"
        case nothingToRollBackTo = "nothing_to_roll_back_to"
        case preconditionFailed = "precondition_failed"
        case bodyTooLarge = "body_too_large"
        case unsupportedMediaType = "unsupported_media_type"
        case checkpointRejected = "checkpoint_rejected"
        case unprocessable
        case overloaded
        case notReady = "not_ready"
        case storeUnavailable = "store_unavailable"
        case searchUnavailable = "search_unavailable"
        case deadlineExceeded = "deadline_exceeded"
        case internalError = "internal"

        /// The HTTP status.
        package var status: Int {
            switch self {
            case .invalidJSON, .invalidArgument: 400
            case .unauthorized: 401
            case .notFound, .versionNotFound: 404
            case .methodNotAllowed: 405
            case .requestTimeout: 408
            case .busyLoading, .superseded, .versionInUse, .nothingToRollBackTo: 409
            case .preconditionFailed: 412
            case .bodyTooLarge: 413
            case .unsupportedMediaType: 415
            case .checkpointRejected, .unprocessable: 422
            case .overloaded, .notReady, .storeUnavailable, .searchUnavailable: 503
            case .deadlineExceeded: 504
            case .internalError: 500
            }
        }

        /// A short description for people, the same for every occurrence.
        package var title: String {
            switch self {
            case .invalidJSON: "The body is not JSON"
            case .invalidArgument: "The request breaks the contract"
            case .unauthorized: "The caller is not authorised"
            case .notFound: "Not found"
            case .versionNotFound: "No such version"
            case .methodNotAllowed: "Method not allowed"
            case .requestTimeout: "The request took too long to arrive"
            case .busyLoading: "Another version is being loaded"
            case .superseded: "Another version was chosen in the meantime"
            case .versionInUse: "The version answers requests"
            case .nothingToRollBackTo: "No version was active before"
            case .preconditionFailed: "It was changed in the meantime"
            case .bodyTooLarge: "The body is too large"
            case .unsupportedMediaType: "The body must be application/json"
            case .checkpointRejected: "The version cannot be served"
            case .unprocessable: "The request conflicts with the stored data"
            case .overloaded: "Too busy"
            case .notReady: "Not ready yet"
            case .storeUnavailable: "The store cannot be used"
            case .searchUnavailable: "The search servers do not answer"
            case .deadlineExceeded: "The deadline has passed"
            case .internalError: "Internal error"
            }
        }
    }

    /// One wrong place in the body.
    package struct Location: Equatable {
        /// The RFC 6901 pointer into the body.
        package let pointer: String
        /// What is wrong there.
        package let message: String
    }

    package let code: Code
    package let detail: String
    package let errors: [Location]
    /// The methods that the path supports, for 405.
    package let allow: String?

    /// A problem that concerns the whole request.
    package init(_ code: Code, _ detail: String, allow: String? = nil) {
        self.code = code
        self.detail = detail
        self.allow = allow
        errors = []
    }

    /// A problem at one place of the body.
    package init(_ code: Code, at pointer: String, _ message: String) {
        self.code = code
        detail = pointer.isEmpty ? message : "\(pointer): \(message)"
        allow = nil
        errors = [Location(pointer: pointer, message: message)]
    }

    /// The problem of a request that the service sheds.
    static let overloaded = Problem(.overloaded, "The server cannot answer more requests in time; try again later.")

    /// The problem of a well-formed request that could not be answered.
    ///
    /// - Parameters:
    ///   - error: The reason.
    ///   - request: The pointer to the request in the body.
    package init(_ error: RetrievalError, of request: String = "") {
        switch error {
        case .notReady, .modelsAbsent:
            self.init(.notReady, error.description)
        case .invalidArgument(let field, let message):
            self.init(.invalidArgument, at: "\(request)/\(field)", message)
        case .modelNotServed:
            self.init(.notFound, at: "\(request)/model", error.description)
        case .modelNotNamed:
            self.init(.invalidArgument, at: "\(request)/model", error.description)
        case .sourceNotServed(_, let position, _):
            self.init(.notFound, at: "\(request)/sources/\(position)/model", error.description)
        case .versionNotServed:
            self.init(.versionNotFound, error.description)
        case .deadlineExceeded:
            self.init(.deadlineExceeded, error.description)
        case .searchUnavailable:
            self.init(.searchUnavailable, error.description)
        case .nonFiniteUserVector:
            self.init(.internalError, "The request could not be answered; find its id in the server's log.")
        }
    }

    /// The problem of a failed change to versions, aliases or items.
    package init(_ error: ServingError) {
        switch error {
        case .modelNotServed, .modelNotNamed, .aliasNotFound: self.init(.notFound, error.description)
        case .versionNotFound: self.init(.versionNotFound, error.description)
        case .busyLoading: self.init(.busyLoading, error.description)
        case .superseded: self.init(.superseded, error.description)
        case .rejected: self.init(.checkpointRejected, error.description)
        case .inUse: self.init(.versionInUse, error.description)
        case .nothingToRollBackTo: self.init(.nothingToRollBackTo, error.description)
        case .aliasChanged: self.init(.preconditionFailed, error.description)
        case .invalidAlias: self.init(.unprocessable, error.description)
        case .invalidItem(let field, let message): self.init(.unprocessable, at: "/\(field)", message)
        case .invalidAttribute(let field, let message): self.init(.invalidArgument, at: "/\(field)", message)
        case .itemNotFound: self.init(.notFound, error.description)
        case .notReady: self.init(.notReady, error.description)
        case .storeFailed: self.init(.storeUnavailable, error.description)
        case .searchUnavailable: self.init(.searchUnavailable, error.description)
        }
    }

    /// The seconds to wait before a retry, for temporary problems; otherwise nil.
    package var retryAfter: Int? {
        switch code {
        case .overloaded, .notReady, .busyLoading, .storeUnavailable, .searchUnavailable: 1
        default: nil
        }
    }

    /// Writes the body.
    ///
    /// - Parameters:
    ///   - writer: The writer to append to.
    ///   - instance: The request's id.
    package func write(to writer: inout JSONWriter, instance: some Collection<UInt8>) {
        writer.raw("{\"type\":\"about:blank\",\"title\":")
        writer.string(code.title)
        writer.raw(",\"status\":")
        writer.integer(code.status)
        writer.raw(",\"detail\":")
        writer.string(detail)
        writer.raw(",\"instance\":")
        writer.string(instance)
        writer.raw(",\"code\":")
        writer.string(code.rawValue)
        writer.raw(",\"errors\":[")
        for (position, error) in errors.enumerated() {
            if position > 0 { writer.raw(",") }
            writer.raw("{\"pointer\":")
            writer.string(error.pointer)
            writer.raw(",\"message\":")
            writer.string(error.message)
            writer.raw("}")
        }
        writer.raw("]}")
    }
}

/// A key as one step of an RFC 6901 pointer.
func pointerStep(_ key: [UInt8]) -> String {
    var step = "/"
    for character in String(decoding: key.prefix(64), as: UTF8.self) {
        switch character {
        case "~": step += "~0"
        case "/": step += "~1"
        default: step.append(character)
        }
    }
    return step
}
