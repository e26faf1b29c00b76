import ArgumentParser
import Foundation
import Recommenders
import Training

/// Which recipes a command runs: files, or the systems that have one for a data set.
struct RecipeOptions: ParsableArguments {
    @Option(help: "Recipe, JSON; may be repeated where several are compared.", completion: .file()) var recipe:
        [String] =
            []
    @Option(
        help: "In place of --recipe: all, or names with commas; their recipes are PREFIX.json and PREFIX-NAME.json."
    )
    var systems: String?
    @Option(help: "That PREFIX; models/ and the name of the --data folder by default.") var recipes: String?

    func validate() throws {
        guard recipe.isEmpty != (systems == nil) else {
            throw ValidationError("Give --recipe, or --systems with --data or --recipes; see models/.")
        }
    }

    /// The recipes by the names of their files, DimeRec's first.
    ///
    /// - Parameter dataset: The name of the data set, where its folder was given.
    /// - Returns: Names and recipes.
    /// - Throws: `ValidationError`, `RecipeError` or `ConfigurationError`.
    func load(dataset: String?) throws -> [(name: String, recipe: Recipe)] {
        try paths(dataset: dataset).map { path in
            (URL(filePath: path).deletingPathExtension().lastPathComponent, try Recipe(contentsOf: path))
        }
    }

    /// Recipes with a name of their own beside that of their system: DiffRec with weights that grow with time.
    private static let variants = ["t-diffrec"]

    private func paths(dataset: String?) throws -> [String] {
        guard let systems else { return recipe }
        guard let prefix = recipes ?? dataset.map({ "models/\($0)" }) else {
            throw ValidationError("--systems needs --data, or --recipes PREFIX.")
        }
        func path(_ system: String) -> String {
            system == DimeRec.system ? "\(prefix).json" : "\(prefix)-\(system).json"
        }
        guard systems == "all" else {
            return try systems.split(separator: ",").map { name in
                let name = name.trimmingCharacters(in: .whitespaces)
                return path(Self.variants.contains(name) ? name : try ModelRegistry.system(named: name).system)
            }
        }
        let names = ModelRegistry.systems.map { $0.system } + Self.variants
        let found = names.map(path).filter(FileManager.default.fileExists(atPath:))
        guard !found.isEmpty else { throw ValidationError("No recipe '\(prefix).json' or '\(prefix)-SYSTEM.json'.") }
        return found
    }
}
