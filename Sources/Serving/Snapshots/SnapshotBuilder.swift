public import CheckpointStore
public import Kernels
public import Recommenders
public import VectorIndex

/// The parts of a snapshot that depend on the system.
public struct ServedModel: Sendable {
    /// Computes user vectors.
    public var encoder: any UserEncoder
    /// The items' unit vectors, one a row; rows have no elements if the encoder's vectors are scores.
    public var itemVectors: Matrix
    /// Scores that are added to inner products of a user vector and item vectors; nil for none.
    public var counts: CountScores?

    /// Groups the parts.
    public init(encoder: any UserEncoder, itemVectors: Matrix, counts: CountScores? = nil) {
        self.encoder = encoder
        self.itemVectors = itemVectors
        self.counts = counts
    }
}

/// Makes a checkpoint servable, or says why it is not.
///
/// Functions turn a network into an encoder and saved bytes into an index, so this module knows neither format.
/// Building takes long, because it reads, checks and probes every item: call it off the event loops.
public struct SnapshotBuilder: Sendable {
    /// Makes the parts of a snapshot that depend on the system from a checkpoint, whose parameters it may consume.
    public typealias MakeModel = @Sendable (inout Checkpoint) throws -> ServedModel
    /// Makes the index over the item vectors from its saved form.
    public typealias MakeIndex = @Sendable ([UInt8], Matrix) throws -> any VectorIndex
    /// Makes the index that looks at every item.
    public typealias MakeExactIndex = @Sendable (Matrix) throws -> any VectorIndex

    private let makeModel: MakeModel
    private let makeIndex: MakeIndex
    private let makeExactIndex: MakeExactIndex
    private let warmUpRequests: Int
    private let minRecall: Double
    private let search: (any ExternalSearch)?

    /// A builder from its parts.
    ///
    /// - Parameters:
    ///   - warmUpRequests: How many made-up requests a snapshot must answer before it may serve, at least 1.
    ///   - minRecall: The least recall of the index, 0 to 1.
    ///   - search: Finds items outside of the process, instead of the checkpoint's index; nil for none.
    ///   - makeModel: Makes the encoder, the item vectors and the counts.
    ///   - makeIndex: Makes the index from its saved form.
    ///   - makeExactIndex: Makes the exact index.
    public init(
        warmUpRequests: Int = 200,
        minRecall: Double = 0.8,
        search: (any ExternalSearch)? = nil,
        makeModel: @escaping MakeModel,
        makeIndex: @escaping MakeIndex,
        makeExactIndex: @escaping MakeExactIndex
    ) {
        precondition(warmUpRequests >= 1, "\(warmUpRequests) warm-up requests probe nothing")
        precondition(0...1 ~= minRecall, "a recall of at least \(minRecall) is outside 0...1")
        self.warmUpRequests = warmUpRequests
        self.minRecall = minRecall
        self.search = search
        self.makeModel = makeModel
        self.makeIndex = makeIndex
        self.makeExactIndex = makeExactIndex
    }

    /// How the searches of each server outside of the process went; empty if searches do not go there.
    var searchOutcomes: [SearchOutcomes] { search?.outcomes ?? [] }

    /// Checks that a version can be searched outside of the process, if searches go there.
    ///
    /// - Parameter version: Looks the version up.
    /// - Throws: ``SnapshotError/notSearchable(_:)``, ``SnapshotError/searchUnavailable(_:)``, or the store's errors.
    func requireSearchable(_ version: () throws -> StoredVersion?) throws {
        guard let search, let summary = try version()?.summary.get() else { return }
        try search.require(summary)
    }

    /// Makes the parts of a checkpoint's snapshot that depend on the system.
    ///
    /// - Throws: The errors of the given function.
    package func model(of checkpoint: inout Checkpoint) throws -> ServedModel { try makeModel(&checkpoint) }

