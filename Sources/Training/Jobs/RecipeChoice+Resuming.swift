public import CheckpointStore
import Recommenders

extension RecipeChoice {
    /// The recipe of the interrupted run that a resumed one continues, if the program chose it.
    ///
    /// A choice with another time limit could differ, so the stored recipe decides among the possible choices.
    ///
    /// - Parameters:
    ///   - store: Holds the state of the run.
    ///   - model: The name of its model.
    ///   - data: The split log.
    ///   - finished: Completes a choice with the options of the command.
    /// - Throws: `CheckpointError`, and the errors of `finished`.
    /// - Returns: Nil without a stored state, and if the recipe was given by the user.
    public static func begun(
        in store: CheckpointStore,
        model: String,
        for data: TrainingData,
        finished: (Recipe) throws -> Recipe = { $0 }
    ) throws -> Recipe? {
        let stored = try store.readTrainingState(model: model) { $0.header.recipe }
        let choices = try [TrainingBudget(), TrainingBudget(seconds: 1e-6)].map { budget in
            try finished(RecipeChoice(for: data, budget: budget).recipe)
        }
        return choices.first { $0.json == stored }
    }
}
