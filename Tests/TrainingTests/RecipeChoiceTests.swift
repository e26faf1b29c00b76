import Foundation
import Kernels
import Recommenders
import Testing
import Training

@Suite("Recipe choice") struct RecipeChoiceTests {
    private func choice(users: Int, length: Int, items: Int) -> RecipeChoice {
        let row = (0..<length).map { Int32($0 % items) }
        return RecipeChoice(
            sequences: RaggedRows([[Int32]](repeating: row, count: users)),
            items: items,
            split: .users
        )
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
        #expect(choice.recipe.data.split == .users && !choice.reasons.isEmpty)
        #expect(try Recipe(json: Data(choice.recipe.json.utf8)) == choice.recipe)
    }

    @Test("short sequences are judged by every prefix, long ones by five cuts") func protocols() {
        #expect(choice(users: 30, length: 4, items: 50).recipe.data.evaluation == .allPrefixes)
        #expect(choice(users: 30, length: 40, items: 50).recipe.data.evaluation == .fiveCuts)
    }

    @Test("few targets get dropout") func dropout() {
        #expect(choice(users: 30, length: 4, items: 50).recipe.training.historyDropout > 0)
        #expect(choice(users: 30_000, length: 10, items: 50).recipe.training.historyDropout == 0)
    }
}
