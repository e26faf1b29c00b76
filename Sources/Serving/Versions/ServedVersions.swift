import CheckpointStore

/// The versions that this process holds, and the use of each: the state that ``ServingController`` guards.
///
/// A value without locks, threads or a store. It decides everything that a request sees.
struct ServedVersions {
    /// A version in memory.
    struct Resident {
        /// The snapshot as it was stored.
        let base: ServingSnapshot
        /// The snapshot with the item changes so far.
        var snapshot: ServingSnapshot
        /// The number of the newest of these changes.
        var newestChange: Int
        let statistics: VersionStatistics
        let createdAt: String
    }

    /// The choices of the version that answers a model's requests.
    struct Traffic {
        /// Chosen versions, newest choice first; the first answers requests.
        var recent: [Int] = []
        /// How many choices were made; shows whether a choice is still the last.
        var choices = 0
    }

    /// The names to serve, models or aliases; the first answers requests without a name.
    var names: [String] = []
    /// The name that answers requests without a name; nil when they must name one.
    var standard: String?
    /// Names that were asked for and that the store does not have.
    var absent: AbsentModels?
    /// Served aliases whose names no new alias may have, of which a warning told.
    var faultyAliases: Set<String> = []
    /// Whether every version to serve was tried once.
    var isSettled = false
    /// How many running changes need each version; a needed version stays in memory.
    private var held: [VersionID: Int] = [:]
    /// Revisions of aliases whose guard ended their split.
    var endedSplits: [String: Int] = [:]
    var residents: [VersionID: Resident] = [:]
    var traffic: [String: Traffic] = [:]
    var aliases: [String: Alias] = [:]
    var loading: (id: VersionID, isWarming: Bool)?
    var rejected: [VersionID: String] = [:]
    /// Those of them that the search servers did not have.
    var unsearchable: Set<VersionID> = []
    /// Snapshots without a route; requests may still hold them.
    var retired: [(id: VersionID, snapshot: ServingSnapshot)] = []
    var unloaded: Set<VersionID> = []
    private(set) var generation: UInt64 = 0

    /// Keeps versions in memory until they are released, once for each call.
    mutating func hold(_ ids: [VersionID]) {
        for id in ids { held[id, default: 0] += 1 }
    }

    /// Ends a ``hold(_:)``.
    mutating func release(_ ids: [VersionID]) {
        for id in ids { held[id] = held[id].flatMap { $0 > 1 ? $0 - 1 : nil } }
    }

    /// Whether a version must stay in memory, because requests may reach it or a running change needs it.
    func isNeeded(_ id: VersionID) -> Bool { isInUse(id) || held[id] != nil }

    /// The number of the next load.
    mutating func nextGeneration() -> UInt64 {
        generation += 1
        return generation
    }

    /// The version of a model that answers, or nil before the first.
    func active(of model: String) -> Int? { traffic[model]?.recent.first }

    /// Makes a version in memory the active one of its model; one that is not there cannot answer, and changes nothing.
    mutating func choose(_ id: VersionID) {
        guard residents[id] != nil else { return }
        traffic[id.model, default: Traffic()].recent.removeAll { $0 == id.version }
        traffic[id.model, default: Traffic()].recent.insert(id.version, at: 0)
        traffic[id.model, default: Traffic()].choices += 1
    }

    /// Puts a loaded version in memory.
    mutating func insert(_ id: VersionID, _ resident: Resident) {
        if let old = residents.updateValue(resident, forKey: id) { retired.append((id, old.snapshot)) }
        rejected[id] = nil
        unloaded.remove(id)
    }

    /// Replaces a version's snapshot after changes of its items.
    mutating func replace(_ id: VersionID, by snapshot: ServingSnapshot, newestChange: Int) {
        guard let old = residents[id]?.snapshot else { return }
        residents[id]?.snapshot = snapshot
        residents[id]?.newestChange = newestChange
        retired.append((id, old))
    }

