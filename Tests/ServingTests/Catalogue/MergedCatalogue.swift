import CheckpointStore
import Kernels
import Serving
import TestSupport
import VectorIndex

/// An oracle: a catalogue with changes merged in the simplest way; a live snapshot must equal it.
struct MergedCatalogue {
    struct Item {
        var vector: [Float]
        /// The built item that represents it for the encoder.
        var encoded: Int32
        var title: String
        var categories: [String]
    }

    let built: Checkpoint
    private let vectors: Matrix
    /// All ids, removed ones included, in the order of their numbers.
    private(set) var ids: [String]
    private(set) var items: [String: Item] = [:]
    private var categoryNames: [String]

    init(_ built: Checkpoint) {
        self.built = built
        vectors = built.parameters["items"] ?? Matrix(rows: 0, columns: 0)
        ids = built.catalogue.ids
        categoryNames = built.catalogue.categoryNames
        for number in ids.indices { items[ids[number]] = builtItem(number) }
    }

    private func builtItem(_ number: Int) -> Item {
        let catalogue = built.catalogue
        return Item(
            vector: vectors.row(number),
            encoded: Int32(number),
            title: catalogue.titles.isEmpty ? "" : catalogue.titles[number],
            categories: catalogue.categories.isEmpty
                ? [] : catalogue.categories[number].map { catalogue.categoryNames[Int($0)] }
        )
    }

    /// Applies a completed change of this version.
    mutating func apply(_ change: ItemChange) {
        guard let content = change.content else {
            items[change.item] = nil
            return
        }
        let builtIDs = built.catalogue.ids
        let like = content.like.compactMap { builtIDs.firstIndex(of: $0) }
        let mean = Self.mean(content.vector.map { [$0] } ?? like.map { vectors.row($0) })
        let number = builtIDs.firstIndex(of: change.item)
        let old = number.map(builtItem)
        if number == nil, !ids.contains(change.item) { ids.append(change.item) }
        items[change.item] = Item(
            vector: mean,
            encoded: old?.encoded ?? like.first.map { Int32($0) }
                ?? bruteForceNeighbours(of: mean, in: vectors, k: 1)[0].id,
            title: content.title ?? old?.title ?? "",
            categories: content.categories ?? old?.categories ?? []
        )
        for name in content.categories ?? [] where !categoryNames.contains(name) { categoryNames.append(name) }
    }

    /// The mean's direction, summed in Double.
    static func mean(_ vectors: [[Float]]) -> [Float] {
        var sum = [Double](repeating: 0, count: vectors[0].count)
        for vector in vectors { for column in sum.indices { sum[column] += Double(vector[column]) } }
        let length = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return sum.map { Float($0 / length) }
    }

    /// A snapshot built from the remaining items, with an encoder that knows only the originally built items.
    func snapshot() throws -> ServingSnapshot {
        let left = ids.filter { items[$0] != nil }
        let found = left.compactMap { items[$0] }
        let merged = Matrix(found.map(\.vector))
        var checkpoint = built
        checkpoint.manifest.items = left.count
        checkpoint.parameters["items"] = merged
        checkpoint.catalogue = Catalogue(
            ids: left,
            titles: found.map(\.title),
            categoryNames: categoryNames,
            categories: found.map { item in
                item.categories.compactMap { name in categoryNames.firstIndex(of: name).map { Int32($0) } }
            }
        )
        let byPopularity = built.popularity.map { built.catalogue.ids[Int($0)] }
        let added = left.filter { !built.catalogue.ids.contains($0) }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        checkpoint.popularity = (byPopularity + added).compactMap { left.firstIndex(of: $0).map { Int32($0) } }
        let encoder = RenumberingEncoder(base: MeanEncoder(items: vectors), numbers: found.map(\.encoded))
        return try SnapshotBuilder(
            warmUpRequests: 1,
            makeModel: { _ in ServedModel(encoder: encoder, itemVectors: merged) },
            makeIndex: { _, vectors in ScanIndex(vectors: vectors) },
            makeExactIndex: { ScanIndex(vectors: $0) }
        ).build(checkpoint, generation: 1)
    }
}

/// An encoder that translates item numbers.
private struct RenumberingEncoder: UserEncoder {
    let base: MeanEncoder
    let numbers: [Int32]

    var dimension: Int { base.dimension }
    var maxSteps: Int { base.maxSteps }
    var historyLength: Int { base.historyLength }

    func makeWorkspace() -> any InferenceWorkspace { base.makeWorkspace() }

    func add(
        history: ArraySlice<Int32>,
        seed: UInt64,
        steps: Int,
        samples: Int,
        to workspace: any InferenceWorkspace
    ) {
        let renumbered = history.map { numbers[Int($0)] }
        base.add(history: renumbered[...], seed: seed, steps: steps, samples: samples, to: workspace)
    }

    func generate(in workspace: any InferenceWorkspace) { base.generate(in: workspace) }

    func trace(history: ArraySlice<Int32>, seed: UInt64, steps: Int) -> UserTrace {
        base.trace(history: history.map { numbers[Int($0)] }[...], seed: seed, steps: steps)
    }
}
