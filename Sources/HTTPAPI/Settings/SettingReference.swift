import Foundation

/// The reference of all settings, for people and programs, from the table that reads them.
package enum SettingReference {
    /// The documentation page.
    package static var markdown: String {
        let first = """
            # Configuration

            Every setting of `dimerec serve`. This page is what `dimerec reference settings` prints.

            ## Overview

            The command line overrides the environment, which overrides the settings file that `--config` names. For
            example, set HTTP_PORT in one of these ways:

            - on the command line: `--port 8080` or `--set HTTP_PORT=8080`
            - in the environment: `DIMEREC_HTTP_PORT=8080`; an empty variable counts as unset
            - in the settings file, which is JSON: `{"httpPort": 8080}`

            The program exits with code 64 if a value is not allowed, if a name on the command line or in the file is
            unknown, or if a file cannot be read. The message names the setting, the value and the allowed values. An
            unknown variable only causes a warning in the log. `DIMEREC_BLAS_CORE` is not a setting of the service: it
            chooses the OpenBLAS kernels for every command.
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

    /// All settings as one JSON object on one line, with sorted keys.
    package static func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let rows = Setting.sections.flatMap { section in section.settings.map { Row($0, section: section.title) } }
        return String(decoding: try encoder.encode(["settings": rows]), as: UTF8.self)
    }

    /// A list for the terminal.
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
        /// Nil when unset.
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
            case .address: type = "address"
            case .servers, .list: type = "list"
            }
        }
    }
}

extension Setting {
    /// The allowed values, in a few words.
    var allowed: String {
        switch kind {
        case .integer(let range): "\(range.lowerBound) to \(range.upperBound)" + (unit.map { " \($0)" } ?? "")
        case .decimal(let range): "\(range.lowerBound) to \(range.upperBound)"
        case .choice(let words): words.joined(separator: ", ")
        case .text: "text"
        case .address: "an http or https address"
        case .servers: "comma-separated postgres addresses"
        case .list: "comma-separated texts"
        }
    }
}
