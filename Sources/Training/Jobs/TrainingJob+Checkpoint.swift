import CheckpointStore
import Recommenders
import VectorIndex

// The version to publish for a trained model.

extension TrainingJob {
    /// Validation rows whose user vectors tune the index, because requests search with user vectors.
    private static let tuningRows = 256

    /// The checkpoint to publish for a trained model, including its index.
    func checkpoint(of trained: Trained) throws -> Checkpoint {
        let popularity = PopularityPredictor(
            sequences: recipe.training.refit ? data.split.sequencesBeforeTest : data.split.train.sequences,
            items: data.catalogue.count
        )
        let space = SearchSpace(trained.model.system.itemSpace)
        var manifest = CheckpointManifest(
            model: modelName,
            system: recipe.system,
            recipe: recipe.json,
            seed: seed,
            build: Build.description,
            dimension: space.dimension,
            items: data.catalogue.count,
            trainRows: trained.trainRows,
            seconds: trained.progress.seconds,
            metrics: trained.progress.best,
            data: data.fingerprint
        )
        manifest.origin = origin
        manifest.log = data.log
        manifest.columns = data.columns
        manifest.curve = trained.progress.history.map { interval in
            ValidationPoint(
                step: interval.step,
                seconds: interval.seconds,
                hitRate: interval.metrics["hr@20"] ?? 0,
                reciprocalRank: interval.metrics["mrr@20"] ?? 0
            )
        }
        return Checkpoint(
            manifest: manifest,
            parameters: trained.model.matrices,
            catalogue: data.catalogue,
            popularity: popularity.order,
            index: try index(of: trained.model.system, in: space).serialised()
        )
    }

    private func index(of model: any Recommender, in space: SearchSpace) throws -> any VectorIndex {
        guard model.itemSpace.vectors != nil else { return ScoreIndex(count: space.dimension) }
        return try IndexFormat.build(
            vectors: space.items,
            configuration: recipe.index,
            queries: EvaluationRows(validating: recipe, data.split).userVectors(of: model, limit: Self.tuningRows)
        )
    }
}
