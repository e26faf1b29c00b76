/// Which index to build and how.
public struct IndexConfiguration: Codable, Sendable, Equatable {
    /// Kinds of index.
    public enum Kind: String, Codable, Sendable {
        /// ``flat`` for small catalogues, ``partitioned`` for larger ones.
        case auto
        /// Every item is scored.
        case flat
        /// Only the items of the partitions nearest to the query are scored.
        case partitioned
    }

    /// The kind.
    public var kind = Kind.auto
    /// How many partitions; nil chooses by the number of items.
    public var partitions: Int?
    /// The part of the exact best 50 that a search with the default effort is to find.
    public var recall = 0.99
    /// Seed of the clustering.
    public var seed: UInt64 = 42

    /// Below so many items `auto` scans them all.
    ///
    /// Measured with 64 dimensions on one thread, in us: exact 3.4, 6.1, 11 and 23 at 500, 1,000, 2,000 and 4,000 items,
    /// partitioned 5.2, 4.4, 4.0 and 3.9. Up to here exactness costs some microseconds at most.
    public static let autoPartitionsFrom = 2000

    /// Every choice at its default, or as given.
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

    /// Encodes every key, an automatic choice as null, so that the encoded defaults name all fields.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(kind, forKey: .kind)
        try values.encode(partitions, forKey: .partitions)
        try values.encode(recall, forKey: .recall)
        try values.encode(seed, forKey: .seed)
    }

    /// Throws ``IndexError/invalidConfiguration(key:value:allowed:)`` for a value out of range.
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
