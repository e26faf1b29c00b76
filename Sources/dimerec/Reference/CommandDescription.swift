import ArgumentParser
import Foundation

/// A command as the argument parser describes it; the part of its format that the documentation needs.
struct CommandDescription: Decodable {
    let commandName: String
    let abstract: String?
    let discussion: String?
    private let subcommands: [CommandDescription]?
    private let arguments: [Argument]?

    /// An option, a flag or a value of a command.
    struct Argument: Decodable, Equatable {
        struct Name: Decodable, Equatable {
            let kind: String
            let name: String
        }

        let kind: String
        let sectionTitle: String?
        let isOptional: Bool
        let names: [Name]?
        let valueName: String?
        let defaultValue: String?
        let allValues: [String]?
        let abstract: String?
    }

    /// The whole program.
    static func program() throws -> CommandDescription {
        struct Tool: Decodable { let command: CommandDescription }
        return try JSONDecoder().decode(Tool.self, from: Data(Dimerec._dumpHelp().utf8)).command
    }

    /// The commands below this one, except the parser's own.
    var commands: [CommandDescription] { (subcommands ?? []).filter { $0.commandName != "help" } }

    /// The arguments, except those that the parser adds to every command.
    var ownArguments: [Argument] {
        (arguments ?? []).filter { argument in
            argument.kind != "flag" || !["help", "version"].contains(argument.names?.last?.name)
        }
    }
}

extension CommandDescription.Argument {
    /// The argument as it is typed, such as `--store <store>`.
    var usage: String {
        let value = valueName.map { "<\($0)>" } ?? ""
        guard kind != "positional" else { return isOptional ? "[\(value)]" : value }
        let names = (names ?? []).map { ($0.kind == "long" ? "--" : "-") + $0.name }.joined(separator: ", ")
        return kind == "flag" ? names : "\(names) \(value)"
    }

    /// Whether it is a flag such as `--no-activate`.
    var isNegation: Bool { kind == "flag" && names?.first?.name.hasPrefix("no-") == true }

    /// Whether it is the opposite of another flag.
    func negates(_ other: Self) -> Bool { names?.first?.name == other.names?.first.map { "no-\($0.name)" } }

    /// Its help text; the allowed values follow, unless the text names them.
    var meaning: String {
        let sentence = abstract ?? ""
        guard let allValues, !allValues.allSatisfy(sentence.contains) else { return sentence }
        return "\(sentence) One of \(allValues.map { "`\($0)`" }.joined(separator: ", "))."
    }
}
