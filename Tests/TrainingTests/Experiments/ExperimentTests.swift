import Foundation
import Recommenders
import Testing
import Training

@Suite("Experiment grids") struct ExperimentTests {
    private static let base: [(name: String, recipe: Recipe)] = [("base", Recipe())]

    private func variants(_ experiment: Experiment, _ values: [Double]? = nil) throws -> [Experiment.Variant] {
        try experiment.variants(of: Self.base, values: values)
    }

    @Test("no two rows of a grid train the same recipe, and every recipe is valid", arguments: Experiment.allCases)
    func distinct(experiment: Experiment) throws {
        var second = Recipe()
        second.model.dimension *= 2
        // A blend needs two recipes.
        let recipes = Self.base + (experiment == .blend ? [("second", second)] : [])
        let variants = try experiment.variants(of: recipes)
        #expect(Set(variants.map(\.recipe.json)).count == variants.count)
        #expect(Set(variants.map(\.name)).count == variants.count)
        for variant in variants { try variant.recipe.validate(prefix: "") }
    }

    @Test("an ablation removes one part of the loss, or the sphere")
    func ablation() throws {
        let variants = try variants(.ablation)
        #expect(variants.map(\.recipe.model.loss.guidance) == [1, 0, 1, 1, 1])
        #expect(variants.map(\.recipe.model.loss.lambda) == [0.1, 0.1, 0, 0.1, 0.1])
        #expect(variants.map(\.recipe.model.loss.mu) == [1, 1, 1, 0, 1])
        let free = variants[4].recipe.model
        #expect(variants.map(\.recipe.model.geometry) == [.sphere, .sphere, .sphere, .sphere, .euclidean])
        #expect(!free.guidance.normaliseRows && !free.denoiser.normaliseOutput && free.loss.logitScale == 1)
        #expect(variants[0].recipe == Recipe() && variants.allSatisfy { $0.recipe.training == Recipe().training })
    }

    @Test("the probed ablations are V1 to V4 of the method")
    func probed() throws {
        let variants = try variants(.probing)
        #expect(variants.map(\.recipe.model.loss.guidance) == [1, 0, 0, 0, 0])
        #expect(variants.map(\.recipe.model.loss.lambda) == [0.1, 0.1, 0, 0, 0.1])
        #expect(variants.map(\.recipe.model.loss.mu) == [1, 1, 1, 1, 0])
        #expect(variants.map { $0.recipe.model.geometry == .euclidean } == [false, false, false, true, false])
    }

    @Test("sweeps change their one field")
    func sweeps() throws {
        #expect(try variants(.lambda).map(\.recipe.model.loss.lambda) == [0.01, 0.1, 1, 10])
        #expect(try variants(.mu, [2, 3]).map(\.recipe.model.loss.mu) == [2, 3])
        #expect(try variants(.maxStep).map(\.recipe.model.steps) == [5, 10, 20, 50, 100])
        let modules = try variants(.gem).map(\.recipe.model.guidance.kind)
        #expect(modules == GuidanceConfiguration.Kind.allCases)
        #expect(
            Experiment.steps.measurement(of: Recipe()) == .serving(steps: [1, 2, 5, 10, 20], samples: [1, 2, 4, 8])
        )
    }

    @Test("invalid sweeps are rejected")
    func refusals() {
        let two = Self.base + Self.base
        #expect(throws: ExperimentError.recipeCount(.gem, found: 2)) { try Experiment.gem.variants(of: two) }
        #expect(throws: ExperimentError.recipeCount(.overall, found: 0)) { try Experiment.overall.variants(of: []) }
        #expect(throws: ExperimentError.nothingSwept(.ablation)) { try variants(.ablation, [1]) }
        #expect(throws: ConfigurationError.self) { try variants(.lambda, [-1]) }
        #expect(throws: ExperimentError.self) { try variants(.maxStep, [2.5]) }
        #expect(throws: ExperimentError.self) { try variants(.steps, [21]) }
        #expect(throws: ExperimentError.recipeCount(.blend, found: 1)) { try variants(.blend) }
        #expect(throws: ExperimentError.equalNames("base")) { try Experiment.blend.variants(of: two) }
        let named = [("a", Recipe()), ("b", Recipe())]
        for length in [49, 60.5, 10_001] {
            #expect(throws: ExperimentError.badValue(.blend, length, allowed: "a whole number within 50...10000")) {
                try Experiment.blend.variants(of: named, values: [length])
            }
        }
    }
}
