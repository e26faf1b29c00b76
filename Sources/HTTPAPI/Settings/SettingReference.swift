import Foundation

/// What the settings are, for people and programs, from the same table that reads them.
package enum SettingReference {
    /// A page of the documentation.
    package static var markdown: String {
        let first = """
            # Configuration

            Every setting of `dimerec serve`. This page is what `dimerec reference settings` prints.

            ## Overview

            The command line counts before the environment, and that before the settings file that `--config` names.
            HTTP_PORT, say, is `--port 8080` or `--set HTTP_PORT=8080` on the command line, the variable
            `DIMEREC_HTTP_PORT=8080` (an empty variable counts as not set), and `{"httpPort": 8080}` in the file, which is
            JSON. A value that its setting cannot have, an unknown name on the command line or in the file, and a file that
            cannot be read end the program with exit code 64 and a message that names the setting, the value and what it must
            be; an unknown variable is warned about in the log. `DIMEREC_BLAS_CORE` is no setting of the service: it chooses
            OpenBLAS' kernels for every command.
            """
        let sections = Setting.sections.map { section in
            let rows = section.settings.map { setting in
                let cells = [
                    "`\(setting.name)`" + (setting.flag.map { ", `\($0)`" } ?? ""),
                    setting.key.map { "`\($0)`" } ?? "",
                    setting.allowed,
                    setting.defaultText.isEmpty ? "" : "`\(setting.defaultText)`",
                    setting.summary,
                ]
                return "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
            }
            let head = [
                "| setting | in the file | values | default | what it does |", "| --- | --- | --- | --- | --- |",
            ]
            return (["## \(section.title)", ""] + head + rows).joined(separator: "\n")
        }
        return ([first] + sections).joined(separator: "\n\n")
    }

    /// An object of all settings, sorted keys on one line.
    package static func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let rows = Setting.sections.flatMap { section in section.settings.map { Row($0, section: section.title) } }
        return String(decoding: try encoder.encode(["settings": rows]), as: UTF8.self)
    }

    /// A list for a terminal.
    package static var text: String {
        Setting.sections.map { section in
            let entries = section.settings.map { setting in
                let flag = setting.flag.map { " (\($0))" } ?? ""
                let initial = setting.defaultText.isEmpty ? "" : ", by default \(setting.defaultText)"
                return "  \(setting.name)\(flag): \(setting.allowed)\(initial)\n      \(setting.summary)"
            }
            return "\(section.title)\n\n" + entries.joined(separator: "\n")
        }.joined(separator: "\n\n")
    }

    private struct Row: Encodable {
        let name: String
        let section: String
        let flag: String?
        let variable: String
        let key: String?
        let type: String
        let unit: String?
        var minimum: Double?
        var maximum: Double?
        var choices: [String]?
        /// Nil where nothing is set.
        let `default`: String?
        let description: String

        init(_ setting: Setting, section: String) {
            name = setting.name
            self.section = section
            flag = setting.flag
            variable = setting.variable
            key = setting.key
            unit = setting.unit
            self.default = setting.defaultText.isEmpty ? nil : setting.defaultText
            description = setting.summary
            switch setting.kind {
            case .integer(let range):
                type = "integer"
                (minimum, maximum) = (Double(range.lowerBound), Double(range.upperBound))
            case .decimal(let range):
                type = "number"
                (minimum, maximum) = (range.lowerBound, range.upperBound)
            case .choice(let words):
                type = "choice"
                choices = words
            case .text: type = "text"
            case .list: type = "list"
            }
        }
    }
}

extension Setting {
    /// What a value may be, in a few words.
    var allowed: String {
        switch kind {
        case .integer(let range): "\(range.lowerBound) to \(range.upperBound)" + (unit.map { " \($0)" } ?? "")
        case .decimal(let range): "\(range.lowerBound) to \(range.upperBound)"
        case .choice(let words): words.joined(separator: ", ")
        case .text: "text"
        case .list: "texts, by commas"
        }
    }
}