    /// Whether requests may reach a version.
    func isInUse(_ id: VersionID) -> Bool {
        active(of: id.model) == id.version
            || aliases.values.contains { $0.model == id.model && $0.split.contains { $0.version == id.version } }
    }

    /// Unloads versions that answer no requests and are not kept for a rollback.
    ///
    /// - Parameters:
    ///   - keepVersions: How many of a model's last choices stay, the active one included.
    ///   - model: The model to look at; nil is all.
    /// - Returns: Whether any version was unloaded.
    mutating func evict(keeping keepVersions: Int, of model: String? = nil) -> Bool {
        let before = residents.count
        for name in traffic.keys where model == nil || name == model {
            traffic[name]?.recent.removeAll { residents[VersionID(name, $0)] == nil }
            let surplus = (traffic[name]?.recent.count ?? 0) - max(1, keepVersions)
            if surplus > 0 { traffic[name]?.recent.removeLast(surplus) }
        }
        for id in residents.keys where model == nil || id.model == model {
            guard !isNeeded(id), traffic[id.model]?.recent.contains(id.version) != true else {
                continue
            }
            unload(id)
        }
        return residents.count < before
    }

    /// Removes a version from memory.
    mutating func unload(_ id: VersionID) {
        guard let resident = residents.removeValue(forKey: id) else { return }
        traffic[id.model]?.recent.removeAll { $0 == id.version }
        retired.append((id, resident.snapshot))
        unloaded.insert(id)
    }

    /// Removes and returns the retired snapshots that no request holds; the caller frees them.
    mutating func takeUnused() -> [ServingSnapshot] {
        var unused: [ServingSnapshot] = []
        for position in retired.indices.reversed() where isKnownUniquelyReferenced(&retired[position].snapshot) {
            unused.append(retired.remove(at: position).snapshot)
        }
        return unused
    }

    /// The state of a version.
    func state(of id: VersionID) -> VersionState {
        if let loading, loading.id == id { return loading.isWarming ? .warming : .loading }
        if residents[id] != nil { return isInUse(id) ? .active : .available }
        if let reason = rejected[id] { return .rejected(reason: reason) }
        if retired.contains(where: { $0.id == id }) { return .draining }
        return unloaded.contains(id) ? .unloaded : .available
    }

    /// The percentages of an alias' versions in memory; the first version also takes the share of those not loaded.
    func shares(of alias: Alias) -> [Alias.Share] {
        guard !alias.split.isEmpty else {
            return active(of: alias.model).map { [Alias.Share(version: $0, percent: 100)] } ?? []
        }
        var shares = alias.split.filter { residents[VersionID(alias.model, $0.version)] != nil }
        guard !shares.isEmpty else { return [] }
        shares[0].percent += 100 - shares.reduce(0) { $0 + $1.percent }
        return shares
    }

    /// Forgets an alias, and whether its guard ended a split.
    mutating func removeAlias(_ name: String) {
        aliases[name] = nil
        endedSplits[name] = nil
    }

    /// The routing table for requests.
    func table() -> RoutingTable {
        var routes: [String: TrafficRoute] = [:]
        func add(
            _ name: String,
            _ shares: [Alias.Share],
            of model: String,
            shadow: Double = 0,
            blend: SourceBlend? = nil
        ) {
            let arms = shares.compactMap { share in
                residents[VersionID(model, share.version)].map {
                    TrafficArm($0.snapshot, percent: share.percent, statistics: $0.statistics)
                }
            }
            if !arms.isEmpty { routes[name] = TrafficRoute(name: name, arms: arms, shadow: shadow, blend: blend) }
        }
        for (model, traffic) in traffic {
            guard let version = traffic.recent.first else { continue }
            add(model, [Alias.Share(version: version, percent: 100)], of: model)
        }
        for alias in aliases.values {
            add(alias.name, shares(of: alias), of: alias.model, shadow: alias.shadow, blend: alias.blend)
        }
        return RoutingTable(
            routes: routes,
            standard: standard,
            expected: Set(names).union(aliases.keys).subtracting(routes.keys),
            isSettled: isSettled,
            absent: absent
        )
    }
}
