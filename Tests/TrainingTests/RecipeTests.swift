import Autodiff
import Foundation
import Kernels
import Recommenders
import Testing
import Training
import VectorIndex

/// The recipes that come with the repository.
private enum Shipped {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "models")

    static var files: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".json") }.sorted()
    }
}

@Suite("Recipe") struct RecipeTests {
    @Test("every file under models/ is a valid recipe", arguments: Shipped.files)
    func shipped(file: String) throws {
        _ = try Recipe(contentsOf: Shipped.folder.appending(path: file).path)
    }

    @Test("every trained system has a space under models/spaces/, and its draws suit each recipe of the system")
    func spaces() throws {
        let recipes = try Shipped.files.map { try Recipe(contentsOf: Shipped.folder.appending(path: $0).path) }
        for system in ModelRegistry.systems {
            let file = Shipped.folder.appending(path: "spaces/\(system.system).json")
            guard let json = FileManager.default.contents(atPath: file.path) else {
                #expect(!(system is any TrainedRecommender.Type), "no space for \(system.system)")
                continue
            }
            let space = try TuningSpace(json: json)
            for recipe in recipes where recipe.system == system.system {
                for trial in 0..<40 { _ = try recipe.setting(space.sample(trial: trial, seed: 1)) }
            }
        }
    }

    @Test(
        "the paper's recipes have the paper's values, and nothing beyond its method",
        arguments: [
            ("yoochoose", 10, 1.0), ("kuairec", 10, 1), ("ml-10m", 70, 10), ("yoochoose-1-64", 10, 1),
            ("kuairec-resplit", 10, 1), ("ml-1m", 70, 10),
        ]
    )
    func paper(data: String, length: Int, mu: Double) throws {
        let recipe = try Recipe(contentsOf: Shipped.folder.appending(path: "\(data)-paper.json").path)
        let (model, training) = (recipe.model, recipe.training)
        #expect((model.dimension, model.historyLength, model.interests, model.steps) == (64, length, 4, 20))
        #expect((model.loss.lambda, model.loss.mu) == (0.1, mu))
        #expect((training.batchSize, training.learningRate) == (256, 0.005))
        #expect((training.negatives.kind, training.negatives.count) == (.perRow, 10))
        #expect((model.guidance.kind, model.guidance.padding) == (.selfAttentive, .right))
        #expect((model.denoiser.residual, model.denoiser.depth, model.denoiser.dropout) == (.none, 1, 0))
        #expect((model.noise.kind, model.noise.reading) == (.geodesic, .calibrated))
    }

    @Test("an empty object gives the defaults, and JSON round-trips")
    func defaults() throws {
        #expect(try Recipe(json: Data("{}".utf8)) == Recipe())
        var recipe = Recipe()
        recipe.model.noise.kind = .geodesic
        recipe.training.negatives.kind = .perRow
        recipe.index.partitions = 12
        #expect(try Recipe(json: Data(recipe.json.utf8)) == recipe)
    }

    @Test(
        "errors name the invalid field",
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
            (#"{"system": "sasrak"}"#, "system"),
            (#"{"index": {"partitions": 0}}"#, "index"),
            (#"{"model": 3}"#, "model"),
            (#"{"model": {"guidance": {"kind": "sasrec", "attentionHeads": 0}}}"#, "model.guidance.attentionHeads"),
            (
                #"{"model": {"dimension": 1024, "denoiser": {"recentItems": 1000, "hidden": 8192}}}"#,
                "'denoiser.recent'"
            ),
            (
                #"{"system": "comirec-dr", "model": {"dimension": 1024, "historyLength": 1000, "interests": 64}}"#,
                "'routing.votes'"
            ),
        ]
    )
    func names(json: String, field: String) throws {
        let error = try #require(throws: ConfigurationError.self) { try Recipe(json: Data(json.utf8)) }
        #expect(error.description.contains(field), "\(error)")
    }

    @Test("a stored model whose item count differs from the catalogue's is rejected")
    func otherItems() throws {
        for recipe in [Recipe(), Recipe(Popularity.self)] {
            let stored =
                recipe.system == DimeRec.system
                ? DimeRec(recipe.model, items: 5, seed: 1).parameters.matrices
                : ["popularity": Matrix(rows: 5, columns: 1)]
            #expect(try recipe.model(stored: stored, items: 5).system.itemSpace.count == 5)
            #expect(throws: ParameterError.itemCount(expected: 300, found: 5)) {
                try recipe.model(stored: stored, items: 300)
            }
        }
    }

    @Test("text that is not JSON has its own error")
    func notJSON() {
        #expect(throws: ConfigurationError.self) { try Recipe(json: Data("{model}".utf8)) }
        #expect(throws: RecipeError.unreadable("/no/such/file")) { try Recipe(contentsOf: "/no/such/file") }
    }

    @Test("a recipe of another system has that system's fields and no others")
    func systems() throws {
        let recipe = try Recipe(json: Data(#"{"system": "gru4rec", "model": {"hidden": 7}}"#.utf8))
        #expect((recipe.configuration as? GRU4Rec.Configuration)?.hidden == 7)
        #expect(try Recipe(json: Data(recipe.json.utf8)) == recipe)
        #expect(recipe != Recipe(GRU4Rec.self) && recipe != Recipe())
        #expect(throws: ConfigurationError.self) {
            try Recipe(json: Data(#"{"system": "gru4rec", "model": {"steps": 7}}"#.utf8))
        }
        for system in ModelRegistry.systems {
            #expect(try Recipe(json: Data(#"{"system": "\#(system.system)"}"#.utf8)) == Recipe(system))
        }
    }
}
