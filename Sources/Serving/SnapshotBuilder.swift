public import CheckpointStore
public import Kernels
public import VectorIndex

/// Makes a checkpoint servable, or says why it is not.
///
/// How a network becomes an encoder and how saved bytes become an index are given as functions, so that this module knows
/// neither. Building is long (reading, checking and probing every item): call it off the event loops.
public struct SnapshotBuilder: Sendable {
    /// Makes the encoder and the items' unit vectors, one a row, from a checkpoint's parameters.
    public typealias MakeEncoder = @Sendable (Checkpoint) throws -> (encoder: any UserEncoder, itemVectors: Matrix)
    /// Makes the index over the item vectors from its saved form.
    public typealias MakeIndex = @Sendable ([UInt8], Matrix) throws -> any VectorIndex
    /// Makes the index that looks at every item.
    public typealias MakeExactIndex = @Sendable (Matrix) throws -> any VectorIndex

    private let makeEncoder: MakeEncoder
    private let makeIndex: MakeIndex
    private let makeExactIndex: MakeExactIndex
    private let warmUpRequests: Int

    /// A builder from its parts.
    ///
    /// - Parameters:
    ///   - warmUpRequests: How many made-up requests a snapshot must answer before it may serve, at least 1.
    ///   - makeEncoder: Makes the encoder and the item vectors.
    ///   - makeIndex: Makes the index from its saved form.
    ///   - makeExactIndex: Makes the exact index.
    public init(
        warmUpRequests: Int = 200,
        makeEncoder: @escaping MakeEncoder,
        makeIndex: @escaping MakeIndex,
        makeExactIndex: @escaping MakeExactIndex
    ) {
        precondition(warmUpRequests >= 1, "\(warmUpRequests) warm-up requests probe nothing")
        self.warmUpRequests = warmUpRequests
        self.makeEncoder = makeEncoder
        self.makeIndex = makeIndex
        self.makeExactIndex = makeExactIndex
    }

    /// Builds, checks and warms up a snapshot.
    ///
    /// - Parameters:
    ///   - checkpoint: What to serve.
    ///   - generation: The number of this load.
    /// - Returns: A snapshot whose answers to made-up requests were finite, complete and repeatable.
    /// - Throws: ``SnapshotError``, or what the given functions throw.
    public func build(_ checkpoint: Checkpoint, generation: UInt64) throws -> ServingSnapshot {
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
        try checkPopularity(checkpoint.popularity, items: catalogue.count)

        let (encoder, itemVectors) = try makeEncoder(checkpoint)
        try require(itemVectors.rows, equals: catalogue.count, "the number of item vectors")
        try require(itemVectors.columns, equals: manifest.dimension, "the length of an item vector")
        try require(encoder.dimension, equals: manifest.dimension, "the length of the user vector")
        try checkFinite(itemVectors, ids: catalogue.ids)
        let index = try makeIndex(checkpoint.index, itemVectors)
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
            identifiers: identifiers,
            titles: catalogue.titles,
            categories: categories,
            popularity: checkpoint.popularity
        )
        try probe(snapshot)
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

    /// Answers made-up requests: histories that walk through the catalogue, so that warming up also touches its memory.
    private func probe(_ snapshot: ServingSnapshot) throws(SnapshotError) {
        let workspace = snapshot.encoder.makeWorkspace()
        let k = min(10, snapshot.itemCount)
        for request in 0..<warmUpRequests {
            let length = 1 + request % snapshot.encoder.historyLength
            let history = (0..<length).map { Int32((request * 7919 + $0 * 31) % snapshot.itemCount) }
            let seed = UInt64(request)
            let steps = snapshot.encoder.maxSteps
            workspace.removeAll()
            snapshot.encoder.add(history: history[...], seed: seed, steps: steps, samples: 1, to: workspace)
            snapshot.encoder.generate(in: workspace)
            let user = Array(workspace.userVectors.prefix(snapshot.encoder.dimension))
            guard user.count == snapshot.encoder.dimension, user.allSatisfy(\.isFinite) else {
                throw .failedProbe("the user vector of items \(history) is not finite")
            }
            let found = snapshot.index.search(user.span, k: k, effort: nil, excluding: [])
            guard found.count == k, found.allSatisfy({ $0.score.isFinite && 0..<snapshot.itemCount ~= Int($0.id) })
            else {
                throw .failedProbe(
                    "a search for \(k) items found \(found.count), or one with a score that is not finite"
                )
            }
        }
    }
}
