import CheckpointStore
import Kernels
import Recommenders

/// How a training without a recipe would use a log: the split, the rows of its parts, and the chosen recipe.
public struct TrainingOutlook: Sendable {
    /// A part of the split.
    public struct Part: Sendable, Equatable, Encodable {
        /// The name.
        public let part: SplitPart
        /// Users with events in the part.
        public let users: Int
        /// Events of the part; with leave-one-out, the history of a held-out item belongs to the training part.
        public let events: Int
        /// Items to predict.
        public let targets: Int

        init(_ part: SplitPart, _ data: DataPart) {
            let lengths = data.sequences.lengths
            self.part = part
            users = lengths.count { $0 > 0 }
            switch data.targets {
            case .any:
                events = data.sequences.ids.count
                targets = lengths.reduce(0) { $0 + max(0, $1 - 1) }
            case .last:
                events = users
                targets = users
            }
        }
    }

    /// The name of the split.
    public let split: String
    /// Why it is this split.
    public let splitReason: String
    /// The training, validation and test part.
    public let parts: [Part]
    /// Training targets with more items before them than the chosen history length, so old items are not seen.
    public let cutHistories: Int
    /// Ranked validation rows whose target is older than the newest training event: the model has seen later events.
    ///
    /// Nil unless the times are a clock's.
    public let olderTargets: Int?
    /// The recipe, with the split of the log.
    public let recipe: Recipe
    /// Why it is this recipe, a line each.
    public let reasons: [String]
    /// The systems that a model must beat.
    public let baselines: BaselineComparison

    /// Splits, chooses and measures as a training without a recipe would.
    ///
    /// - Parameters:
    ///   - data: The split log.
    ///   - log: All events of the log.
    ///   - events: The log's events by user, oldest first.
    ///   - scale: The unit of the times.
    /// - Complexity: Seconds; ``BaselineComparison`` leaves out systems that take longer.
    init(_ data: TrainingData, log: EventLog, events: RaggedRows, scale: TimeScale) {
        split = data.fingerprint.split
        splitReason = data.splitReason
        parts = SplitPart.allCases.map { Part($0, data.split[$0]) }
        let choice = RecipeChoice(for: data)
        var recipe = choice.recipe
        if let split = data.splitKind { recipe.data.split = split }
        (self.recipe, reasons) = (recipe, choice.reasons)
        let historyLength = recipe.configuration.historyLength
        cutHistories = data.split.train.sequences.lengths.reduce(0) { $0 + max(0, $1 - 1 - historyLength) }
        let rows = EvaluationRows(validating: recipe, data.split)
        let ranked = EvaluationRows(rows, limit: BaselineComparison.rowLimit)
        baselines = BaselineComparison(
            train: data.split.train.sequences,
            rows: ranked,
            of: rows.count,
            items: data.catalogue.count,
            protocol: recipe.data.evaluation.suited(to: data.split.validation.targets)
        )
        olderTargets = scale.isClock ? Self.olderTargets(ranked, data.split, log, events) : nil
    }

    private static func olderTargets(
        _ rows: EvaluationRows,
        _ split: DataSplit,
        _ log: EventLog,
        _ events: RaggedRows
    ) -> Int {
        // A sequence of a part is the start of its user's events, so places in both agree.
        func time(_ user: String, _ place: Int) -> Timestamp? {
            log.number(ofUser: user).map { log.times[events.ids[events.offsets[Int($0)] + place]] }
        }
        let train = zip(split.train.userIDs, split.train.sequences.lengths).filter { $0.1 > 0 }
        guard let newest = train.compactMap({ time($0, $1 - 1) }).max() else { return 0 }
        return (0..<rows.count).count { row in
            time(split.validation.userIDs[rows.user(of: row)], rows.cut(of: row)).map { $0 < newest } ?? false
        }
    }
}
