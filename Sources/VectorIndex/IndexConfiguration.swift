/// The kind of index and its build options.
public struct IndexConfiguration: Codable, Sendable, Equatable {
    /// The kinds of index.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// ``flat`` for small catalogues, ``partitioned`` for larger ones.
        case auto
        /// Every item is scored.
        case flat
        /// Only the items of the partitions nearest to the query are scored.
        case partitioned
    }

    /// The kind of index.
    public var kind = Kind.auto
    /// The number of partitions; nil chooses it by the number of items.
    public var partitions: Int?
    /// The recall at 50 that searches with the default effort must reach.
    public var recall = 0.99
    /// Seed of the clustering.
    public var seed: UInt64 = 42

    /// `auto` builds a partitioned index from this number of items on.
    ///
    /// Measured with 64 dimensions on one thread, in us: exact 3.4, 6.1, 11 and 23 at 500, 1,000, 2,000 and 4,000
    /// items, partitioned 5.2, 4.4, 4.0 and 3.9. So exact search of smaller catalogues costs a few microseconds more
    /// at most.
    public static let autoPartitionsFrom = 2000

    /// A configuration with defaults for all omitted options.
    public init(kind: Kind = .auto, partitions: Int? = nil, recall: Double = 0.99, seed: UInt64 = 42) {
        self.kind = kind
        self.partitions = partitions
        self.recall = recall
        self.seed = seed
    }

    private enum CodingKeys: String, CodingKey {
        case kind
        case partitions
        case recall
        case seed
    }

    /// Decodes and validates; absent keys keep their defaults.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        kind = try values.decodeIfPresent(Kind.self, forKey: .kind) ?? kind
        partitions = try values.decodeIfPresent(Int.self, forKey: .partitions)
        recall = try values.decodeIfPresent(Double.self, forKey: .recall) ?? recall
        seed = try values.decodeIfPresent(UInt64.self, forKey: .seed) ?? seed
        try validate()
    }

    /// Encodes every key, so that the encoded defaults show all fields; an automatic choice is null.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(kind, forKey: .kind)
        try values.encode(partitions, forKey: .partitions)
        try values.encode(recall, forKey: .recall)
        try values.encode(seed, forKey: .seed)
    }

    /// Throws ``IndexError/invalidConfiguration(key:value:allowed:)`` if a value is out of range.
    public func validate() throws(IndexError) {
        let allowed = 1...1 << 20
        if let partitions, !allowed.contains(partitions) {
            throw .invalidConfiguration(key: "index.partitions", value: "\(partitions)", allowed: "\(allowed)")
        }
        guard (0.5...0.9999).contains(recall) else {
            throw .invalidConfiguration(key: "index.recall", value: "\(recall)", allowed: "0.5...0.9999")
        }
    }
}
