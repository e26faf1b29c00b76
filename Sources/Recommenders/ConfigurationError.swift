public import Foundation

/// An invalid recipe or setting; the error names its dotted key.
public enum ConfigurationError: Error, Equatable, CustomStringConvertible {
    /// An unknown key, usually a typing error.
    case unknownField(key: String, known: [String])
    /// A value outside its range.
    case outOfRange(key: String, value: String, allowed: String)
    /// A value of the wrong type, or a word that is not one of the choices.
    case invalidValue(key: String, reason: String)
    /// A value that the owner of the setting rejected; the text is the owner's message.
    case rejected(String)
    /// Text that is not valid JSON.
    case notJSON(reason: String)

    /// The problem, its place and the next step.
    public var description: String {
        switch self {
        case .unknownField(let key, let known):
            "Field '\(key)' does not exist. Use one of: \(known.sorted().joined(separator: ", "))."
        case .outOfRange(let key, let value, let allowed):
            "Field '\(key)' is \(value); it must be \(allowed)."
        case .invalidValue(let key, let reason):
            "Field '\(key)': \(reason)"
        case .rejected(let reason):
            "These settings cannot be used: \(reason)"
        case .notJSON(let reason):
            "This is not valid JSON: \(reason)"
        }
    }

    /// Throws unless `range` contains `value`.
    public static func require<Value: Comparable>(
        _ range: ClosedRange<Value>,
        contains value: Value,
        key: String
    ) throws(ConfigurationError) {
        guard range.contains(value) else {
            throw .outOfRange(key: key, value: "\(value)", allowed: "from \(range.lowerBound) to \(range.upperBound)")
        }
    }
}

/// A group of settings; every field has a default, and `validate` checks the values.
public protocol ConfigurationSection: Codable, Sendable, Equatable {
    /// The defaults.
    init()
    /// Throws for a value out of range; the error names `prefix` and the field.
    func validate(prefix: String) throws(ConfigurationError)
}

/// The settings of a recommender's model.
public protocol ModelConfiguration: ConfigurationSection {
    /// How many of a history's newest items are used.
    var historyLength: Int { get }
}

extension ConfigurationSection {
    /// Reads a section from JSON; absent fields keep their defaults, and unknown fields are errors.
    ///
    /// The given object is merged over the encoded defaults. So the defaults stay in one place (the property
    /// initialisers), and a key without a default is unknown.
    ///
    /// - Throws: ``ConfigurationError`` naming the field.
    public init(json: Data) throws {
        self = try Self().merged(with: json)
    }

    /// A copy of these settings in which a JSON object replaces some fields.
    ///
    /// - Throws: ``ConfigurationError`` naming the field.
    public func merged(with json: Data) throws -> Self {
        let given: Any
        do {
            given = try JSONSerialization.jsonObject(with: json)
        } catch {
            throw ConfigurationError.notJSON(reason: "\((error as NSError).userInfo["NSDebugDescription"] ?? error)")
        }
        let defaults = try JSONSerialization.jsonObject(with: JSONEncoder().encode(self))
        let merged = try Self.merging(given, over: defaults, key: "")
        let result: Self
        do {
            result = try JSONDecoder().decode(Self.self, from: JSONSerialization.data(withJSONObject: merged))
        } catch let error as DecodingError {
            guard error.context.codingPath.isEmpty,
                let field = Self.unreadableField(in: given, key: "", defaults: defaults, wrap: { $0 })
            else { throw ConfigurationError(error) }
            throw ConfigurationError.invalidValue(key: field.key, reason: "\(field.value) is not a valid value.")
        } catch {
            // A section of another module validates itself while it is decoded; its error names the field.
            throw ConfigurationError.rejected("\(error)")
        }
        try result.validate(prefix: "")
        return result
    }

    /// The first field that does not decode when only this field is merged over the defaults.
    ///
    /// This finds the path of a number that does not fit an integer; the decoder loses that path.
    private static func unreadableField(
        in given: Any,
        key: String,
        defaults: Any,
        wrap: (Any) -> Any
    ) -> (key: String, value: Any)? {
        if let fields = given as? [String: Any] {
            for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
                let path = key.isEmpty ? name : "\(key).\(name)"
                let inner = unreadableField(in: value, key: path, defaults: defaults) { wrap([name: $0]) }
                if let inner { return inner }
            }
            return nil
        }
        let alone = try? JSONSerialization.data(withJSONObject: merging(wrap(given), over: defaults, key: ""))
        let decoded = alone.flatMap { try? JSONDecoder().decode(Self.self, from: $0) }
        return decoded == nil ? (key, given) : nil
    }

    private static func merging(_ given: Any, over defaults: Any, key: String) throws -> Any {
        guard let defaults = defaults as? [String: Any] else { return given }
        guard let given = given as? [String: Any] else {
            throw ConfigurationError.invalidValue(key: key, reason: "it must be a JSON object with fields.")
        }
        var merged = defaults
        for (name, value) in given {
            let path = key.isEmpty ? name : "\(key).\(name)"
            guard let inner = defaults[name] else {
                throw ConfigurationError.unknownField(key: path, known: Array(defaults.keys))
            }
            merged[name] = try merging(value, over: inner, key: path)
        }
        return merged
    }

    /// The section as JSON text with sorted keys.
    public var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else { preconditionFailure("\(Self.self) does not encode") }
        return String(decoding: data, as: UTF8.self)
    }
}

extension DecodingError {
    fileprivate var context: Context {
        switch self {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
            .dataCorrupted(let context):
            context
        @unknown default: Context(codingPath: [], debugDescription: "\(self)")
        }
    }
}

extension ConfigurationError {
    /// An error that names the field at which decoding failed.
    init(_ error: DecodingError) {
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            self = .invalidValue(key: Self.path(context.codingPath), reason: context.debugDescription)
        case .keyNotFound(let key, let context):
            self = .invalidValue(key: Self.path(context.codingPath + [key]), reason: "it is missing.")
        @unknown default:
            self = .invalidValue(key: "?", reason: "\(error)")
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String { keys.map(\.stringValue).joined(separator: ".") }
}
