import Foundation
package import Recommenders

/// One field of a recipe, as its type, its default and its validation describe it.
package struct RecipeField: Equatable {
    /// The dotted path in the recipe, such as `model.guidance.hidden`.
    package let path: String
    /// "flag", "whole", "whole or null", "number", "name" or "text".
    package let type: String
    /// The default as it is in a recipe file.
    package let initial: String
    /// The values that the validation accepts: bounds or names; empty for a flag.
    package let range: String

    /// All fields of a system's recipe, in the order of their declaration, except the name of the system.
    package static func all(of system: any Recommender.Type) -> [RecipeField] {
        let recipe = Recipe(system)
        let sections: [(String, Any)] = [
            ("model", recipe.configuration), ("training", recipe.training), ("data", recipe.data),
            ("counts", recipe.counts), ("index", recipe.index), ("continuation", recipe.continuation),
            ("tuning", recipe.tuning),
        ]
        return sections.flatMap { name, section in
            leaves(of: section, at: name).map { RecipeField(path: $0.path, value: $0.value, in: recipe) }
        }
    }

    private static func leaves(of section: Any, at path: String) -> [(path: String, value: Any)] {
        Mirror(reflecting: section).children.flatMap { child -> [(path: String, value: Any)] in
            let inner = "\(path).\(child.label ?? "?")"
            return child.value is any ConfigurationSection
                ? leaves(of: child.value, at: inner) : [(inner, child.value)]
        }
    }

    private init(path: String, value: Any, in recipe: Recipe) {
        self.path = path
        switch value {
        case let value as Bool: (type, initial, range) = ("flag", "\(value)", "")
        case let value as UInt64: (type, initial, range) = ("whole", "\(value)", "0 and more")
        case let value as Int: (type, initial, range) = ("whole", "\(value)", Self.bounds(of: path, in: recipe))
        case let value as Double:
            (type, initial, range) = ("number", Self.text(value), Self.bounds(of: path, in: recipe))
        case let value as any NameOfChoice:
            (type, initial, range) = ("name", "`\(Self.name(value))`", Self.names(like: value))
        case let value as any RecipeText: (type, initial, range) = ("text", "`\"\(value)\"`", "")
        case let value as String: (type, initial, range) = ("text", "`\"\(value)\"`", "")
        default: (type, initial, range) = ("whole or null", "null", Self.bounds(of: path, in: recipe))
        }
    }

    private typealias NameOfChoice = CaseIterable & RawRepresentable<String>

    private static func name(_ value: any NameOfChoice) -> String { value.rawValue }

    private static func names<Choice: CaseIterable & RawRepresentable<String>>(like _: Choice) -> String {
        Choice.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", ")
    }

    /// The bounds that the validation names when it refuses a number far below all of them.
    private static func bounds(of path: String, in recipe: Recipe) -> String {
        let nested = path.split(separator: ".").reversed().reduce("-1000000000") { "{\"\($1)\": \($0)}" }
        do {
            _ = try recipe.merged(with: Data(nested.utf8))
            return ""
        } catch ConfigurationError.outOfRange(_, _, let allowed) {
            return readable(allowed)
        } catch {
            // The index validates itself; its message ends with the bounds.
            guard let bounds = "\(error)".firstMatch(of: /[\d.e-]*\d\.\.\.\d[\d.e-]*\d/) else { return "" }
            return readable(String(bounds.0).replacing("...", with: " to "))
        }
    }

    /// Bounds in the shortest form, such as "1e-8 to 1" of "from 1e-08 to 1.0".
    private static func readable(_ allowed: String) -> String {
        let words = allowed.split(separator: " ").filter { $0 != "from" }
            .map { word in Double(word).map(text) ?? String(word) }
        return words.count == 3 && words[0] == words[2] ? "only \(words[0])" : words.joined(separator: " ")
    }

    private static func text(_ value: Double) -> String {
        Int(exactly: value).map { "\($0)" } ?? "\(value)".replacing("e-0", with: "e-")
    }
}
