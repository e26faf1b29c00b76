public import CheckpointStore
import Synchronization

/// An immutable table of the snapshots that answer requests.
///
/// A request takes one table at its start and keeps it to its end, so it sees an activation, a rollback or a changed
/// split completely or not at all.
public final class RoutingTable: Sendable {
    /// A table without routes, before anything is loaded.
    public static let empty = RoutingTable(routes: [:], standard: nil, expected: [], isSettled: false)

    /// The routes by the names that requests use: models and aliases.
    public let routes: [String: TrafficRoute]
    /// The route of requests that name no model.
    public let standard: TrafficRoute?
    /// Names without a route, because their versions are not loaded yet or were rejected.
    public let expected: Set<String>
    /// Whether requests that name no model have a route, now or later.
    private let hasStandard: Bool
    private let isSettled: Bool
    private let absent: AbsentModels?

    /// A table.
    ///
    /// - Parameters:
    ///   - routes: The routes by name.
    ///   - standard: The name of the route of requests that name no model; nil when they must name one.
    ///   - expected: Names whose versions are not loaded yet or were rejected.
    ///   - isSettled: Whether the controller tried to load every version once.
    ///   - absent: Names that the service was told to serve and that the store does not have; nil when it has all.
    public init(
        routes: [String: TrafficRoute],
        standard: String?,
        expected: Set<String>,
        isSettled: Bool = true,
        absent: AbsentModels? = nil
    ) {
        self.routes = routes
        self.standard = standard.flatMap { routes[$0] }
        self.expected = expected
        hasStandard = standard != nil
        self.isSettled = isSettled
        self.absent = absent
    }

    /// A table with a single snapshot, by its model's name and for requests that name none.
    public convenience init(_ snapshot: ServingSnapshot) {
        let route = TrafficRoute(name: snapshot.model, arms: [TrafficArm(snapshot)])
        self.init(routes: [snapshot.model: route], standard: snapshot.model, expected: [])
    }

    /// Whether requests that name no model can be answered, or, if all must name one, those to at least one model.
    public var isReady: Bool { hasStandard ? standard != nil : isSettled && !routes.isEmpty }

    /// Checks ``isReady``.
    ///
    /// - Throws: ``RetrievalError/notReady``, or ``RetrievalError/modelsAbsent(_:)`` when waiting does not help.
    public func requireReady() throws(RetrievalError) {
        guard !isReady else { return }
        throw absent.map { .modelsAbsent($0) } ?? .notReady
    }

    /// The route of a request.
    ///
    /// - Parameter name: The model or alias that the request names, or nil.
    /// - Returns: The route.
    /// - Throws: ``RetrievalError``.
    public func route(to name: String?) throws(RetrievalError) -> TrafficRoute {
        guard let name else {
            if let standard { return standard }
            try requireReady()
            throw .modelNotNamed(served: routes.keys.sorted())
        }
        if let route = routes[name] { return route }
        if let absent, absent.names.contains(name) { throw .modelsAbsent(absent) }
        // Until the controller has read the store once, a name may be that of an alias.
        guard isSettled, !expected.contains(name), !routes.isEmpty else { throw .notReady }
        throw .modelNotServed(name, served: routes.keys.sorted())
    }

    /// The arm that serves a version of a model, whichever route it is on.
    public func arm(of model: String, version: Int) -> TrafficArm? {
        for route in routes.values {
            for arm in route.arms where arm.snapshot.version == version && arm.snapshot.model == model { return arm }
        }
        return nil
    }
}

/// Models or aliases that the service was told to serve and that its store does not have.
public struct AbsentModels: Sendable, Equatable {
    /// The missing names.
    public let names: [String]
    /// The models of the store.
    public let available: [String]

    /// Names the missing models and the available ones.
    package init(names: [String], available: [String]) {
        (self.names, self.available) = (names, available)
    }

