public import Kernels
import Recommenders
public import VectorIndex

/// Everything needed to answer requests from one committed version, immutable.
///
/// A request takes one snapshot at its start and keeps it to its end, so its answer comes from exactly the version
/// that it names. A snapshot is freed with its last reference, which ``ServingController`` holds.
public final class ServingSnapshot: Sendable {
    /// The model's name in the store.
    public let model: String
    /// The model's version.
    public let version: Int
    /// Rises with every load in this process, also when an older version is loaded again.
    public let generation: UInt64
    /// How often changes of items were applied since the version was built; see ``applying(_:)``.
    public let revision: Int
    /// Computes user vectors.
    public let encoder: any UserEncoder
    /// The built items' unit vectors, one a row; ``vector(of:)`` also returns those of changed items.
    ///
    /// Rows have no elements where ``hasItemVectors`` is false.
    public let itemVectors: Matrix
    /// Finds items fast.
    public let index: any VectorIndex
    /// Finds items exactly, by looking at every one.
    public let exactIndex: any VectorIndex
    /// Scores that are added to the inner products of the vectors; nil for none.
    let counts: CountScores?
    /// The catalogue's own ids.
    public let identifiers: IdentifierTable
    /// Titles, one a built item; empty when the catalogue has none.
    private let titles: [String]
    /// The items' categories, for filters and diversity.
    public let categories: CategoryIndex
    /// The items' attributes, for filters.
    public let filters: FilterIndex
    /// Item numbers from most to least popular, removed items included.
    public let popularity: [Int32]
    /// Each built item's place in ``popularity``, for rule-based guidance; empty for other systems.
    let popularityRanks: [Int32]
    /// How many items are in service.
    public let itemCount: Int
    /// The changes since the build; nil when there are none.
    let live: LiveCatalogue?

    /// Groups parts that ``SnapshotBuilder`` has checked.
    init(
        model: String,
        version: Int,
        generation: UInt64,
        encoder: any UserEncoder,
        itemVectors: Matrix,
        index: any VectorIndex,
        exactIndex: any VectorIndex,
        counts: CountScores? = nil,
        identifiers: IdentifierTable,
        titles: [String],
        categories: CategoryIndex,
        attributes: AttributeIndex,
        popularity: [Int32]
    ) {
        self.model = model
        self.version = version
        self.generation = generation
        self.encoder = encoder
        self.itemVectors = itemVectors
        self.index = index
        self.exactIndex = exactIndex
        self.counts = counts
        self.identifiers = identifiers
        self.titles = titles
        self.categories = categories
        filters = FilterIndex(attributes: attributes, categories: categories, identifiers: identifiers)
        self.popularity = popularity
        var ranks = [Int32](repeating: .max, count: encoder.guidanceSlots > 0 ? itemVectors.rows : 0)
        if !ranks.isEmpty {
            for (rank, item) in popularity.enumerated() { ranks[Int(item)] = Int32(rank) }
        }
        popularityRanks = ranks
        itemCount = identifiers.count
        revision = 0
        live = nil
    }

    /// A snapshot with other changes.
    init(_ snapshot: ServingSnapshot, with live: LiveCatalogue, changedAttributes: Set<String>) {
        model = snapshot.model
        version = snapshot.version
        generation = snapshot.generation
        revision = snapshot.revision + 1
        encoder = snapshot.encoder
        itemVectors = snapshot.itemVectors
        index = live.index
        exactIndex = live.index.over((snapshot.exactIndex as? LiveIndex)?.base ?? snapshot.exactIndex)
        counts = snapshot.counts
        identifiers = live.identifiers
        titles = snapshot.titles
        categories = live.categories
        filters = snapshot.filters.following(
            categories: live.categories,
            identifiers: live.identifiers,
            attributes: live.attributes,
            changed: changedAttributes
        )
        popularity = snapshot.popularity
        popularityRanks = snapshot.popularityRanks
        itemCount = live.index.count
        self.live = live
    }

    /// The items that a request's filter lets pass; nil when every item passes.
    ///
    /// - Throws: ``RetrievalError/invalidArgument(field:message:)`` for a filter that does not suit the attributes.
    func items(passing request: borrowing RetrievalRequest) throws(RetrievalError) -> ItemSet? {
        guard let conditions = request.conditions else { return categories.items(passing: request.filter) }
        guard !request.filter.isEmpty else { return try filters.items(passing: conditions) }
        return try filters.items(passing: conditions.joined(with: request.filter))
    }

    /// Finds items without other processes, for work that is not a request.
    var localIndex: any VectorIndex { index.isExternal ? exactIndex : index }

    /// Whether searches use item vectors; false for a system that scores all items itself.
    public var hasItemVectors: Bool { itemVectors.columns > 0 }

    /// The number of an item in service, or nil for an id that is unknown or was removed.
    public func number(of id: String) -> Int32? {
        identifiers.number(of: id).flatMap { live?.index.contains($0) != false ? $0 : nil }
    }

    /// An item's title; nil when the catalogue has none.
    public func title(of number: Int32) -> String? {
        live?.titles[number] ?? (titles.indices.contains(Int(number)) ? titles[Int(number)] : nil)
    }

    /// The unit vector with which searches find an item.
    ///
    /// - Precondition: The item is in service.
    public func vector(of number: Int32) -> [Float] {
        live?.index.changedVector(of: number) ?? itemVectors.row(Int(number))
    }
}
