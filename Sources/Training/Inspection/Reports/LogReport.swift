import CheckpointStore
import Kernels

/// The content of a log of interactions, and how a training would use it.
public struct LogReport: Sendable {
    /// The log as the caller named it.
    public let file: String
    /// Notes about the file: the columns that were recognised, and warnings.
    public let notes: [String]
    /// Different users.
    public let users: Int
    /// Different items.
    public let items: Int
    /// Rows.
    public let events: Int
    /// Events of a user.
    public let lengths: LengthStatistics
    /// Events of an item.
    public let popularity: PopularityStatistics
    /// Items that come again.
    public let repeats: RepeatStatistics
    /// Times.
    public let times: TimeStatistics
    /// Events and new items over time.
    public let activity: ActivityStatistics
    /// Rows that repeat another row.
    public let duplicates: DuplicateStatistics
    /// Users who do not behave like people.
    public let suspects: SuspectStatistics
    /// Users who are probably many visitors; training leaves their events out.
    public let sharedUsers: [SharedUser]
    /// Users whose ids may mean the same person.
    public let alikeUsers: AlikeIDStatistics
    /// Items whose ids may mean the same item.
    public let alikeItems: AlikeIDStatistics
    /// Kinds of events and ratings.
    public let values: EventValues
    /// How a training would use the log, or why it would refuse it.
    public let training: Result<TrainingOutlook, SmallDataError>

    /// Reads a log and looks at it.
    ///
    /// - Parameters:
    ///   - source: The log.
    ///   - columns: Explicit column names; nil ones are recognised from the header.
    ///   - metadata: The items file, for titles; or nil.
    /// - Throws: ``CSVError`` for a file that cannot be read.
    /// - Complexity: O(n log n) in events, and the time of ``BaselineComparison``. Memory: about 50 bytes an event.
    public init(events source: EventSource, columns: EventColumns = EventColumns(), items metadata: String? = nil)
        throws
    {
        var vocabulary = ItemVocabulary()
        var everybody = TargetConfiguration()
        everybody.dropSharedUsers = false
        let log = try EventLog.read(source, columns, everybody, &vocabulary, .extend, countsValues: true)
        let events = log.eventsByUser()
        let dataset = log.dataset(events)
        sharedUsers = log.sharedUsers
        let learnt = sharedUsers.isEmpty ? log : log.withoutDroppedUsers(TargetConfiguration())
        let learntEvents = sharedUsers.isEmpty ? events : learnt.eventsByUser()
        let learntData = sharedUsers.isEmpty ? dataset : learnt.dataset(learntEvents)
        let scale = TimeScale(dataset.lastTimestamps)
        var notes = dataset.notes
        let catalogue: Catalogue
        do {
            let data = try TrainingData(
                learntData,
                of: source.name,
                columns: columns,
                vocabulary: vocabulary,
                split: nil,
                seed: DataConfiguration().splitSeed,
                items: metadata
            )
            training = .success(TrainingOutlook(data, log: learnt, events: learntEvents, scale: scale))
            (catalogue, notes) = (data.catalogue, data.notes)
        } catch let refusal as SmallDataError {
            training = .failure(refusal)
            catalogue = try TrainingData.catalogue(vocabulary, metadata, columns, &notes)
        }
        guard let lengths = LengthStatistics(dataset.sequences.lengths),
            let learntLengths = LengthStatistics(learntData.sequences.lengths)
        else {
            preconditionFailure("'\(source.name)' has no events, and the reader accepted it")
        }
        var counts = [Int](repeating: 0, count: vocabulary.count)
        for item in log.items { counts[Int(item)] += 1 }
        file = source.name
        self.notes = notes
        (users, items, self.events) = (dataset.userCount, vocabulary.count, dataset.eventCount)
        self.lengths = lengths
        popularity = PopularityStatistics(counts: counts, ids: catalogue.ids, titles: catalogue.titles)
        repeats = RepeatStatistics(dataset.sequences)
        times = TimeStatistics(log, events: events, scale: scale)
        activity = ActivityStatistics(log, items: vocabulary.count, scale: scale)
        duplicates = DuplicateStatistics(log, events: events, ids: vocabulary.ids, scale: scale)
        (alikeUsers, alikeItems) = (AlikeIDStatistics(dataset.userIDs), AlikeIDStatistics(vocabulary.ids))
        values = log.values ?? EventValues()
        suspects = SuspectStatistics(learnt, events: learntEvents, lengths: learntLengths, scale: scale)
    }

    /// The same for one file.
    public init(events path: String, columns: EventColumns = EventColumns(), items metadata: String? = nil) throws {
        try self.init(events: EventSource(file: path), columns: columns, items: metadata)
    }
}
