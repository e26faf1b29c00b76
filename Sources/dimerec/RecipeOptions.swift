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

    private func paths(dataset: String?) throws -> [String] {
        guard let systems else { return recipe }
        guard let prefix = recipes ?? dataset.map({ "models/\($0)" }) else {
            throw ValidationError("--systems needs --data, or --recipes PREFIX.")
        }
        func path(_ system: String) -> String {
            system == DimeRec.system ? "\(prefix).json" : "\(prefix)-\(system).json"
        }
        guard systems == "all" else {
            return try systems.split(separator: ",").map {
                path(try ModelRegistry.system(named: $0.trimmingCharacters(in: .whitespaces)).system)
            }
        }
        let found = ModelRegistry.systems.map { path($0.system) }.filter(FileManager.default.fileExists(atPath:))
        guard !found.isEmpty else { throw ValidationError("No recipe '\(prefix).json' or '\(prefix)-SYSTEM.json'.") }
        return found
    }
}
