/// The documentation's page of all commands, from the argument parser's own description of them.
struct CommandReference {
    private let program: CommandDescription

    init() throws { program = try .program() }

    /// The page.
    var markdown: String {
        let commands = program.commands.flatMap { sections(of: $0, named: "dimerec \($0.commandName)", level: 2) }
        return ([Self.introduction] + groups + commands).joined(separator: "\n\n")
    }

    /// Everything about one command and the commands below it.
    private func sections(of command: CommandDescription, named name: String, level: Int) -> [String] {
        var sections = [String(repeating: "#", count: level) + " " + name]
        sections += [command.abstract, command.discussion, Self.links[name]].compactMap { $0 }
        let shared = Self.titles(of: command).map { "*\($0)*" }
        if !shared.isEmpty { sections.append("Takes the options of \(shared.joined(separator: " and ")), above.") }
        let own = command.ownArguments.filter { $0.sectionTitle == nil }
        if !own.isEmpty { sections.append(Self.table(own)) }
        return sections
            + command.commands.flatMap { self.sections(of: $0, named: "\(name) \($0.commandName)", level: level + 1) }
    }

    /// The options that several commands share, each group once.
    private var groups: [String] {
        var titles: [String] = []
        for title in program.commands.flatMap(Self.titles) where !titles.contains(title) { titles.append(title) }
        return titles.flatMap { title in
            let takers = program.commands.filter { Self.titles(of: $0).contains(title) }
            let options = takers.map { $0.ownArguments.filter { $0.sectionTitle == title } }
            precondition(options.allSatisfy { $0 == options[0] }, "commands with other options of '\(title)'")
            let names = takers.map { "`\($0.commandName)`" }.joined(separator: ", ")
            return ["## \(title)", "Options of \(names).", Self.table(options[0])]
        }
    }

    private static func titles(of command: CommandDescription) -> [String] {
        command.ownArguments.compactMap(\.sectionTitle).reduce(into: []) { titles, title in
            if !titles.contains(title) { titles.append(title) }
        }
    }

    private static func table(_ arguments: [CommandDescription.Argument]) -> String {
        let negations = arguments.filter(\.isNegation)
        let rows = arguments.filter { !$0.isNegation }.map { argument in
            let initial = argument.defaultValue.map { "`\($0)`" } ?? (argument.isOptional ? "" : "required")
            let usages = [argument.usage] + negations.filter { $0.negates(argument) }.map(\.usage)
            let cells = [usages.map { "`\($0)`" }.joined(separator: ", "), initial, argument.meaning]
            return "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
        }
        return (["| option | default | meaning |", "| --- | --- | --- |"] + rows).joined(separator: "\n")
    }

    /// Where the guides say more about a command.
    private static let links = [
        "dimerec import": "<doc:ImportPublicData> explains the steps.",
        "dimerec train": "<doc:TrainOnYourOwnLog> is the guide.",
        "dimerec evaluate": "<doc:EvaluateHonestly> explains splits, rows and metrics.",
        "dimerec serve": "Every setting is in <doc:Configuration>.",
        "dimerec load": "<doc:LoadTestABudget> is the guide.",
        "dimerec experiment": "<doc:EvaluateHonestly> explains each experiment.",
        "dimerec tune": "<doc:ChooseASystem> is the guide, <doc:Recipes> has the format of the spaces.",
    ]

    private static let introduction = """
        # Command line

        Every command of `dimerec` with its options.

        ## Overview

        `--json` makes a command print exactly one JSON object on standard output. Progress and logs go to standard error.
        `dimerec COMMAND --help` prints the same options as below, and `--version` without a value prints the version of the
        program. This page is what `dimerec reference command-line` prints.

        | exit code | meaning |
        | --- | --- |
        | 0 | done |
        | 1 | the work failed, or a budget of `load` was exceeded |
        | 3 | bad data, or a store or version that cannot be read |
        | 4, 5, 6 | `retrain`: the active version stays; too few new events; another round is running |
        | 64 | wrong usage, a bad recipe or a bad setting |
        | 130 | interrupted |
        | 143 | `serve` was ended by a second SIGTERM |

        `DIMEREC_BLAS_CORE` chooses OpenBLAS' kernels for every command. OpenBLAS takes CPUs that are newer than itself for old
        ones; the program then restarts itself once with kernels that suit the features of the CPU.
        """
}
