import Autodiff
public import CheckpointStore
public import Kernels
import Recommenders
import VectorIndex

/// A version whose items are given vectors, under a network that was never trained: to measure a service of any size.
///
/// The model has the default configuration with a hidden width of 128 and the mean interest as residual, so that its user
/// vectors lie among the items of the history.
public struct VectorImport: Sendable {
    /// How many made-up histories the index's effort is tuned with.
    private static let tuningHistories = 256

    private let vectors: Matrix
    private let seed: UInt64
    private let modelName: String

    /// An import that will publish under a name.
    ///
    /// - Parameters:
    ///   - vectors: An item a row, of any length but zero; item `i` gets the id `"i"`.
    ///   - seed: Draws the network and the histories that the index is tuned with.
    ///   - model: The name in the store.
    public init(vectors: Matrix, seed: UInt64, model: String) {
        self.vectors = vectors
        self.seed = seed
        modelName = model
    }

    /// Builds the version; its popularity list is the order of the rows.
    ///
    /// - Returns: What to publish.
    /// - Throws: ``ModelNameError``, `ConfigurationError` for a dimension that no model has, `IndexError` for a vector without direction.
    public func checkpoint() throws -> Checkpoint {
        try ModelName.require(modelName)
        let start = ContinuousClock.now
        var recipe = Recipe()
        recipe.model.dimension = vectors.columns
        recipe.model.denoiser.hidden = 128
        recipe.model.denoiser.residual = .meanInterest
        try recipe.validate(prefix: "")
        // The network's shapes do not depend on the items, so a model of one item has everything but the table.
        var model = DimeRec(recipe.model, items: 1, seed: seed)
        model.parameters[DimeRec.itemTable] = vectors.normalisedRows().unit
        let index = try IndexFormat.build(
            vectors: model.scoringItems,
            configuration: recipe.index,
            queries: userVectors(of: model)
        ).serialised()
        return Checkpoint(
            manifest: CheckpointManifest(
                model: modelName,
                system: recipe.system,
                recipe: recipe.json,
                seed: seed,
                build: Build.description,
                dimension: recipe.model.dimension,
                items: vectors.rows,
                trainRows: 0,
                seconds: (ContinuousClock.now - start) / .seconds(1),
                metrics: [:],
                data: DataFingerprint(split: "vectors", splitSeed: 0, digests: [:])
            ),
            parameters: model.parameters.matrices,
            catalogue: Catalogue(ids: (0..<vectors.rows).map(String.init)),
            popularity: (0..<vectors.rows).map(Int32.init),
            index: index
        )
    }

    /// What the model searches with for histories of 10 to `historyLength` random items.
    private func userVectors(of model: DimeRec) -> Matrix {
        let random = CounterBasedGenerator(seed: seed, purpose: .simulation)
        let streams = (0..<UInt64(Self.tuningHistories)).map(\.self)
        let histories = RaggedRows(
            streams.map { stream in
                let length = 10 + Int(stream) % (model.historyLength - 9)
                return random.integers(below: vectors.rows, stream: stream, count: length)
            }
        )
        let noise = NoiseSource(seed: seed, streams: streams)
        return model.userVectors(histories, noise: noise, readOut: .served).rows
    }
}
