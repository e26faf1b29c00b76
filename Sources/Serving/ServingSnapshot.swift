public import Kernels
public import VectorIndex

/// Everything needed to answer requests from one committed version, unchangeable.
///
/// A request takes one snapshot at its start and keeps it to its end, so that its answer is always the exact answer of the
/// version that it names. A snapshot dies with its last reference; see ``CheckpointWatcher`` for who holds that one.
public final class ServingSnapshot: Sendable {
    /// The model's name in the store.
    public let model: String
    /// The model's version.
    public let version: Int
    /// Rises with every load in this process, also when an older version is loaded again.
    public let generation: UInt64
    /// Computes user vectors.
    public let encoder: any UserEncoder
    /// The items' unit vectors, one a row.
    public let itemVectors: Matrix
    /// Finds items fast.
    public let index: any VectorIndex
    /// Finds items exactly, by looking at every one.
    public let exactIndex: any VectorIndex
    /// The catalogue's own ids.
    public let identifiers: IdentifierTable
    /// Titles, one an item; empty when the catalogue has none.
    public let titles: [String]
    /// The items' categories, for filters and diversity.
    public let categories: CategoryIndex
    /// Item numbers from most to least popular.
    public let popularity: [Int32]

    /// Groups parts that ``SnapshotBuilder`` has checked.
    init(
        model: String,
        version: Int,
        generation: UInt64,
        encoder: any UserEncoder,
        itemVectors: Matrix,
        index: any VectorIndex,
        exactIndex: any VectorIndex,
        identifiers: IdentifierTable,
        titles: [String],
        categories: CategoryIndex,
        popularity: [Int32]
    ) {
        self.model = model
        self.version = version
        self.generation = generation
        self.encoder = encoder
        self.itemVectors = itemVectors
        self.index = index
        self.exactIndex = exactIndex
        self.identifiers = identifiers
        self.titles = titles
        self.categories = categories
        self.popularity = popularity
    }

    /// How many items can be answered.
    public var itemCount: Int { identifiers.count }
}