    /// The missing models, the available ones, and the next step.
    public var description: String {
        let there = available.isEmpty ? "no model yet" : available.map { "'\($0)'" }.joined(separator: ", ")
        return "The store has no model or alias \(names.map { "'\($0)'" }.joined(separator: ", ")), which MODEL names; "
            + "it has \(there). Train or import that model, or change MODEL."
    }
}

/// The versions that answer one name, each with its percentage of the requests.
public final class TrafficRoute: Sendable {
    /// The model or alias.
    public let name: String
    /// The versions, the stable one first; at least one.
    public let arms: [TrafficArm]
    /// The sources of retrievals on this route; nil when the versions answer alone.
    public let blend: SourceBlend?
    /// The part of each version's requests that are shadowed, as a 64-bit threshold.
    private let shadowThreshold: UInt64
    private let salt: UInt64

    /// A route.
    ///
    /// - Parameters:
    ///   - name: The name that requests use.
    ///   - arms: The versions; their percentages sum to 100.
    ///   - shadow: The percentage of requests that are shadowed, 0 to 100.
    ///   - blend: The sources of retrievals; nil when the versions answer alone.
    public init(name: String, arms: [TrafficArm], shadow: Double = 0, blend: SourceBlend? = nil) {
        precondition(!arms.isEmpty, "route '\(name)' leads nowhere")
        self.name = name
        self.arms = arms
        self.blend = blend
        shadowThreshold = Self.threshold(arms.count > 1 ? shadow : 0)
        salt = IdentifierList([name]).contentHash(newest: 1)
    }

    /// The version that answers requests with a key.
    ///
    /// The same key always gets the same version while the percentages stay. Two routes split their keys
    /// independently.
    ///
    /// - Parameter key: A hash of the user, or of the request's content.
    /// - Returns: One of ``arms``.
    public func arm(for key: UInt64) -> TrafficArm {
        guard arms.count > 1 else { return arms[0] }
        let position = mix(key ^ salt)
        var end: UInt64 = 0
        for arm in arms.dropLast() {
            end = end.addingReportingOverflow(Self.threshold(arm.percent)).partialValue
            if position < end { return arm }
        }
        // The last version with a percentage takes the keys that rounding left over.
        return arms.last { $0.percent > 0 } ?? arms[0]
    }

    /// The version that also computes requests with a key, as shadow traffic, or nil.
    ///
    /// It is the last version of the route that does not answer them itself.
    public func shadow(for key: UInt64, answeredBy arm: TrafficArm) -> TrafficArm? {
        guard shadowThreshold > 0, mix(mix(key) ^ salt) <= shadowThreshold else { return nil }
        return arms.last { $0 !== arm }
    }

    /// The threshold below which this percentage of all 64-bit numbers lies.
    private static func threshold(_ percent: Double) -> UInt64 {
        percent >= 100 ? .max : UInt64(max(0, percent) / 100 * 0x1p64)
    }
}

/// One version on a route.
public final class TrafficArm: Sendable {
    /// The snapshot that answers.
    public let snapshot: ServingSnapshot
    /// The version's percentage of the requests, 0 to 100.
    public let percent: Double
    /// Request outcomes, shared by all routes of the version.
    public let statistics: VersionStatistics

    /// A version with a percentage of a route's requests.
    public init(_ snapshot: ServingSnapshot, percent: Double = 100, statistics: VersionStatistics = VersionStatistics())
    {
        self.snapshot = snapshot
        self.percent = percent
        self.statistics = statistics
    }
}

/// Holds the table that new requests use.
public final class RoutingHolder: Sendable {
    private let state: Mutex<RoutingTable>

    /// Starts with a table.
    public init(_ table: RoutingTable = .empty) {
        state = Mutex(table)
    }

    /// The newest table.
    ///
    /// Complexity: a lock and a retain.
    public var current: RoutingTable {
        state.withLock { $0 }
    }

    /// Makes a table the one that new requests use.
    public func publish(_ table: RoutingTable) {
        var table = table
        // The swap moves the old table out, so that nothing is freed under the lock.
        state.withLock { swap(&$0, &table) }
    }
}
