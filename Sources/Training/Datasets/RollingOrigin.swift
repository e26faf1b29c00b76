import CheckpointStore
import Kernels

/// A log divided by time several times, so that each fold learns from the past alone.
///
/// The newer half of the events is divided into as many windows of equal size as there are folds. A fold is tested on
/// the events of its window. It validates on the tenth of all events before the window, and learns from everything
/// older. So the origin rolls forward from fold to fold. Histories hold all events before a target. Items that first
/// occur in the window are unknown to the fold, so they count as misses.
public struct RollingOrigin: Sendable {
    /// One fold.
    public struct Fold: Sendable {
        /// The parts, with the catalogue of the items before the window.
        public let data: TrainingData
        /// The times from which on events are for validation and for testing.
        public let (validationStart, testStart): (Timestamp, Timestamp)
        /// The same times for people.
        public let (validationStartText, testStartText): (String, String)
    }

    /// The folds, the oldest first.
    public let folds: [Fold]
    /// Notes for the user about the log.
    public let notes: [String]

    /// Reads a log and divides it.
    ///
    /// - Parameters:
    ///   - source: The log.
    ///   - columns: Explicit column names; nil ones are recognised from the header.
    ///   - targets: Which events are targets, and their weights.
    ///   - count: How many folds.
    ///   - metadata: The items file, or nil.
    /// - Throws: ``CSVError``; ``SmallDataError`` for times that do not compare between users, and for a fold without
    ///   rows.
    /// - Complexity: O(n log n + n k) in events and folds. Memory: 16 bytes an event, and 8 for each fold.
    /// - Precondition: There is at least one fold.
    public init(
        events source: EventSource,
        columns: EventColumns = EventColumns(),
        targets: TargetConfiguration = TargetConfiguration(),
        folds count: Int,
        items metadata: String? = nil
    ) throws {
        precondition(count >= 1, "\(count) folds")
        var vocabulary = ItemVocabulary()
        let log = try EventLog.read(source, columns, targets, &vocabulary, .extend)
        let events = log.eventsByUser()
        let dataset = log.dataset(events)
        guard log.hasTimes, dataset.hasClock else { throw SmallDataError.noClock(file: source.name) }
        let scale = TimeScale(dataset.lastTimestamps)
        let times = events.ids.map { log.times[$0] }
        let sorted = times.sorted()
        var (folds, notes) = ([Fold](), dataset.notes)
        for fold in 0..<count {
            let first = sorted.count / 2 + sorted.count / 2 * fold / count
            let next = sorted.count / 2 + sorted.count / 2 * (fold + 1) / count
            let validation = sorted[max(0, first - sorted.count / 10)]
            let (start, end) = (sorted[first], fold + 1 < count ? sorted[next] : nil)
            let division = Division(dataset: dataset, times: times, test: start)
            let split = DataSplit(
                train: division.part(from: nil, to: validation),
                validation: division.part(from: validation, to: start),
                test: division.part(from: start, to: end)
            )
            guard split.hasRows, split.test.hasRows else {
                throw SmallDataError.tooFewForFolds(file: source.name, fold: fold + 1, folds: count)
            }
            let known = ItemVocabulary(ids: division.items.map { vocabulary.ids[Int($0)] })
            var foldNotes: [String] = []
            let data = TrainingData(
                split: split,
                catalogue: try TrainingData.catalogue(known, metadata, columns, &foldNotes),
                fingerprint: DataFingerprint(
                    split: "time, fold \(fold + 1) of \(count)",
                    splitSeed: 0,
                    digests: ["events": dataset.digest]
                ),
                notes: []
            )
            if fold == 0 { notes += foldNotes }
            folds.append(
                Fold(
                    data: data,
                    validationStart: validation,
                    testStart: start,
                    validationStartText: scale.text(validation),
                    testStartText: scale.text(start)
                )
            )
        }
        (self.folds, self.notes) = (folds, notes)
    }

    /// The sequences of a log as one fold sees them.
    private struct Division {
        private let dataset: InteractionDataset
        /// The time of each event, in the order of the sequences.
        private let times: [Timestamp]
        /// The known items by their number in this fold, and the number of each item of the log, or unknown.
        let items: [Int32]
        private let numbers: [Int32]

        /// Knows the items that occur before `test`.
        init(dataset: InteractionDataset, times: [Timestamp], test: Timestamp) {
            (self.dataset, self.times) = (dataset, times)
            var items: [Int32] = []
            var numbers = [Int32](
                repeating: InteractionDataset.unknownItem,
                count: Int(dataset.sequences.ids.max() ?? -1) + 1
            )
            for (event, item) in dataset.sequences.ids.enumerated() {
                guard times[event] < test, numbers[Int(item)] < 0 else { continue }
                numbers[Int(item)] = Int32(items.count)
                items.append(item)
            }
            (self.items, self.numbers) = (items, numbers)
        }

        /// The users with a target in a window; their events before its end, of which those in it are targets.
        ///
        /// Without a start every event is a target, as for training; without an end the window has none.
        func part(from start: Timestamp?, to end: Timestamp?) -> DataPart {
            var (userIDs, sequences, weights): ([String], RaggedRows, [Float]) = ([], RaggedRows(), [])
            let offsets = dataset.sequences.offsets
            for user in dataset.userIDs.indices {
                let own = (offsets[user]..<offsets[user + 1]).prefix { place in end.map { times[place] < $0 } ?? true }
                let isIn = own.last.map { last in start.map { times[last] >= $0 } ?? true } ?? false
                guard isIn else { continue }
                userIDs.append(dataset.userIDs[user])
                sequences.append(own.map { numbers[Int(dataset.sequences.ids[$0])] })
                guard start != nil || !dataset.weights.isEmpty else { continue }
                weights += own.map { place in
                    let isTarget = start.map { times[place] >= $0 } ?? true
                    return isTarget ? dataset.weights.isEmpty ? 1 : dataset.weights[place] : 0
                }
            }
            return DataPart(userIDs: userIDs, sequences: sequences, weights: weights)
        }
    }
}
