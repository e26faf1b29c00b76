import CheckpointStore
import Kernels
import Serving
import TestSupport
import Testing
import VectorIndex

extension RandomCatalogue {
    /// A snapshot of the catalogue with an index of a kind, and the encoder and the vectors that it uses.
    func snapshot(
        _ kind: IndexConfiguration.Kind
    ) throws -> (snapshot: ServingSnapshot, encoder: MeanEncoder, vectors: Matrix) {
        let checkpoint = self.checkpoint()
        let vectors = try #require(checkpoint.parameters["items"])
        let encoder = MeanEncoder(items: vectors)
        let snapshot = try SnapshotBuilder(
            warmUpRequests: 1,
            makeModel: { _ in ServedModel(encoder: encoder, itemVectors: vectors) },
            makeIndex: { _, vectors in
                try IndexFormat.build(vectors: vectors, configuration: IndexConfiguration(kind: kind, partitions: 40))
            },
            makeExactIndex: { try FlatIndex(vectors: $0) }
        ).build(checkpoint, generation: 1)
        return (snapshot, encoder, vectors)
    }
}
