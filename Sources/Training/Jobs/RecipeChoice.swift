import CheckpointStore
public import Kernels
import Recommenders

/// A recipe for data that nobody tuned for, with the reasons of its values.
///
/// The rules come from validation figures on sessions, on long histories and on small logs; a recipe that is tuned for
/// the data may be better.
public struct RecipeChoice: Sendable {
    /// The recipe.
    public let recipe: Recipe
    /// The traits of the data and the values that follow from them, a line each.
    public let reasons: [String]

    /// Chooses by the training part.
    ///
    /// - Parameters:
    ///   - data: The split log.
    ///   - budget: The limits of the training.
    /// - Complexity: O(n log n) in events.
    public init(for data: TrainingData, budget: TrainingBudget = .withoutRecipe) {
        self.init(
            sequences: data.split.train.sequences,
            items: data.catalogue.count,
            validated: data.split.validation.targets,
            validation: data.split.validation.sequences,
            targets: data.split.train.targetCount,
            seconds: budget.seconds
        )
    }

    /// Chooses by sequences, oldest item first, of a catalogue of `items` items.
    ///
    /// - Parameters:
    ///   - sequences: The training part.
    ///   - items: Size of the catalogue.
    ///   - validated: The items of the validation part that are targets.
    ///   - validation: The sequences of the validation part; nil for as many as any protocol needs.
    ///   - targets: How many items are targets; nil for all but the first of each sequence.
    ///   - seconds: The time limit of the training; nil for none.
    public init(
        sequences: RaggedRows,
        items: Int,
        validated: DataPart.Targets = .any,
        validation: RaggedRows? = nil,
        targets: Int? = nil,
        seconds: Double? = nil
    ) {
        let summary = SequenceSummary(sequences)
        let targets = targets ?? summary.targets
        var recipe = Recipe(DimeRec.self)
        var reasons = [
            "\(targets) training \(targets == 1 ? "target" : "targets") in \(summary.sequences) "
                + "\(summary.sequences == 1 ? "sequence" : "sequences") of \(items) items; half have at most "
                + "\(summary.median) items, nine in ten at most \(summary.long)"
        ]
        let historyLength = min(Self.longestHistory, max(Self.shortestHistory, 2 * summary.long))
        recipe.model.dimension = 128
        recipe.model.historyLength = historyLength
        recipe.model.denoiser.hidden = 128
        recipe.model.reverse.steps = 1
        recipe.training.learningRate = 0.005
        recipe.training.patience = 4
        recipe.training.negatives.kind = .automatic
        recipe.training.negatives.count = Self.negatives(items: items)
        recipe.training.negatives.maskUserItems = false
        if summary.isShort {
            Self.suitShortSequences(&recipe)
            reasons.append("histories of \(historyLength) items, read by attention and by the five newest items")
        } else {
            Self.suitLongSequences(&recipe)
            reasons.append("histories of \(historyLength) items, read by a Transformer that learns whole windows")
        }
        let negatives = recipe.training.negatives.resolved(items: items)
        reasons.append(
            negatives.kind == .catalogue
                ? "every item is a negative, because the catalogue is small"
                : "\(negatives.count) negatives a step: frequent items always, others by a sample, corrected for it"
        )
        if let seconds, Double(targets) > Self.wideTargetsPerSecond * seconds {
            recipe.model.dimension = 64
            if recipe.model.denoiser.conditionHidden > 0 { recipe.model.denoiser.conditionHidden = 128 }
            let enough = (Double(targets) / Self.wideTargetsPerSecond).rounded(.up)
            reasons.append(
                "vectors of 64 elements, because they learn more in \(NumberText.short(seconds)) s; a training of "
                    + "\(NumberText.short(enough)) s or more gets 128"
            )
        }
        if targets < Self.fewTargets {
            recipe.model.denoiser.dropout = 0.2
            recipe.training.historyDropout = 0.2
            reasons.append("dropout of 0.2 in the network and in histories, because there are few targets")
        }
        let isHardlyJudged = validation.map(Self.hasFewCuts) ?? false
        let cuts = summary.isShort || isHardlyJudged ? EvaluationProtocol.allPrefixes : .fiveCuts
        recipe.data.evaluation = validated == .last ? .lastItem : cuts
        let usualRows = recipe.data.validationRows
        recipe.data.validationRows = min(usualRows, Self.bearableRows(items: items))
        var judging = "validation by \(recipe.data.evaluation.rawValue)"
        if isHardlyJudged, !summary.isShort, validated != .last { judging += ", because few users are validated" }
        if recipe.data.validationRows < usualRows {
            judging += ", \(recipe.data.validationRows) rows at most, because the catalogue is large"
        }
        reasons.append(judging)
        recipe.counts.enabled = true
        reasons.append(
            "scores from counts of transitions, neighbours and repeats are added if validation gains by them"
        )
        self.recipe = recipe
        self.reasons = reasons
    }

