import Foundation
import Recommenders
import TestSupport
import Testing
import Training

@Suite("recipe reference") struct RecipeReferenceTests {
    private static let systems = ModelRegistry.systems.map { $0.system }

    /// The encoded recipe's leaves by their dotted paths.
    private func encoded(_ value: Any, at path: String) -> [String: String] {
        guard let fields = value as? [String: Any] else { return [path: "\(value)"] }
        return fields.reduce(into: [:]) { leaves, field in
            leaves.merge(encoded(field.value, at: path.isEmpty ? field.key : "\(path).\(field.key)")) { $1 }
        }
    }

    /// The error of a recipe in which one field has a value, written as JSON.
    private func error(_ recipe: Recipe, _ path: String, _ value: String) -> ConfigurationError? {
        let nested = path.split(separator: ".").reversed().reduce(value) { "{\"\($1)\": \($0)}" }
        do {
            _ = try recipe.merged(with: Data(nested.utf8))
            return nil
        } catch {
            return error as? ConfigurationError
        }
    }

    @Test("the fields are those of an encoded recipe", arguments: systems)
    func fields(system: String) throws {
        let system = try ModelRegistry.system(named: system)
        var leaves = encoded(try JSONSerialization.jsonObject(with: Data(Recipe(system).json.utf8)), at: "")
        #expect(leaves.removeValue(forKey: "system") == system.system)
        let fields = RecipeField.all(of: system)
        #expect(Set(fields.map(\.path)) == Set(leaves.keys))
        for field in fields {
            let leaf = try #require(leaves[field.path])
            let written = Documentation.code(in: field.initial).first ?? field.initial
            switch field.type {
            case "flag": #expect((leaf == "true" || leaf == "1") == (written == "true"), "\(field)")
            case "name": #expect(leaf == written && Documentation.code(in: field.range).contains(leaf), "\(field)")
            case "text": #expect(written == "\"\(leaf)\"", "\(field)")
            case "whole or null": #expect(leaf.contains("null") && written == "null", "\(field)")
            default: #expect(Double(leaf) == Double(written) && !field.range.isEmpty, "\(field)")
            }
        }
    }

    @Test("a number at a bound is accepted, one beyond is refused", arguments: systems)
    func bounds(system: String) throws {
        let recipe = Recipe(try ModelRegistry.system(named: system))
        for field in RecipeField.all(of: try ModelRegistry.system(named: system)) {
            guard let match = field.range.wholeMatch(of: /(\S+) to (\S+)/) else { continue }
            let (low, high) = (try #require(Double(match.1)), try #require(Double(match.2)))
            for bound in [match.1, match.2] {
                // Another field may forbid the bound, such as heads that do not divide a dimension.
                switch error(recipe, field.path, String(bound)) {
                case .outOfRange(field.path, _, let allowed)?:
                    #expect(!allowed.hasPrefix("from"), "\(field.path) refuses \(bound): \(allowed)")
                case .rejected(let reason)?: Issue.record("\(field.path) refuses \(bound): \(reason)")
                default: break
                }
            }
            let beyond =
                field.type == "number"
                ? ["\(low > 0 ? low * 0.999 : -1e-9)", "\(high * 1.001)"] : ["\(Int(low) - 1)", "\(Int(high) + 1)"]
            for value in beyond { #expect(error(recipe, field.path, value) != nil, "\(field.path) takes \(value)") }
        }
    }

    @Test("every field has a meaning, and every meaning has a field")
    func meanings() {
        var unused = Set(RecipeReference.meanings.keys)
        for system in ModelRegistry.systems {
            for field in RecipeField.all(of: system) {
                #expect(RecipeReference.meaning(of: field.path, in: system.system) != nil, "\(system): \(field.path)")
                let own = "\(system.system): \(field.path)"
                unused.remove(RecipeReference.meanings[own] == nil ? field.path : own)
            }
        }
        #expect(unused == [])
    }

    @Test("the documentation's page is what the program prints")
    func page() throws {
        let page = try Documentation.page("Reference/Recipes")
        #expect(page == RecipeReference.markdown + "\n", "run deploy/generate-reference PROGRAM")
    }
}
