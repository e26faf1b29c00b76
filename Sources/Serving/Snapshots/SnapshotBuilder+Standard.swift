public import CheckpointStore
import Foundation
import Kernels
import Recommenders
import VectorIndex

extension SnapshotBuilder {
    /// The builder of this project's checkpoints: DimeRec's fused forward pass or another system's own, and the stored index.
    ///
    /// - Parameters:
    ///   - warmUpRequests: How many made-up requests a snapshot must answer before it may serve.
    ///   - minRecall: The least recall of the index, 0 to 1.
    ///   - search: Finds items outside of the process; nil uses the stored index.
    ///   - keyBytes: The most memory that a snapshot's attention keys may take; see `HistoryAttention`.
    /// - Returns: A builder that rejects checkpoints of unknown systems and checkpoints whose shapes do not match
    ///   their recipe.
    public static func standard(
        warmUpRequests: Int = 200,
        minRecall: Double = 0.8,
        search: (any ExternalSearch)? = nil,
        keyBytes: Int = 256 << 20
    ) -> SnapshotBuilder {
        SnapshotBuilder(
            warmUpRequests: warmUpRequests,
            minRecall: minRecall,
            search: search,
            makeModel: { checkpoint in
                let recipe = try StoredRecipe(json: checkpoint.manifest.recipe)
                var parameters = checkpoint.takeParameters()
                let items = checkpoint.catalogue.count
                let counts = try CountScores.take(from: &parameters, items: items)
                guard let configuration = recipe.configuration as? DimeRecConfiguration else {
                    let model = try recipe.system.model(recipe.configuration, stored: parameters)
                    if let scoring = model as? any ScoringRecommender {
                        // Counts have weights of inner products, so a system of scores has none.
                        return ServedModel(
                            encoder: try ScoringEncoder(scoring, items: items),
                            itemVectors: Matrix(rows: items, columns: 0)
                        )
                    }
                    let encoder = try RecommenderEncoder(model, items: items)
                    return ServedModel(
                        encoder: encoder,
                        itemVectors: encoder.items,
                        counts: counts?.scaled(by: encoder.scale)
                    )
                }
                let model = try DimeRec(configuration, stored: parameters)
                // Tied tables are one: guidance reads the same table that is searched.
                let classes = configuration.tiedItems ? nil : model.scoringItems
                parameters = [:]
                let weights = model.inferenceWeights(keyBytes: keyBytes)
                let vectors = classes ?? weights.items
                return ServedModel(encoder: InferenceEngine(weights), itemVectors: vectors, counts: counts)
            },
            makeIndex: { try IndexFormat.load($0, vectors: $1) },
            makeExactIndex: { vectors in
                guard vectors.columns > 0 else { return ScoreIndex(count: vectors.rows) }
                return try FlatIndex(vectors: vectors)
            }
        )
    }

    /// The part of a stored recipe that serving reads.
    private struct StoredRecipe: Decodable {
        let system: any Recommender.Type
        let configuration: any ModelConfiguration

        private enum CodingKeys: String, CodingKey {
            case system, model
        }

        init(json: String) throws(SnapshotError) {
            do {
                self = try JSONDecoder().decode(StoredRecipe.self, from: Data(json.utf8))
            } catch let error as SnapshotError {
                throw error
            } catch {
                throw .badRecipe("\(error)")
            }
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            let name = try values.decodeIfPresent(String.self, forKey: .system) ?? DimeRec.system
            guard let system = try? ModelRegistry.system(named: name) else { throw SnapshotError.unknownSystem(name) }
            self.system = system
            configuration = try system.configuration(from: values.superDecoder(forKey: .model))
            try configuration.validate(prefix: "model.")
        }
    }
}

extension CheckpointStore: CheckpointSource {
    /// The names of all models.
    public func modelNames() throws -> [String] { try models() }

    /// Reads a version and checks it against its digests.
    public func load(model: String, version: Int) throws -> Checkpoint {
        try load(model: model, version: Optional(version))
    }

    /// Checks every stored byte of a version against its digests.
    public func verify(model: String, version: Int) throws { try verify(model: model, version: Optional(version)) }

    /// Undoes the last choice if that leads to the expected version.
    public func rollback(model: String, expecting version: Int) throws {
        _ = try rollback(model: model, expecting: Optional(version))
    }
}
