public import Foundation
import Kernels
import Recommenders

/// The fields of a recipe that a search may change, and the values of each field.
///
/// In JSON it is an object of dotted field names, such as
/// `{"training.learningRate": {"logarithmic": [0.0003, 0.01]}, "model.hidden": {"choices": [64, 128]}}`.
public struct TuningSpace: Sendable, Equatable {
    /// The values of one field.
    public enum Values: Sendable, Equatable {
        /// One of these, all equally likely.
        case choices([TuningValue])
        /// A uniform number in a range, both ends included.
        case uniform(Double, Double)
        /// A positive number in a range, uniform in its logarithm.
        case logarithmic(Double, Double)
    }

    /// The fields with their values, in order of their names.
    public let fields: [(key: String, values: Values)]

    /// Reads a space.
    ///
    /// - Throws: `ConfigurationError` naming the field.
    public init(json: Data) throws {
        let entries: [String: Values]
        do {
            entries = try JSONDecoder().decode([String: Values].self, from: json)
        } catch DecodingError.dataCorrupted(let context) {
            guard let key = context.codingPath.first?.stringValue else {
                throw ConfigurationError.notJSON(reason: context.debugDescription)
            }
            throw ConfigurationError.invalidValue(key: key, reason: context.debugDescription)
        } catch let error as DecodingError {
            throw ConfigurationError.notJSON(reason: "\(error)")
        }
        fields = entries.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Draws a value for each field.
    ///
    /// - Parameters:
    ///   - trial: Number of the draw; its values do not depend on the number of trials.
    ///   - seed: Seed of the draws.
    /// - Returns: Values by field; numbers have three significant digits.
    public func sample(trial: Int, seed: UInt64) -> [String: TuningValue] {
        let generator = CounterBasedGenerator(seed: seed, purpose: .simulation)
        let draws = generator.uniforms(stream: UInt64(trial), count: fields.count)
        return zip(fields, draws).reduce(into: [:]) { sample, field in
            let (entry, draw) = field
            sample[entry.key] =
                switch entry.values {
                case .choices(let choices): choices[min(choices.count - 1, Int(draw * Double(choices.count)))]
                case .uniform(let low, let high): .number(Self.rounded(low + draw * (high - low)))
                case .logarithmic(let low, let high): .number(Self.rounded(low * pow(high / low, draw)))
                }
        }
    }

    private static func rounded(_ value: Double) -> Double { Double(String(format: "%.3g", value)) ?? value }

    /// Spaces are equal when they have the same fields and values.
    public static func == (a: TuningSpace, b: TuningSpace) -> Bool { a.fields.elementsEqual(b.fields, by: ==) }
}

extension TuningSpace.Values: Decodable {
    private enum CodingKeys: String, CodingKey, CaseIterable {
        case choices, uniform, logarithmic
    }

    /// Decodes an object of one field, `choices`, `uniform` or `logarithmic`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func fail(_ reason: String) -> DecodingError {
            .dataCorrupted(DecodingError.Context(codingPath: decoder.codingPath, debugDescription: reason))
        }
        guard container.allKeys.count == 1, let kind = container.allKeys.first else {
            throw fail("give one of 'choices', 'uniform' and 'logarithmic'.")
        }
        if kind == .choices {
            let choices = try container.decode([TuningValue].self, forKey: kind)
            guard !choices.isEmpty else { throw fail("'choices' is empty.") }
            self = .choices(choices)
            return
        }
        let ends = try container.decode([Double].self, forKey: kind)
        guard ends.count == 2, ends[0] < ends[1], ends[0] > 0 || kind == .uniform else {
            throw fail("'\(kind.rawValue)' takes two ascending numbers" + (kind == .uniform ? "." : " above 0."))
        }
        self = kind == .uniform ? .uniform(ends[0], ends[1]) : .logarithmic(ends[0], ends[1])
    }
}

/// A value that a field of a recipe may take.
public enum TuningValue: Sendable, Equatable, Codable, CustomStringConvertible {
    /// True or false.
    case flag(Bool)
    /// A whole number.
    case integer(Int)
    /// Any other number.
    case number(Double)
    /// A name.
    case text(String)

    /// Decodes a boolean, a number or a string.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let integer = try? container.decode(Int.self) {
            self = .integer(integer)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else {
            self = .text(try container.decode(String.self))
        }
    }

    /// Encodes the bare value.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .flag(let flag): try container.encode(flag)
        case .integer(let integer): try container.encode(integer)
        case .number(let number): try container.encode(number)
        case .text(let text): try container.encode(text)
        }
    }

    /// The value in the notation of recipes.
    public var description: String {
        switch self {
        case .flag(let flag): "\(flag)"
        case .integer(let integer): "\(integer)"
        case .number(let number): NumberText.short(number)
        case .text(let text): text
        }
    }

    fileprivate var json: Any {
        switch self {
        case .flag(let flag): flag
        case .integer(let integer): integer
        case .number(let number): number
        case .text(let text): text
        }
    }
}

extension Recipe {
    /// This recipe with other values for some fields, given by dotted names.
    ///
    /// - Throws: `ConfigurationError` with the field that does not exist or does not allow the value.
    public func setting(_ values: [String: TuningValue]) throws -> Recipe {
        func nested(_ key: ArraySlice<Substring>, _ value: Any, in object: [String: Any]) -> [String: Any] {
            guard let name = key.first.map(String.init) else { return object }
            var object = object
            object[name] =
                key.count == 1
                ? value : nested(key.dropFirst(), value, in: object[name] as? [String: Any] ?? [:])
            return object
        }
        let object = values.reduce([String: Any]()) { nested($1.key.split(separator: ".")[...], $1.value.json, in: $0) }
        let recipe = try merged(with: JSONSerialization.data(withJSONObject: object))
        try recipe.validate(prefix: "")
        return recipe
    }
}
