/// Why training cannot start or continue.
public enum TrainingError: Error, Equatable, CustomStringConvertible {
    /// A loss term or a parameter is no longer a finite number.
    case diverged(step: Int, term: String, bestStep: Int)
    /// No training sequence has two items.
    case nothingToLearn
    /// No validation sequence gives a row.
    case nothingToValidate
    /// The stored state belongs to another run.
    case stateMismatch(String)
    /// The stored state is damaged or inconsistent.
    case unusableState(String)
    /// A step of the training reads all rows of the item table, which are to be divided over ranks.
    case indivisibleTable(String)

    /// The problem and the next step.
    public var description: String {
        switch self {
        case .diverged(let step, let term, let bestStep):
            "Training diverged at step \(step): \(term) is not finite. "
                + (bestStep > 0
                    ? "The weights of step \(bestStep) are kept; publish them with --resume --max-steps \(bestStep), or lower "
                    : "No weights were validated before; lower ") + "training.learningRate and start again."
        case .nothingToLearn:
            "No training user has two or more interactions, so there is no next item to learn. Check the "
                + "column of users."
        case .nothingToValidate:
            "The validation part gives no rows; use another split or data.evaluation 'all-prefixes'."
        case .stateMismatch(let what):
            "The interrupted run cannot be resumed: \(what) differs. Give the options of that run, or train without --resume "
                + "to start again."
        case .unusableState(let reason):
            "The stored training state cannot be used: \(reason). Train without --resume to start again."
        case .indivisibleTable(let reason):
            "The item table cannot be divided over ranks: \(reason). Otherwise train without --divide-items."
        }
    }
}
