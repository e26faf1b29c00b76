import Foundation

/// A source of settings, such as the environment, with its values as texts.
package struct SettingSource: Sendable {
    private enum Place {
        case flags
        case assignments
        case environment
        case file(String)
    }

    /// The prefix of the environment variables.
    package static let variablePrefix = "DIMEREC_"
    /// Variables with this prefix that are not settings.
    private static let otherVariables: Set = ["DIMEREC_BLAS_CORE"]

    private let origin: Place
    private let texts: [String: String]

    subscript(name: String) -> String? { texts[name] }

    /// The settings' own command-line flags, by setting name.
    static func commandLine(_ texts: [String: String]) -> SettingSource {
        SettingSource(origin: .flags, texts: texts)
    }

    /// Assignments of the form `NAME=VALUE`; the last one for a name counts.
    static func assignments(_ assignments: [String]) throws(SettingError) -> SettingSource {
        var texts: [String: String] = [:]
        for assignment in assignments {
            let parts = assignment.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw .notAnAssignment(assignment) }
            let name = String(parts[0])
            guard Setting.all.contains(where: { $0.name == name }) else { throw .unknown(name, place: "--set") }
            texts[name] = String(parts[1])
        }
        return SettingSource(origin: .assignments, texts: texts)
    }

    /// The environment variables of settings; an empty one counts as unset.
    static func environment(_ variables: [String: String]) -> SettingSource {
        var texts: [String: String] = [:]
        for setting in Setting.all {
            if let text = variables[setting.variable], !text.isEmpty { texts[setting.name] = text }
        }
        return SettingSource(origin: .environment, texts: texts)
    }

    /// The sorted names of variables that have the prefix but match no setting.
    package static func unknownVariables(in variables: [String: String]) -> [String] {
        let known = otherVariables.union(Setting.all.map(\.variable))
        return variables.keys.filter { $0.hasPrefix(variablePrefix) && !known.contains($0) }.sorted()
    }

    /// The settings file: a JSON object of strings, numbers, lists of strings, and null for unset values.
    static func file(_ path: String) throws(SettingError) -> SettingSource {
        guard let data = FileManager.default.contents(atPath: path) else { throw .unreadableFile(path) }
        let values: [String: FileValue]
        do {
            values = try JSONDecoder().decode([String: FileValue].self, from: data)
        } catch DecodingError.typeMismatch(_, let context) where !context.codingPath.isEmpty {
            throw .malformedFile(path, reason: "'\(context.codingPath[0].stringValue)' is neither string nor number")
        } catch {
            throw .malformedFile(path, reason: "it is not a JSON object")
        }
        var texts: [String: String] = [:]
        for (key, value) in values.sorted(by: { $0.key < $1.key }) {
            guard let setting = Setting.all.first(where: { $0.key == key }) else {
                throw .unknown(key, place: path)
            }
            texts[setting.name] = value.text
        }
        return SettingSource(origin: .file(path), texts: texts)
    }

    /// The name of a setting in this source, for messages.
    func place(of setting: Setting) -> String {
        switch origin {
        case .flags: setting.flag ?? setting.name
        case .assignments: "--set \(setting.name)"
        case .environment: setting.variable
        case .file(let path): "'\(setting.key ?? setting.name)' in \(path)"
        }
    }
}

/// A value of the settings file, converted to text as in the other sources.
private struct FileValue: Decodable {
    let text: String?

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            text = nil
        } else if let number = try? value.decode(Int.self) {
            text = "\(number)"
        } else if let number = try? value.decode(Double.self) {
            text = "\(number)"
        } else if let list = try? value.decode([String].self) {
            text = list.joined(separator: ",")
        } else {
            text = try value.decode(String.self)
        }
    }
}

extension ServiceConfiguration {
    /// The token in a file, without surrounding white space.
    package static func token(in path: String) throws(SettingError) -> String {
        guard let data = FileManager.default.contents(atPath: path) else { throw .unreadableTokenFile(path) }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// Why the settings cannot be used.
///
/// No description holds a secret.
package enum SettingError: Error, CustomStringConvertible {
    /// A value outside its setting's allowed values.
    case invalid(Setting, value: String, place: String)
    /// An unknown setting name.
    case unknown(String, place: String)
    /// A --set argument without a value.
    case notAnAssignment(String)
    /// A required setting is unset.
    case missing(Setting)
    /// The settings file is missing or unreadable.
    case unreadableFile(String)
    /// The settings file has the wrong format.
    case malformedFile(String, reason: String)
    /// The token file is missing or unreadable.
    case unreadableTokenFile(String)

    /// What is wrong and what to do.
    package var description: String {
        switch self {
        case .invalid(let setting, let value, let place):
            "\(place) is '\(setting.shown(value).prefix(200))'; \(setting.name) must be \(setting.requirement)."
        case .unknown(let name, let place):
            "'\(name.prefix(200))' (\(place)) is not a setting; `dimerec settings` lists them."
        case .notAnAssignment(let text):
            "--set takes NAME=VALUE, such as MAX_K=500, not '\(text.prefix(200))'."
        case .missing(let setting):
            "\(setting.name) is not set; give \(setting.flag ?? "--set \(setting.name)=VALUE") or \(setting.variable)."
        case .unreadableFile(let path):
            "CONFIG names '\(path)', which cannot be read; name a JSON file such as {\"httpPort\": 8080}."
        case .malformedFile(let path, let reason):
            "The settings file '\(path)' cannot be used: \(reason); it must be like {\"httpPort\": 8080}."
        case .unreadableTokenFile(let path):
            "CONTROL_TOKEN_FILE '\(path)' cannot be read; name a file that holds a secret."
        }
    }
}