    /// Builds, checks and warms up a snapshot.
    ///
    /// - Parameters:
    ///   - checkpoint: The version to serve.
    ///   - generation: The number of this load.
    ///   - histories: Histories of real requests to warm up with, besides the made-up ones; unknown ids are dropped.
    ///   - onWarming: Called when the snapshot is built and its warm-up begins.
    /// - Returns: A snapshot whose answers to those requests were finite and complete, and whose index reached the
    ///   least recall.
    /// - Throws: ``SnapshotError``, or the errors of the given functions.
    public func build(
        _ checkpoint: consuming Checkpoint,
        generation: UInt64,
        histories: [[String]] = [],
        onWarming: () -> Void = {}
    ) throws -> ServingSnapshot {
        let manifest = checkpoint.manifest
        let catalogue = checkpoint.catalogue
        guard catalogue.count > 0 else { throw SnapshotError.emptyCatalogue }
        try require(manifest.items, equals: catalogue.count, "the manifest's number of items")
        let identifiers = try IdentifierTable(catalogue.ids)
        try checkCategories(catalogue)
        let categories = try CategoryIndex(
            names: catalogue.categoryNames,
            lists: catalogue.categories,
            items: catalogue.count
        )
        let attributes = try AttributeIndex(catalogue)
        try checkPopularity(checkpoint.popularity, items: catalogue.count)

        let served = try makeModel(&checkpoint)
        let (encoder, itemVectors) = (served.encoder, served.itemVectors)
        try require(itemVectors.rows, equals: catalogue.count, "the number of item vectors")
        if itemVectors.columns > 0 {
            try require(itemVectors.columns, equals: manifest.dimension, "the length of an item vector")
        }
        try require(encoder.dimension, equals: manifest.dimension, "the length of the user vector")
        try checkFinite(itemVectors, ids: catalogue.ids)
        let index =
            try search?.index(of: manifest, vectors: itemVectors) ?? makeIndex(checkpoint.index, itemVectors)
        checkpoint.index = []
        try require(index.count, equals: catalogue.count, "the number of indexed items")
        try require(index.dimension, equals: manifest.dimension, "the length of an indexed vector")

        let snapshot = ServingSnapshot(
            model: manifest.model,
            version: manifest.version,
            generation: generation,
            encoder: encoder,
            itemVectors: itemVectors,
            index: index,
            exactIndex: try makeExactIndex(itemVectors),
            counts: served.counts,
            identifiers: identifiers,
            titles: catalogue.titles,
            categories: categories,
            attributes: attributes,
            popularity: checkpoint.popularity
        )
        onWarming()
        try WarmUp(of: snapshot).run(requests: warmUpRequests, histories: histories, minRecall: minRecall)
        return snapshot
    }

    private func require(_ found: Int, equals expected: Int, _ part: String) throws(SnapshotError) {
        guard found == expected else { throw .countMismatch(part: part, expected: expected, found: found) }
    }

    private func checkCategories(_ catalogue: Catalogue) throws(SnapshotError) {
        for (id, categories) in zip(catalogue.ids, catalogue.categories) {
            for category in categories where !catalogue.categoryNames.indices.contains(Int(category)) {
                throw .badCategory(id: id, category: category)
            }
        }
    }

    private func checkPopularity(_ popularity: [Int32], items: Int) throws(SnapshotError) {
        var isListed = [Bool](repeating: false, count: items)
        for (position, item) in popularity.enumerated() {
            guard isListed.indices.contains(Int(item)), !isListed[Int(item)] else {
                throw .badPopularity(position: position, item: item)
            }
            isListed[Int(item)] = true
        }
    }

    private func checkFinite(_ vectors: Matrix, ids: [String]) throws(SnapshotError) {
        guard let position = vectors.elements.firstIndex(where: { !$0.isFinite }) else { return }
        throw .nonFiniteItem(id: ids[position / vectors.columns], column: position % vectors.columns)
    }
}
