import ArgumentParser
import Foundation
import Recommenders
import Training

/// The recipes of a command: files, or the names of systems with a recipe for the data set.
struct RecipeOptions: ParsableArguments {
    @Option(help: "Recipe, JSON; repeat it to compare several.", completion: .file()) var recipe: [String] =
        []
    @Option(
        help:
            "Instead of --recipe: all, or names of systems, separated by commas; reads PREFIX.json and PREFIX-NAME.json."
    )
    var systems: String?
    @Option(help: "The PREFIX of --systems; by default models/ and the name of the --data folder.") var recipes: String?

    func validate() throws {
        guard recipe.isEmpty != (systems == nil) else {
            throw ValidationError("Give --recipe, or --systems with --data or --recipes; see models/.")
        }
    }

    /// Loads the recipes by the names of their files, DimeRec's first.
    ///
    /// - Parameter dataset: The name of the data set; nil when no folder was given.
    /// - Returns: Names and recipes.
    /// - Throws: `ValidationError`, `RecipeError` or `ConfigurationError`.
    func load(dataset: String?) throws -> [(name: String, recipe: Recipe)] {
        try paths(dataset: dataset).map { path in
            (URL(filePath: path).deletingPathExtension().lastPathComponent, try Recipe(contentsOf: path))
        }
    }

    /// Names of recipes besides the names of systems: DiffRec with weights that grow with time.
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
        guard !found.isEmpty else {
            throw ValidationError(
                "There is no recipe '\(prefix).json' or '\(prefix)-SYSTEM.json'; name one with --recipe, or the "
                    + "prefix with --recipes."
            )
        }
        return found
    }
}
