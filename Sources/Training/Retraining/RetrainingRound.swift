public import CheckpointStore
import Foundation
import Kernels

/// One nightly round: train on the log without its newest day, judge the new version and the active one on that day, and
/// publish the new one if it is fit and not worse beyond noise.
///
/// Everything that a service reads changes in one transaction at the end. A round that is killed leaves the active
/// version as it was; the next round on the same log continues its training, and one on a longer log begins anew.
public struct RetrainingRound: Sendable {
    private let settings: RetrainingConfiguration
    private let isFull: Bool
    private let started = ContinuousClock.now
    private let startedAt = Date().formatted(.iso8601)

    /// A part of a round; the parts follow each other in this order.
    public enum Stage: String, Sendable, CaseIterable {
        /// The store's active version and the log are read and compared.
        case reading
        /// The new version is trained; its state is saved at validations.
        case training
        /// The service's own checks of the new version run.
        case checking
        /// Both versions are judged on the newest day; a first version is not.
        case judging
        /// The new version is written and activated, in one transaction.
        case publishing
        /// The training's state and old versions are removed, and the record is written.
        case finishing
    }

    /// A round.
    ///
    /// - Parameters:
    ///   - settings: Its settings, with resolved paths.
    ///   - isFull: Whether to train from nothing rather than to continue from the active version.
    public init(_ settings: RetrainingConfiguration, isFull: Bool = false) {
        (self.settings, self.isFull) = (settings, isFull)
    }

    /// Runs the round.
    ///
    /// - Parameters:
    ///   - check: The service's own checks of a version; throws for an unfit one.
    ///   - shouldStop: Called before every step; true stops the round, and the next one continues it.
    ///   - enter: Called at the beginning of every stage. A round that ends early leaves out the stages after its end.
    ///   - notes: Called with notes for the user.
    ///   - report: Called after every step and validation.
    /// - Returns: The result; nil when `shouldStop` ended the round.
    /// - Throws: ``RetrainingError``, ``ContinuationError``, ``CSVError``, and the errors of ``TrainingJob``; the active
    ///   version stays.
    public func run(
        check: (Checkpoint) throws -> Void,
        shouldStop: () -> Bool = { false },
        enter: (Stage) -> Void = { _ in },
        notes: ([String]) -> Void = { _ in },
        report: (TrainingEvent) -> Void = { _ in }
    ) throws -> RoundRecord? {
        func tell(_ found: [String]) { notes(found.map(RetrainingConfiguration.inFields)) }
        enter(.reading)
        let store = try CheckpointStore(path: settings.store)
        let active = try activeVersion(in: store)
        let parent = try active.map(ParentVersion.init)
        var items = ItemVocabulary()
        let source = try EventSource(settings.events.names)
        let columns = settings.columns.names.preferring(parent?.columns)
        let given = try settings.recipe.isEmpty ? nil : Recipe(contentsOf: settings.recipe)
        let targets = (given ?? parent?.recipe)?.data.targets ?? TargetConfiguration()
        let log = try EventLog.read(source, columns, targets, &items, .extend)
        tell(log.notes)
        let extent = LogExtent(log.dataset(log.eventsByUser()))
        try parent?.require(extent, mayShrink: settings.logMayShrink)
        try parent?.requireItems(items)
        guard let scale = TimeScale(rawValue: extent.unit), scale.isClock else {
            throw RetrainingError.noClock(file: source.name)
        }
        let present = TimeStatistics.latest(in: scale, at: .now)
        guard extent.newest <= present else {
            let count = log.users.indices.count { log.times[Int32($0)].nearest > present }
            throw RetrainingError.futureEvents(
                file: source.name,
                count: count,
                newest: scale.text(Timestamp(extent.newest))
            )
        }
        let learnt = parent?.log?.newest ?? -.infinity
        // Rows that the active version has learnt from would flatter it.
        let start = max(extent.newest - settings.judge.hours * 3600 * scale.perSecond, learnt.nextUp)
        let times = log.users.indices.map { log.times[Int32($0)].nearest }
        var result = record(.nothingNew, "", active)
        (result.events, result.newEvents) = (extent.events, times.count { $0 > learnt })
        guard parent == nil || times.contains(where: { learnt < $0 && $0 < start }) else {
            let hours = NumberText.short(settings.judge.hours)
            result.reason =
                "no event is new and older than the newest \(hours) hours, which judge; wait for more events, or lower judge.hours"
            return finished(result)
        }
        guard let divided = DividedLog(log, items, at: Timestamp(start), learntUntil: parent?.log?.newest) else {
            throw RetrainingError.shortLog(file: source.name, hours: settings.judge.hours)
        }
        if let reason = active.flatMap({ settings.judge.reasonNotToJudge(by: divided, $0.catalogue.ids) }) {
            result.reason = reason
            return finished(result)
        }
        let origin = isFull ? nil : parent
        let data = try divided.trainingData(
            of: source.name,
            columns: columns,
            split: origin.map { SplitKind(rawValue: $0.data.split) } ?? given?.data.split,
            seed: (origin?.data.splitSeed) ?? given?.data.splitSeed ?? DataConfiguration().splitSeed,
            items: settings.items.isEmpty ? nil : settings.items,
            continued: origin != nil
        )
        let noteOfUsers = origin?.noteOfJudging(by: data)
        tell(data.notes.filter { !log.notes.contains($0) } + [noteOfUsers].compactMap(\.self))
        let budget = settings.budget.completed(hasRecipe: given != nil || parent != nil)
        let recipe = recipe(given ?? parent?.recipe, for: data, budget)
        try origin?.require(recipe, data, logMayShrink: true)
        let job = TrainingJob(recipe: recipe, data: data, seed: settings.seed, model: settings.model, from: origin)
        enter(.training)
        let trained = try train(
            job,
            store,
            budget: budget,
            shouldStop: shouldStop,
            report: report
        )
        guard var candidate = trained else { return nil }
        func keepActive(_ outcome: RoundRecord.Outcome, _ reason: String) throws -> RoundRecord {
            enter(.finishing)
            (result.outcome, result.reason) = (outcome, reason)
            try store.removeTrainingState(model: settings.model)
            return finished(result)
        }
        enter(.checking)
        do {
            try check(candidate)
        } catch {
            return try keepActive(.unfit, "\(error)")
        }
        if let active {
            enter(.judging)
            let judgement = divided.judgement(
                try JudgedModel(active),
                try JudgedModel(candidate),
                by: settings.judge.measure,
                replaced: active.manifest.version
            )
            candidate.manifest.judgement = judgement
            result.judgement = judgement
            guard !judgement.isWorse else { return try keepActive(.worse, judgement.description) }
        }
        enter(.publishing)
        let version = try publish(candidate, replacing: active, in: store)
        enter(.finishing)
        try store.removeTrainingState(model: settings.model)
        _ = try store.prune(model: settings.model, keeping: settings.keep)
        result.outcome = .published
        result.reason = candidate.manifest.judgement?.description ?? "the first version"
        result.activeVersion = version
        result.activeSince = try store.manifest(model: settings.model, version: version).createdAt
        return finished(result)
    }

