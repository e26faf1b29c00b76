import CheckpointStore
import Kernels
import Serving
import TestSupport
import Testing

@Suite("SnapshotBuilder") struct SnapshotBuilderTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let expected: SnapshotError?
        let spoil: @Sendable (inout Checkpoint) -> Void
    }

    static let cases: [Case] = [
        Case(testDescription: "good", expected: nil) { _ in },
        Case(testDescription: "no items", expected: .emptyCatalogue) { $0.catalogue = Catalogue(ids: []) },
        Case(testDescription: "duplicate id", expected: .duplicateIdentifier("i1")) { $0.catalogue.ids[2] = "i1" },
        Case(
            testDescription: "count of the manifest",
            expected: .countMismatch(part: "the manifest's number of items", expected: 40, found: 41)
        ) { $0.manifest.items = 41 },
        Case(
            testDescription: "dimension of the manifest",
            expected: .countMismatch(part: "the length of an item vector", expected: 9, found: 8)
        ) { $0.manifest.dimension = 9 },
        Case(
            testDescription: "a vector too few",
            expected: .countMismatch(part: "the number of item vectors", expected: 40, found: 39)
        ) { $0.parameters["items"] = $0.parameters["items"]?.rows(0..<39) },
        Case(testDescription: "NaN", expected: .nonFiniteItem(id: "i2", column: 3)) {
            $0.parameters["items"]?[2, 3] = .nan
        },
        Case(testDescription: "infinity", expected: .nonFiniteItem(id: "3", column: 0)) {
            $0.parameters["items"]?[3, 0] = -.infinity
        },
        Case(testDescription: "popular twice", expected: .badPopularity(position: 1, item: 39)) {
            $0.popularity[1] = 39
        },
        Case(testDescription: "popular unknown", expected: .badPopularity(position: 0, item: 40)) {
            $0.popularity[0] = 40
        },
        Case(testDescription: "popular negative", expected: .badPopularity(position: 0, item: -1)) {
            $0.popularity[0] = -1
        },
        Case(testDescription: "unknown category", expected: .badCategory(id: "0", category: 1)) {
            $0.catalogue = Catalogue(
                ids: $0.catalogue.ids,
                categoryNames: ["Drama"],
                categories: [[1]] + [[Int32]](repeating: [], count: 39)
            )
        },
        Case(testDescription: "duplicate category", expected: .duplicateCategory("Even")) {
            $0.catalogue.categoryNames[2] = "Even"
        },
    ]

    @Test("a bad checkpoint is rejected with the reason", arguments: cases)
    func refuses(_ item: Case) {
        var checkpoint = makeCheckpoint(version: 1)
        item.spoil(&checkpoint)
        #expect(refusal(of: checkpoint, by: testBuilder) == item.expected)
    }

    @Test("a model whose answers are not finite fails its probe")
    func probes() {
        let builder = SnapshotBuilder(
            warmUpRequests: 1,
            makeModel: { _ in
                ServedModel(
                    encoder: MeanEncoder(items: Matrix(rows: 40, columns: 8, repeating: .nan)),
                    itemVectors: Matrix(rows: 40, columns: 8)
                )
            },
            makeIndex: { _, vectors in ScanIndex(vectors: vectors) },
            makeExactIndex: { ScanIndex(vectors: $0) }
        )
        guard case .failedProbe? = refusal(of: makeCheckpoint(version: 1), by: builder) else {
            Issue.record("the probe passed")
            return
        }
    }

    private func refusal(of checkpoint: Checkpoint, by builder: SnapshotBuilder) -> SnapshotError? {
        do {
            _ = try builder.build(checkpoint, generation: 1)
            return nil
        } catch {
            return error as? SnapshotError
        }
    }
}
