import Serving

/// A route, as a metric label.
package enum RouteLabel: Int, CaseIterable {
    case retrieve
    case batch
    case similar
    case filter
    case embed
    case item
    case health
    case infer
    case other

    static var count: Int { other.rawValue + 1 }

    /// The label's text.
    var name: String { "\(self)" }
}

/// The reason for load shedding, as a metric label.
package enum ShedReason: Int, CaseIterable {
    /// MAX_CONNECTIONS connections were open.
    case connections
    /// The server was overloaded: MAX_INFLIGHT or QUEUE_DELAY_MS was exceeded.
    case inflight
    /// The request's deadline passed before its turn.
    case deadline

    static var count: Int { deadline.rawValue + 1 }

    /// The label's text.
    var name: String { "\(self)" }
}

/// A stage of a retrieval, as a metric label.
enum StageLabel: Int, CaseIterable {
    case parse
    case guidance
    case diffusion
    case search
    case encode

    /// The label's text.
    var name: String { "\(self)" }
}

extension StageTimes {
    /// One stage's time, in nanoseconds.
    subscript(stage: StageLabel) -> UInt64 {
        switch stage {
        case .parse: parse
        case .guidance: guidance
        case .diffusion: diffusion
        case .search: search
        case .encode: encode
        }
    }
}
