import Foundation
import Recommenders
import Testing
import Training
import VectorIndex

@Suite("Recipe") struct RecipeTests {
    @Test("every shipped recipe can be read", arguments: ["ml-1m", "yoochoose-1-64", "kuairec-resplit", "quickstart"])
    func shipped(name: String) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        _ = try Recipe(contentsOf: root.appending(path: "models/\(name).json").path)
    }

    @Test("an empty object is the defaults, and JSON round-trips")
    func defaults() throws {
        #expect(try Recipe(json: Data("{}".utf8)) == Recipe())
        var recipe = Recipe()
        recipe.model.noise.kind = .geodesic
        recipe.training.negatives.kind = .perRow
        recipe.index.partitions = 12
        #expect(try Recipe(json: Data(recipe.json.utf8)) == recipe)
    }

    @Test(
        "a bad field is named",
        arguments: [
            (#"{"model": {"interest": 4}}"#, "model.interest"),
            (#"{"trainings": {}}"#, "trainings"),
            (#"{"model": {"noise": {"schedule": {"betafirst": 0.1}}}}"#, "model.noise.schedule.betafirst"),
            (#"{"model": {"interests": 0}}"#, "model.interests"),
            (#"{"training": {"learningRate": -1}}"#, "training.learningRate"),
            (#"{"training": {"learningRate": "fast"}}"#, "training.learningRate"),
            (#"{"training": {"negatives": {"kind": "poool"}}}"#, "training.negatives.kind"),
            (#"{"model": {"noise": {"schedule": {"betaFirst": 0.9, "betaLast": 0.3}}}}"#, "betaLast"),
            (#"{"data": {"split": "user"}}"#, "data.split"),
            (#"{"system": "sasrec"}"#, "system"),
            (#"{"index": {"partitions": 0}}"#, "index"),
            (#"{"model": 3}"#, "model"),
        ]
    )
    func names(json: String, field: String) throws {
        let error = try #require(throws: ConfigurationError.self) { try Recipe(json: Data(json.utf8)) }
        #expect(error.description.contains(field), "\(error)")
    }

    @Test("text that is not JSON is an error of its own")
    func notJSON() {
        #expect(throws: ConfigurationError.self) { try Recipe(json: Data("{model}".utf8)) }
        #expect(throws: RecipeError.unreadable("/no/such/file")) { try Recipe(contentsOf: "/no/such/file") }
    }
}