    /// The record of a round that failed, with the version that still is active.
    public func failure(_ error: any Error) -> RoundRecord {
        let store = try? CheckpointStore(path: settings.store, readOnly: true)
        let active = store.flatMap { try? activeVersion(in: $0) }
        return finished(record(.failed, RetrainingConfiguration.inFields("\(error)"), active ?? nil))
    }

    /// The active version; nil when the model has no version yet.
    private func activeVersion(in store: CheckpointStore) throws -> Checkpoint? {
        guard try store.models().contains(settings.model), try store.activeVersion(of: settings.model) != nil else {
            return nil
        }
        return try store.load(model: settings.model)
    }

    private func recipe(_ given: Recipe?, for data: TrainingData, _ budget: TrainingBudget) -> Recipe {
        var recipe = given ?? RecipeChoice(for: data, budget: budget).recipe
        if let split = data.splitKind { recipe.data.split = split }
        return recipe
    }

    /// Trains; continues the training of a killed round if it was the same one.
    private func train(
        _ job: TrainingJob,
        _ store: CheckpointStore,
        budget: TrainingBudget,
        shouldStop: () -> Bool,
        report: (TrainingEvent) -> Void
    ) throws -> Checkpoint? {
        func candidate(resume: Bool) throws -> Checkpoint? {
            try job.candidate(
                store: store,
                resume: resume,
                budget: budget,
                shouldStop: shouldStop,
                report: report
            )?.checkpoint
        }
        do {
            return try candidate(resume: true)
        } catch TrainingError.stateMismatch, TrainingError.unusableState {
            return try candidate(resume: false)
        }
    }

    /// Publishes and activates the candidate; returns its number.
    private func publish(
        _ candidate: Checkpoint,
        replacing active: Checkpoint?,
        in store: CheckpointStore
    ) throws -> Int {
        let found = try activeVersion(in: store)?.manifest.version
        guard found == active?.manifest.version else {
            throw RetrainingError.activeChanged(from: active?.manifest.version, to: found)
        }
        return try store.publish(candidate)
    }

    private func record(_ outcome: RoundRecord.Outcome, _ reason: String, _ active: Checkpoint?) -> RoundRecord {
        RoundRecord(
            outcome: outcome,
            reason: reason,
            model: settings.model,
            activeVersion: active?.manifest.version,
            activeSince: active?.manifest.createdAt,
            startedAt: startedAt,
            seconds: 0
        )
    }

    private func finished(_ record: RoundRecord) -> RoundRecord {
        var record = record
        record.seconds = ((ContinuousClock.now - started) / .seconds(1) * 1000).rounded() / 1000
        return record
    }
}

extension VersionJudgement {
    /// The figures in a line.
    var description: String {
        let events = NumberText.counted(rows, "event") + (users.map { " of " + NumberText.counted($0, "user") } ?? "")
        let figures = String(
            format:
                "%@ of version %d is %.4f and of the new one %.4f on %@, difference %+.4f (95 percent interval %+.4f to "
                + "%+.4f)",
            measure,
            replaced,
            old,
            new,
            events,
            new - old,
            low,
            high
        )
        let new = (unknown ?? 0) == 0 ? "" : "; \(unknown ?? 0) of them ask for an item that neither version has"
        return rows - (unknown ?? 0) < RetrainingConfiguration.Judge().minimumRows
            ? figures + new + "; so few events show large differences only" : figures + new
    }
}

extension RetrainingConfiguration.Judge {
    /// Why the newer events do not tell a worse version from chance.
    ///
    /// - Parameters:
    ///   - divided: The log, divided at the time when they begin.
    ///   - ids: The catalogue of the version in use.
    /// - Returns: The reason with the next step; nil if they tell.
    func reasonNotToJudge(by divided: DividedLog, _ ids: [String]) -> String? {
        let events = NumberText.counted(divided.rows.count, "new event") + " to judge by"
        let few = "too few to tell a worse version from chance; judge.minimumRows is \(minimumRows)"
        guard divided.rows.count >= minimumRows else { return "\(events), \(few)" }
        let answerable = divided.countOfAnswerable(with: ids)
        guard answerable < minimumRows else { return nil }
        return
            "only \(answerable) of \(events) ask for an item that a version can know, \(few); lower judge.hours, now \(NumberText.short(hours)), so that the round trains on more of the newest events"
    }
}
