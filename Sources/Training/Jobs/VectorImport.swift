import Autodiff
public import CheckpointStore
public import Kernels
import Recommenders
import VectorIndex

/// Makes a version from given item vectors and an untrained network, to load-test a catalogue of any size.
///
/// The model has the default configuration with a hidden width of 128 and the mean interest as residual, so its user
/// vectors are close to the items of the history.
public struct VectorImport: Sendable {
    /// How many random histories tune the index's effort.
    private static let tuningHistories = 256

    private let vectors: Matrix
    private let seed: UInt64
    private let modelName: String

    /// An import that will publish under a model name.
    ///
    /// - Parameters:
    ///   - vectors: One item a row, of any length but zero; item `i` gets the id `"i"`.
    ///   - seed: Seed of the network and of the histories that tune the index.
    ///   - model: The name in the store.
    public init(vectors: Matrix, seed: UInt64, model: String) {
        self.vectors = vectors
        self.seed = seed
        modelName = model
    }

    /// Builds the version; its popularity list is the order of the rows.
    ///
    /// - Returns: The checkpoint to publish.
    /// - Throws: ``ModelNameError``, `ConfigurationError` for a dimension that no model allows, `IndexError` for a
    ///   zero vector.
    public func checkpoint() throws -> Checkpoint {
        try ModelName.require(modelName)
        let start = ContinuousClock.now
        var recipe = Recipe()
        recipe.model.dimension = vectors.columns
        recipe.model.denoiser.hidden = 128
        recipe.model.denoiser.residual = .meanInterest
        try recipe.validate(prefix: "")
        // The network's shapes do not depend on the items, so a model of one item has all parameters but the table.
        var model = DimeRec(recipe.model, items: 1, seed: seed)
        model.parameters[ItemTable.name] = vectors.normalisedRows().unit
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

    /// The model's query vectors for histories of 10 to `historyLength` random items.
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