    /// Sessions: the newest items say most, and windows are too short to share a pass.
    private static func suitShortSequences(_ recipe: inout Recipe) {
        recipe.model.guidance.padding = .left
        recipe.model.guidance.hidden = 64
        recipe.model.denoiser.recentItems = 5
        recipe.model.denoiser.conditionHidden = 256
        recipe.model.denoiser.residual = .condition
        recipe.model.loss.mu = 2
        recipe.model.loss.logitScale = 11
        recipe.training.batchSize = 512
    }

    /// Long histories: one pass over a window serves all of its targets, so a Transformer sees several times as many.
    ///
    /// The denoiser starts from the Transformer's answer, and trains on its own samples, which tell nothing about the
    /// target. With noised targets the generated vector stays behind its guidance.
    private static func suitLongSequences(_ recipe: inout Recipe) {
        recipe.model.interests = 1
        recipe.model.guidance.kind = .transformer
        recipe.model.guidance.hidden = 256
        recipe.model.denoiser.residual = .meanInterest
        recipe.model.loss.logitScale = 12
        recipe.model.loss.ownSamples = 1
        recipe.training.batchSize = 2048
    }

    /// Whether five cuts a sequence are too few rows to decide by, and every prefix gives more at a bearable cost.
    private static func hasFewCuts(_ validation: RaggedRows) -> Bool {
        let targets = SequenceSummary(validation).targets
        let cuts = validation.lengths.reduce(0) { $0 + EvaluationProtocol.fiveCuts.cuts(count: $1).count }
        return cuts < fewestRows && targets <= mostPrefixes
    }

    /// A pool that learns more in a time than a larger one, because a step costs less.
    private static func negatives(items: Int) -> Int { min(4096, max(1024, items / 16)) }

    /// Rows whose ranking leaves most of the time to the training: each costs as many products as there are items.
    private static func bearableRows(items: Int) -> Int { max(1000, 400_000_000 / max(1, items)) }

    /// The most training targets for each second of the budget with which vectors of 128 elements learn as much as 64.
    ///
    /// One core passes over the log about three times with so many. The value does not follow the machine's speed, so that
    /// the choice depends on the log and the budget alone.
    static let wideTargetsPerSecond = 15_000.0
    /// The shortest history that is chosen: rare long histories need room too.
    static let shortestHistory = 20
    /// The longest history that is chosen.
    static let longestHistory = 50
    /// The median length up to which sequences are taken as sessions.
    static let shortSequence = 12
    /// The number of validation rows below which chance decides between five cuts of each sequence.
    static let fewestRows = 100
    /// The most rows of validation by every prefix of long sequences.
    static let mostPrefixes = 20_000
    /// The number of targets below which a model of this size learns them by heart.
    package static let fewTargets = 200_000
}

/// Lengths of sequences.
struct SequenceSummary {
    /// How many sequences have a target.
    let sequences: Int
    /// How many targets they have.
    let targets: Int
    /// The median number of items.
    let median: Int
    /// The number of items that nine sequences in ten do not exceed.
    let long: Int

    init(_ rows: RaggedRows) {
        let lengths = rows.lengths.filter { $0 > 1 }.sorted()
        sequences = lengths.count
        targets = lengths.reduce(0, +) - lengths.count
        median = lengths.isEmpty ? 0 : lengths[(lengths.count - 1) / 2]
        long = lengths.isEmpty ? 0 : lengths[(lengths.count * 9 - 1) / 10]
    }

    /// Whether such sequences are sessions, whose every prefix is judged.
    var isShort: Bool { median <= RecipeChoice.shortSequence }
}
