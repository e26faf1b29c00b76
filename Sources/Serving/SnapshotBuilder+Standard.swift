public import CheckpointStore
import Foundation
import Recommenders
import VectorIndex

extension SnapshotBuilder {
    /// The builder of this project's checkpoints: DimeRec's fused forward pass and the stored index.
    ///
    /// - Parameters:
    ///   - warmUpRequests: How many made-up requests a snapshot must answer before it may serve.
    ///   - minRecall: The least share of the exact answers that the index must find, 0 to 1.
    ///   - keyBytes: The most memory that a snapshot's attention keys may take; see `HistoryAttention`.
    /// - Returns: A builder that refuses checkpoints of other systems and of other shapes than their recipe's.
    public static func standard(
        warmUpRequests: Int = 200,
        minRecall: Double = 0.8,
        keyBytes: Int = 256 << 20
    ) -> SnapshotBuilder {
        SnapshotBuilder(
            warmUpRequests: warmUpRequests,
            minRecall: minRecall,
            makeEncoder: { checkpoint in
                guard checkpoint.manifest.system == DimeRec.system else {
                    throw SnapshotError.unknownSystem(checkpoint.manifest.system)
                }
                let recipe = try JSONDecoder().decode(
                    StoredRecipe.self,
                    from: Data(checkpoint.manifest.recipe.utf8)
                )
                try recipe.model.validate(prefix: "model.")
                let model = try DimeRec(recipe.model, stored: checkpoint.takeParameters())
                // Tied tables are one: what guidance reads is also what is searched.
                let classes = recipe.model.tiedItems ? nil : model.scoringItems
                let weights = model.inferenceWeights(keyBytes: keyBytes)
                return (InferenceEngine(weights), classes ?? weights.items)
            },
            makeIndex: { try IndexFormat.load($0, vectors: $1) },
            makeExactIndex: { try FlatIndex(vectors: $0) }
        )
    }

    /// The part of a stored recipe that serving reads.
    private struct StoredRecipe: Decodable {
        let model: DimeRecConfiguration
    }
}

extension CheckpointStore: CheckpointSource {
    /// The names of all models.
    public func modelNames() throws -> [String] { try models() }

    /// The manifests of a model's versions, oldest first.
    public func manifests(of model: String) throws -> [CheckpointManifest] {
        guard try models().contains(model) else { return [] }
        return try versions(of: model).map(\.manifest).sorted { $0.version < $1.version }
    }

    /// Reads a version and checks it against its digests.
    public func load(model: String, version: Int) throws -> Checkpoint {
        try load(model: model, version: Optional(version))
    }

    /// Checks every stored byte of a version against its digests.
    public func verify(model: String, version: Int) throws { try verify(model: model, version: Optional(version)) }

    /// A digest over everything that a version holds.
    public func digest(model: String, version: Int) throws -> String {
        let versions = try versions(of: model)
        guard let found = versions.first(where: { $0.manifest.version == version }) else {
            throw CheckpointError.versionNotFound(
                model: model,
                version: version,
                available: versions.map(\.manifest.version)
            )
        }
        return found.digest
    }
}
