/// What a controller tells metrics and the control plane.
extension ServingController {
    /// Counts of events so far, for metrics.
    public struct Report: Sendable, Equatable {
        /// Versions that were brought into service.
        public var published = 0
        /// Versions that were rejected.
        public var rejected = 0
        /// Rollbacks on request.
        public var rolledBack = 0
        /// Splits that an alias' guard ended, and versions that a guard rolled back.
        public var guardRollbacks = 0
        /// How long the last load took, warm-up included.
        public var loadSeconds: Double?
        /// Files of the import folder that became versions.
        public var imported = 0
        /// Files of the import folder that were rejected.
        public var importsRejected = 0
        /// Pulled versions that were activated.
        public var pulled = 0
        /// Published versions that this service refused.
        public var pullsRefused = 0
        /// Attempts to pull that failed and are repeated.
        public var pullsFailed = 0
        /// Damaged parts of the store at the last check.
        public var storeDamage = 0
    }

    /// A version in memory, for metrics and the control plane.
    public struct Resident: Sendable {
        /// The model and version.
        public let id: VersionID
        /// The snapshot that answers.
        public let snapshot: ServingSnapshot
        /// Request outcomes.
        public let statistics: VersionStatistics
        /// When it was published, ISO 8601.
        public let createdAt: String
        /// Whether requests may reach it.
        public let isInUse: Bool
    }
}
