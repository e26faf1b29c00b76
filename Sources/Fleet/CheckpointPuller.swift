public import Foundation
import Kernels
public import Logging
public import ServiceLifecycle
public import Serving

/// Pulls the versions of an index document into a service.
///
/// Each round asks for the index, unless it is unchanged, and takes the newest release of each model that is meant for
/// this replica: download, check, import, activate. When something is wrong with a release, the service keeps its
/// version. The folder `downloads` beside the store holds the newest file, and a lock that lets one process of a
/// host download at a time.
public actor CheckpointPuller: Service {
    /// The settings.
    public struct Configuration: Sendable {
        /// CHECKPOINT_URL: the address of the index document.
        public var index: URLComponents
        /// The store's path.
        public var store: String
        /// MODEL: the models to pull; empty pulls every model of the index.
        public var models: [String]
        /// REPLICA_NAME.
        public var replica: Replica
        /// CHECKPOINT_POLL_S.
        public var poll: Duration
        /// CHECKPOINT_SPREAD_S.
        public var spread: Duration
        /// How long an entity tag must stay before it stands for the document.
        ///
        /// Some servers make tags of the size and the whole second of the last change, so two changes within a second
        /// may have one tag.
        package var settling = Duration.seconds(2)

        /// Groups settings.
        public init(
            index: URLComponents,
            store: String,
            models: [String],
            replica: Replica,
            poll: Duration,
            spread: Duration
        ) {
            self.index = index
            self.store = store
            self.models = models
            self.replica = replica
            self.poll = poll
            self.spread = spread
        }
    }

    /// The most time between rounds while a release waits for its time or for another process.
    private static let shortWait = Duration.seconds(1)

    private let configuration: Configuration
    private let controller: ServingController
    private let client: StoreClient
    private let logger: Logger
    private let folder: String
    private let recordPath: String
    private var index: ReleaseIndex?
    /// The entity tag of the index, and when it was first seen.
    private var tag: (text: String, since: ContinuousClock.Instant)?
    /// The tag that the next request sends: one that has settled.
    private var settledTag: String?
    /// When this replica saw a release first, by sequence.
    private var firstSeen: [Int: ContinuousClock.Instant] = [:]
    /// Releases whose files are missing or corrupt, by sequence; tried again when the index changes.
    private var unusable: Set<Int> = []
    /// The last failure, so that each is logged once.
    private var failure: String?

    /// A puller that has done nothing yet.
    public init(configuration: Configuration, controller: ServingController, client: StoreClient, logger: Logger) {
        self.configuration = configuration
        self.controller = controller
        self.client = client
        self.logger = logger
        folder = URL(filePath: configuration.store).deletingLastPathComponent().appending(path: "downloads").path
        recordPath = configuration.store + ".pulls.json"
    }

    /// Pulls until graceful shutdown; a download in progress stops and continues after the next start.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let isWaiting = await self.pull()
                try? await Task.sleep(
                    for: isWaiting ? min(Self.shortWait, self.configuration.poll) : self.configuration.poll
                )
            }
        }
    }

    /// One round.
    ///
    /// - Returns: Whether a release waits for its time or for another process.
    @discardableResult
    package func pull() async -> Bool {
        do {
            if let changed = try await client.index(at: configuration.index, unless: settledTag) {
                if changed.index != index { unusable = [] }
                index = changed.index
                settle(changed.tag)
            }
            if failure != nil, index != nil { note(nil) }
        } catch {
            note("\(error)")
        }
        var isWaiting = false
        for model in index?.models ?? [] where configuration.models.isEmpty || configuration.models.contains(model) {
            guard !Task.isCancelled else { return false }
            do {
                if try await follow(model) { isWaiting = true }
            } catch {
                note("\(error)")
            }
        }
        return isWaiting
    }

    /// Notes the tag of a document that has just been read.
    private func settle(_ text: String?) {
        let now = ContinuousClock.now
        guard let text else {
            (tag, settledTag) = (nil, nil)
            return
        }
        if let tag, tag.text == text {
            settledTag = now - tag.since >= configuration.settling ? text : nil
        } else {
            (tag, settledTag) = ((text, now), nil)
        }
    }

    /// Takes the next release of a model, if there is one.
    ///
    /// - Returns: Whether it waits.
    private func follow(_ model: String) async throws -> Bool {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try watch(model)
        guard let release = next(of: model, after: try record()), isDue(release) else {
            return next(of: model, after: try record()) != nil
        }
        guard let lock = try FileLock(path: folder + "/lock") else { return true }
        defer { extendLifetime(lock) }
        // Another process of this store may have taken it.
        guard next(of: model, after: try record()) == release else { return true }
        let address = configuration.index.sibling(release.file)
        do {
            let path = try await BundleDownload(folder: folder, client: client).fetch(release, at: address)
            return try take(release, await controller.takeVersion(from: path))
        } catch let error as FleetError {
            switch error {
            case .missing, .wrongContent:
                unusable.insert(release.sequence)
                refuse(release, "\(error)")
                // An older release may be newer than the version in service.
                return true
            default:
                throw error
            }
        }
    }

    private func take(_ release: Release, _ taking: ServingController.Taking) throws -> Bool {
        var record = try record()
        switch taking {
        case .active(let id):
            record.taken[release.model] = PullRecord.Taken(
                sequence: release.sequence,
                sha256: release.sha256,
                version: id.version
            )
            try record.write(to: recordPath)
            controller.watch(id, guard: release.guard?.aliasGuard)
            controller.count(.taken)
            logger.info("version pulled", metadata: metadata(release))
            return false
        case .refused(let reason):
            record.refused[release.sha256] = reason
            try record.write(to: recordPath)
            refuse(release, reason)
            return true
        case .later(let reason):
            note(reason)
            return true
        }
    }

    /// Keeps the guard of the version in service, and remembers the ones that a guard rolled back.
    private func watch(_ model: String) throws {
        var record = try record()
        guard let taken = record.taken[model] else { return }
        let id = VersionID(model, taken.version)
        if controller.versionsEndedByGuard.contains(id), record.refused[taken.sha256] == nil {
            record.refused[taken.sha256] = "its guard rolled it back"
            try record.write(to: recordPath)
            controller.count(.refused)
        }
        guard record.refused[taken.sha256] == nil,
            let release = index?.releases.first(where: { $0.sequence == taken.sequence })
        else { return }
        controller.watch(id, guard: release.guard?.aliasGuard)
    }

    private func next(of model: String, after record: PullRecord) -> Release? {
        index?.next(
            of: model,
            for: configuration.replica,
            after: record.taken[model]?.sequence ?? 0,
            isRefused: { record.refused[$0.sha256] != nil || unusable.contains($0.sequence) }
        )
    }

    /// Whether the replica's time for a release has come; at once when it serves no version of the model.
    private func isDue(_ release: Release) -> Bool {
        let now = ContinuousClock.now
        let seen = firstSeen[release.sequence] ?? now
        firstSeen[release.sequence] = seen
        return now - seen >= configuration.replica.delay(within: configuration.spread)
            || !controller.serves(release.model)
    }

    private func record() throws -> PullRecord {
        do { return try PullRecord(path: recordPath) } catch {
            logger.error("record of pulled versions is damaged; it begins anew", metadata: ["file": "\(recordPath)"])
            try PullRecord().write(to: recordPath)
            return PullRecord()
        }
    }

    // MARK: Log

    private func refuse(_ release: Release, _ reason: String) {
        controller.count(.refused)
        logger.error(
            "published version refused; the service keeps its versions",
            metadata: metadata(release).merging(["error": "\(reason)"]) { $1 }
        )
    }

    /// Counts a failure, and logs it unless it is the last one again; nil is a success.
    private func note(_ reason: String?) {
        if reason != nil { controller.count(.failed) }
        guard reason != failure else { return }
        failure = reason
        if let reason {
            logger.warning("versions not pulled; tried again", metadata: ["error": "\(reason)"])
        } else {
            logger.notice("the index document can be read again")
        }
    }

    private func metadata(_ release: Release) -> Logger.Metadata {
        [
            "model.name": "\(release.model)", "release.version": "\(release.version)",
            "release.sequence": "\(release.sequence)", "file": "\(release.file)",
        ]
    }
}
