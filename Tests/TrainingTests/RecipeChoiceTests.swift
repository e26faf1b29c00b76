import Foundation
import Kernels
import Recommenders
import Testing
import Training

@Suite("Recipe choice") struct RecipeChoiceTests {
    private func choice(users: Int, length: Int, items: Int) -> RecipeChoice {
        let row = (0..<length).map { Int32($0 % items) }
        return RecipeChoice(sequences: RaggedRows([[Int32]](repeating: row, count: users)), items: items)
    }

    @Test(
        "every choice is a valid recipe of its own size",
        arguments: [1, 2, 5, 40, 2_000],
        [2, 100, 5_000, 3_000_000]
    )
    func isValid(length: Int, items: Int) throws {
        let choice = choice(users: 30, length: length, items: items)
        try choice.recipe.validate(prefix: "")
        #expect(20...50 ~= choice.recipe.model.historyLength)
        #expect(!choice.reasons.isEmpty)
        #expect(try Recipe(json: Data(choice.recipe.json.utf8)) == choice.recipe)
    }

    @Test("short sequences are judged by every prefix, long ones by five cuts") func protocols() {
        #expect(choice(users: 30, length: 4, items: 50).recipe.data.evaluation == .allPrefixes)
        #expect(choice(users: 30, length: 40, items: 50).recipe.data.evaluation == .fiveCuts)
    }

    @Test("long sequences of few validated users are judged by every prefix, because five cuts give too few rows")
    func fewValidatedUsers() {
        func choice(validated users: Int, length: Int) -> RecipeChoice {
            let row = (0..<Int32(40)).map { $0 }
            let validation = RaggedRows([[Int32]](repeating: [Int32](repeating: 1, count: length), count: users))
            return RecipeChoice(
                sequences: RaggedRows([[Int32]](repeating: row, count: 8 * users)),
                items: 50,
                validation: validation
            )
        }
        let few = choice(validated: 3, length: 1500)
        #expect(few.recipe.data.evaluation == .allPrefixes && few.reasons.contains { $0.contains("few users") })
        #expect(choice(validated: 19, length: 40).recipe.data.evaluation == .allPrefixes)
        #expect(choice(validated: 20, length: 40).recipe.data.evaluation == .fiveCuts)
        #expect(choice(validated: 3, length: 100_000).recipe.data.evaluation == .fiveCuts)
    }

    @Test("a large catalogue is judged by fewer rows, and the choice says so") func validationRows() {
        for (items, rows) in [(50, 5000), (80_000, 5000), (100_000, 4000), (400_000, 1000), (5_000_000, 1000)] {
            let choice = choice(users: 30, length: 40, items: items)
            #expect(choice.recipe.data.validationRows == rows)
            #expect(choice.reasons.contains { $0.contains("\(rows) rows at most") } == (rows < 5000))
        }
    }

    @Test("where only last items are judged, the recipe says so") func lastItems() {
        let choice = RecipeChoice(
            sequences: RaggedRows([[Int32]](repeating: [1, 2, 3], count: 9)),
            items: 9,
            validated: .last
        )
        #expect(choice.recipe.data.evaluation == .lastItem && choice.reasons.contains { $0.contains("last-item") })
    }

    @Test("nine sequences in ten decide how long histories are, half of them which guidance reads them") func lengths()
    {
        func recipe(_ lengths: [Int]) -> Recipe {
            let rows = lengths.map { (0..<$0).map { Int32($0 % 40) } }
            return RecipeChoice(sequences: RaggedRows(rows), items: 40).recipe
        }
        let sessions = recipe([Int](repeating: 3, count: 9) + [400])
        #expect(sessions.model.historyLength == 20 && sessions.model.guidance.kind == .selfAttentive)
        #expect(recipe([Int](repeating: 3, count: 8) + [22, 400]).model.historyLength == 44)
        let histories = recipe([3, 3, 3] + [Int](repeating: 90, count: 7))
        #expect(histories.model.historyLength == 50 && histories.model.guidance.kind == .transformer)
        #expect(recipe([1, 1, 0, 2]).model.historyLength == 20)
        #expect(recipe([]).model.historyLength == 20)
    }

    @Test(
        "the recipes for sessions and for histories are choices for large logs",
        arguments: [("sessions", 5), ("histories", 90)]
    )
    func generic(name: String, length: Int) throws {
        let models = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../models/\(name).json")
        let choice = choice(users: RecipeChoice.fewTargets / (length - 1) + 1, length: length, items: 50)
        #expect(try Recipe(contentsOf: models.standardizedFileURL.path) == choice.recipe)
    }

    @Test("a catalogue hardly larger than the pool is used whole, a large one has a larger pool") func negatives() {
        func hasReason(_ items: Int, _ text: String) -> Bool {
            choice(users: 3, length: 4, items: items).reasons.contains { $0.contains(text) }
        }
        #expect(hasReason(1536, "every item is a negative"))
        #expect(hasReason(1537, "1024 negatives a step"))
        #expect(hasReason(32_000, "2000 negatives a step"))
        #expect(hasReason(1_000_000, "4096 negatives a step"))
    }

    @Test("a budget that is short for the log gets smaller vectors, and the choice says from when on not") func short()
    {
        func choice(length: Int, seconds: Double?) -> RecipeChoice {
            let row = (0..<Int32(length)).map { $0 }
            let rows = RaggedRows([[Int32]](repeating: row, count: 3000 / (length - 1)))
            return RecipeChoice(sequences: rows, items: 50, seconds: seconds)
        }
        for length in [4, 31] {
            let short = choice(length: length, seconds: 0.19)
            let sized = short.recipe.model
            #expect(sized.dimension == 64 && sized.denoiser.conditionHidden == (length == 4 ? 128 : 0))
            #expect(short.reasons.contains { $0.contains("of 1 s or more gets 128") })
            for seconds in [0.21, nil] {
                let wide = choice(length: length, seconds: seconds)
                #expect(wide.recipe.model.dimension == 128 && !wide.reasons.contains { $0.contains(" s ") })
            }
        }
    }

    @Test("few targets get dropout") func dropout() {
        #expect(choice(users: 30, length: 4, items: 50).recipe.training.historyDropout > 0)
        #expect(choice(users: 30_000, length: 10, items: 50).recipe.training.historyDropout == 0)
    }
}
