import Foundation

/// One setting: its name, allowed values, summary, and place in ``ServiceConfiguration``.
///
/// The command line, the environment, the settings file, error messages and the reference all use this table.
package struct Setting: Sendable {
    /// The kind and range of a value.
    package enum Kind: Sendable, Equatable {
        /// A whole number.
        case integer(ClosedRange<Int>)
        /// A number.
        case decimal(ClosedRange<Double>)
        /// One of these words.
        case choice([String])
        /// Any text.
        case text
        /// An http:// or https:// address.
        case address
        /// Addresses of PostgreSQL servers, separated by commas.
        case servers
        /// Texts, separated by commas.
        case list
    }

    /// The name, as in HTTP_PORT.
    package let name: String
    /// The kind and range of a value.
    package let kind: Kind
    /// The unit of a number, or nil.
    package let unit: String?
    /// This setting's own command-line flag, or nil.
    package let flag: String?
    /// What the setting does, in sentences.
    package let summary: String
    /// The value as text; empty when unset.
    package let text: @Sendable (ServiceConfiguration) -> String
    /// Parses a text and stores its value; false when the text cannot be parsed.
    private let assign: @Sendable (String, inout ServiceConfiguration) -> Bool
    /// Whether the value is within its range.
    let isValid: @Sendable (ServiceConfiguration) -> Bool

    /// Parses a text and stores its value; false when it cannot be parsed or is out of range.
    func read(_ text: String, into configuration: inout ServiceConfiguration) -> Bool {
        var changed = configuration
        guard assign(text, &changed), isValid(changed) else { return false }
        configuration = changed
        return true
    }

    /// A value for messages; addresses that may hold a password are hidden.
    func shown(_ value: String) -> String { kind == .servers && value.contains("@") ? "…" : value }

    /// The name of the environment variable.
    package var variable: String { SettingSource.variablePrefix + name }

    /// The key in the settings file, such as httpPort for HTTP_PORT; nil when the file cannot hold the setting.
    package var key: String? {
        guard name != "CONFIG" else { return nil }
        let words = name.lowercased().split(separator: "_")
        return words.dropFirst().reduce(words.prefix(1).joined()) { $0 + $1.prefix(1).uppercased() + $1.dropFirst() }
    }

    /// The default as text; empty when unset.
    package var defaultText: String { text(ServiceConfiguration()) }

    /// The allowed values, for messages: "a whole number from 0 to 65535".
    package var requirement: String {
        switch kind {
        case .integer(let range):
            "a whole number\(unit.map { " of \($0)" } ?? "") from \(range.lowerBound) to \(range.upperBound)"
        case .decimal(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
        case .choice(let words): "one of " + words.joined(separator: ", ")
        case .text: "a text that is not empty"
        case .address: "an address that begins with http:// or https://"
        case .servers: "addresses that begin with postgres:// and name a host, separated by commas"
        case .list: "texts separated by commas"
        }
    }
}

extension Setting {
    typealias Path<Value> = any WritableKeyPath<ServiceConfiguration, Value> & Sendable

    static func integer(
        _ name: String,
        _ path: Path<Int>,
        _ range: ClosedRange<Int>,
        unit: String? = nil,
        flag: String? = nil,
        _ summary: String
    ) -> Setting {
        Setting(
            name: name,
            kind: .integer(range),
            unit: unit,
            flag: flag,
            summary: summary,
            text: { "\($0[keyPath: path])" },
            assign: { text, configuration in Int(text).map { configuration[keyPath: path] = $0 } != nil },
            isValid: { range ~= $0[keyPath: path] }
        )
    }

    static func optionalInteger(
        _ name: String,
        _ path: Path<Int?>,
        _ range: ClosedRange<Int>,
        _ summary: String
    ) -> Setting {
        Setting(
            name: name,
            kind: .integer(range),
            unit: nil,
            flag: nil,
            summary: summary,
            text: { $0[keyPath: path].map { "\($0)" } ?? "" },
            assign: { text, configuration in Int(text).map { configuration[keyPath: path] = $0 } != nil },
            isValid: { $0[keyPath: path].map { range ~= $0 } ?? true }
        )
    }

    /// A duration in whole units.
    ///
    /// Code may set fractions of a unit, but zero only if the range includes it.
    static func duration(
        _ name: String,
        _ path: Path<Duration>,
        _ range: ClosedRange<Int>,
        in unit: TimeUnit,
        _ summary: String
    ) -> Setting {
        Setting(
            name: name,
            kind: .integer(range),
            unit: unit.rawValue,
            flag: nil,
            summary: summary,
            text: { unit.text($0[keyPath: path]) },
            assign: { text, configuration in
                guard let count = Int(text), range ~= count else { return false }
                configuration[keyPath: path] = unit.duration * count
                return true
            },
            isValid: { configuration in
                let value = configuration[keyPath: path]
                let isAbove = range.lowerBound == 0 ? value >= .zero : value > .zero
                return isAbove && value <= unit.duration * range.upperBound
            }
        )
    }

    static func decimal(
        _ name: String,
        _ path: Path<Double>,
        _ range: ClosedRange<Double>,
        _ summary: String
    ) -> Setting {
        Setting(
            name: name,
            kind: .decimal(range),
            unit: nil,
            flag: nil,
            summary: summary,
            text: { "\($0[keyPath: path])" },
            assign: { text, configuration in Double(text).map { configuration[keyPath: path] = $0 } != nil },
            isValid: { range ~= $0[keyPath: path] }
        )
    }

    static func choice<Value: RawRepresentable<String> & CaseIterable & Equatable & Sendable>(
        _ name: String,
        _ path: Path<Value>,
        _ summary: String
    ) -> Setting {
        Setting(
            name: name,
            kind: .choice(Value.allCases.map(\.rawValue)),
            unit: nil,
            flag: nil,
            summary: summary,
            text: { $0[keyPath: path].rawValue },
            assign: { text, configuration in
                Value(rawValue: text).map { configuration[keyPath: path] = $0 } != nil
            },
            isValid: { _ in true }
        )
    }

    static func text(_ name: String, _ path: Path<String>, _ summary: String) -> Setting {
        Setting(
            name: name,
            kind: .text,
            unit: nil,
            flag: nil,
            summary: summary,
            text: { $0[keyPath: path] },
            assign: { text, configuration in
                configuration[keyPath: path] = text
                return !text.isEmpty
            },
            isValid: { _ in true }
        )
    }

    static func optionalText(
        _ name: String,
        _ path: Path<String?>,
        flag: String? = nil,
        _ summary: String
    ) -> Setting {
        Setting(
            name: name,
            kind: .text,
            unit: nil,
            flag: flag,
            summary: summary,
            text: { $0[keyPath: path] ?? "" },
            assign: { text, configuration in
                configuration[keyPath: path] = text
                return !text.isEmpty
            },
            isValid: { _ in true }
        )
    }

    static func optionalAddress(_ name: String, _ path: Path<String?>, _ summary: String) -> Setting {
        Setting(
            name: name,
            kind: .address,
            unit: nil,
            flag: nil,
            summary: summary,
            text: { $0[keyPath: path] ?? "" },
            assign: { text, configuration in
                configuration[keyPath: path] = text
                return true
            },
            isValid: { configuration in
                guard let text = configuration[keyPath: path] else { return true }
                guard let url = URLComponents(string: text) else { return false }
                return ["http", "https"].contains(url.scheme) && url.host?.isEmpty == false
            }
        )
    }

    static func servers(_ name: String, _ path: Path<[String]>, _ summary: String) -> Setting {
        let list = list(name, path, summary)
        return Setting(
            name: name,
            kind: .servers,
            unit: nil,
            flag: nil,
            summary: summary,
            text: list.text,
            assign: list.assign,
            isValid: { configuration in
                configuration[keyPath: path].allSatisfy { text in
                    guard let url = URLComponents(string: text) else { return false }
                    return ["postgres", "postgresql"].contains(url.scheme) && url.host?.isEmpty == false
                }
            }
        )
    }

    static func list(_ name: String, _ path: Path<[String]>, flag: String? = nil, _ summary: String) -> Setting {
        Setting(
            name: name,
            kind: .list,
            unit: nil,
            flag: flag,
            summary: summary,
            text: { $0[keyPath: path].joined(separator: ",") },
            assign: { text, configuration in
                let parts = text.split(separator: ",", omittingEmptySubsequences: false)
                let words = parts.map { String($0.trimmingPrefix(while: \.isWhitespace)) }
                configuration[keyPath: path] = words
                return words.allSatisfy { !$0.isEmpty }
            },
            isValid: { _ in true }
        )
    }

    /// The unit of a duration.
    enum TimeUnit: String {
        case milliseconds = "ms"
        case seconds = "s"

        var duration: Duration {
            switch self {
            case .milliseconds: .milliseconds(1)
            case .seconds: .seconds(1)
            }
        }

        func text(_ value: Duration) -> String {
            let count = value / duration
            return Int(exactly: count).map { "\($0)" } ?? "\(count)"
        }
    }
}
