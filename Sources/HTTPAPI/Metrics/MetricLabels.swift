import Serving

/// What a request is for, as a metric's label.
package enum RouteLabel: Int, CaseIterable {
    case retrieve
    case batch
    case similar
    case item
    case health
    case infer
    case other

    static var count: Int { other.rawValue + 1 }

    /// The label's text.
    var name: String { "\(self)" }
}

/// Why something was turned away, as a metric's label.
package enum ShedReason: Int, CaseIterable {
    /// MAX_CONNECTIONS were open.
    case connections
    /// MAX_INFLIGHT requests were being answered or waiting.
    case inflight
    /// The request's deadline had passed before its turn.
    case deadline

    static var count: Int { deadline.rawValue + 1 }

    /// The label's text.
    var name: String { "\(self)" }
}

/// A stage of a retrieval, as a metric's label.
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
