import Foundation

/// A request for the vectors of a user: the body of `POST /v1/embed`.
public struct EmbeddingRequest: Encodable, Sendable, Equatable {
    /// Item ids, oldest first.
    public var history: [String]
    /// The model or alias.
    public var model: String?
    /// The user's id: an alias with several versions answers the same user with the same version.
    public var user: String?
    /// The seed of the noise.
    public var seed: UInt64?
    /// The number of reverse steps, from 1 to the model's own number.
    public var steps: Int?
    /// The number of starting noises; each gives a vector.
    public var samples: Int?
    /// The rules that fill the slots of rule-based guidance; nil for those of the model's recipe.
    public var guidance: GuidanceSlots?
    /// Base64 needs a third of the space of numbers.
    private let encoding = "base64"

    /// Creates a request for the vectors after a history.
    public init(history: [String], model: String? = nil) {
        self.history = history
        self.model = model
    }
}

/// The vectors of a user.
public struct UserEmbedding: Decodable, Sendable, Equatable {
    /// The length of a vector.
    public let dimension: Int
    /// The vectors that the service searches with; empty if no item of the history is known.
    public let vectors: [[Float]]
    /// The interests of the history.
    public let interests: [[Float]]
    /// The used seed.
    public let seed: UInt64
    /// The used number of reverse steps.
    public let steps: Int
    /// How many history ids are not in the catalogue.
    public let unknownIDs: Int
    /// The model that answered.
    public let model: String
    /// Its version.
    public let version: Int
    /// The request's id in the service's log.
    public let requestID: String

    private enum CodingKeys: String, CodingKey {
        case dimension
        case vectors
        case interests
        case seed
        case steps
        case unknownIDs = "unknown_ids"
        case model
        case version
        case requestID = "request_id"
    }

    /// Reads vectors of either form.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func vectors(_ key: CodingKeys) throws -> [[Float]] {
            if let numbers = try? values.decode([[Float]].self, forKey: key) { return numbers }
            return try values.decode([Data].self, forKey: key).map { bytes in
                guard bytes.count % 4 == 0 else {
                    let reason = "\(bytes.count) bytes are no Float32 numbers"
                    throw DecodingError.dataCorruptedError(forKey: key, in: values, debugDescription: reason)
                }
                return stride(from: 0, to: bytes.count, by: 4).map { start in
                    let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }
                    return Float(bitPattern: bits)
                }
            }
        }
        dimension = try values.decode(Int.self, forKey: .dimension)
        self.vectors = try vectors(.vectors)
        interests = try vectors(.interests)
        seed = try values.decode(UInt64.self, forKey: .seed)
        steps = try values.decode(Int.self, forKey: .steps)
        unknownIDs = try values.decode(Int.self, forKey: .unknownIDs)
        model = try values.decode(String.self, forKey: .model)
        version = try values.decode(Int.self, forKey: .version)
        requestID = try values.decode(String.self, forKey: .requestID)
    }
}
