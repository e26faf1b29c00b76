/// The version that a training continued from.
public struct VersionOrigin: Codable, Sendable, Equatable {
    /// The model's name.
    public var model: String
    /// The version.
    public var version: Int
    /// Optimiser steps of the training from nothing at the beginning of the chain of versions.
    public var fullSteps: Int
    /// The time of the newest event that it knew, in the unit of the log's times, if only newer events judge the
    /// version that continues it; nil if all events of its held-out users do.
    public var learntUntil: Double?
    /// True if it, or a version before it, has learnt from users or items of the test part; nil if none has.
    public var learntTest: Bool?

    /// Names a version.
    public init(model: String, version: Int, fullSteps: Int, learntUntil: Double? = nil) {
        (self.model, self.version, self.fullSteps) = (model, version, fullSteps)
        self.learntUntil = learntUntil
    }
}

/// How far a log reached when a version was trained on it, to notice later that the log shrank or changed its form.
public struct LogExtent: Codable, Sendable, Equatable {
    /// Number of events.
    public var events: Int
    /// Number of users.
    public var users: Int
    /// The unit of the times: `seconds`, `milliseconds`, `microseconds`, `nanoseconds` or `ordinals`.
    public var unit: String
    /// The newest time, in that unit.
    public var newest: Double

    /// Describes a log.
    public init(events: Int, users: Int, unit: String, newest: Double) {
        (self.events, self.users, self.unit, self.newest) = (events, users, unit, newest)
    }
}

/// One validation of a training.
public struct ValidationPoint: Codable, Sendable, Equatable {
    /// Optimiser steps until then.
    public var step: Int
    /// Seconds of training until then, validations included.
    public var seconds: Double
    /// HR@20 of the validation part.
    public var hitRate: Double
    /// MRR@20 of the validation part.
    public var reciprocalRank: Double

    /// The figures of a validation.
    public init(step: Int, seconds: Double, hitRate: Double, reciprocalRank: Double) {
        (self.step, self.seconds, self.hitRate, self.reciprocalRank) = (step, seconds, hitRate, reciprocalRank)
    }
}

/// How a new version did against the version that it replaced, on the same newest events.
public struct VersionJudgement: Codable, Sendable, Equatable {
    /// The replaced version.
    public var replaced: Int
    /// The judged measure, such as `hr@20`.
    public var measure: String
    /// Number of judged events.
    public var rows: Int
    /// Number of their users; nil in a judgement of an older program.
    public var users: Int?
    /// How many of the judged events ask for an item that neither version has; nil in a judgement of an older program.
    public var unknown: Int?
    /// The mean of the measure of the replaced version.
    public var old: Double
    /// The mean of the measure of the new version.
    public var new: Double
    /// The ends of the 95 percent interval of the difference, new minus old.
    public var low: Double
    /// Its upper end.
    public var high: Double

    /// The figures of a comparison.
    public init(
        replaced: Int,
        measure: String,
        rows: Int,
        users: Int? = nil,
        unknown: Int? = nil,
        old: Double,
        new: Double,
        low: Double,
        high: Double
    ) {
        (self.replaced, self.measure, self.rows) = (replaced, measure, rows)
        (self.users, self.unknown) = (users, unknown)
        (self.old, self.new, self.low, self.high) = (old, new, low, high)
    }

    /// Whether the new version is worse and noise does not explain it: the whole interval is below zero.
    public var isWorse: Bool { high < 0 }

    /// Both figures, on one line of a list.
    public var brief: String {
        func figure(_ value: Double) -> String { "\((value * 10_000).rounded() / 10_000)" }
        return "\(measure) \(figure(new)) against \(figure(old)) of version \(replaced)"
    }
}
