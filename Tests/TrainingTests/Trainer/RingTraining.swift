import Kernels
import Recommenders
import Testing
import Training

/// A short training on users who walk along a ring of items: the next item is one of the three following ones.
enum RingTraining {
    static let items = 60

    static var recipe: Recipe {
        var recipe = Recipe()
        recipe.model.dimension = 16
        recipe.model.historyLength = 6
        recipe.model.interests = 2
        recipe.model.steps = 5
        recipe.model.guidance.hidden = 24
        recipe.model.denoiser.hidden = 24
        recipe.model.denoiser.residual = .meanInterest
        recipe.training.batchSize = 160  // two shards, the second a short one
        recipe.training.negatives.count = 48
        recipe.training.learningRate = 0.01
        recipe.training.schedule = .constant
        recipe.training.maxSteps = 24
        recipe.training.validateEvery = 8
        return recipe
    }

    static var split: DataSplit {
        let sequences = sequences(users: 120, items: items)
        func part(_ range: Range<Int>) -> DataPart {
            DataPart(userIDs: range.map(String.init), sequences: RaggedRows(range.map { sequences[$0] }))
        }
        return DataSplit(train: part(0..<90), validation: part(90..<120), test: DataPart(nil))
    }

    static func trainer(_ recipe: Recipe, seed: UInt64 = 3) throws -> Trainer<DimeRec> {
        try Trainer(
            model: DimeRec(recipe.model, items: items, seed: seed),
            recipe: recipe,
            split: split,
            items: items,
            seed: seed
        )
    }

    /// A run whose validations stop getting better while its learning rate is constant.
    static var plateau: Recipe {
        var recipe = recipe
        recipe.training.schedule = .trapezoidal
        recipe.training.maxSteps = 100_000
        recipe.training.validateEvery = 40
        recipe.training.patience = 2
        return recipe
    }

    private static func sequences(users: Int, items: Int) -> RaggedRows {
        var numbers = SequentialGenerator(CounterBasedGenerator(seed: 11, purpose: .simulation))
        return RaggedRows(
            (0..<users).map { _ in
                var place = Int.random(in: 0..<items, using: &numbers)
                return (0..<14).map { _ in
                    place = (place + Int.random(in: 1...3, using: &numbers)) % items
                    return Int32(place)
                }
            }
        )
    }
}

extension TrainingProgress.Interval {
    /// The same interval at time 0, because times differ between runs.
    var withoutTime: Self {
        var copy = self
        copy.seconds = 0
        return copy
    }
}
