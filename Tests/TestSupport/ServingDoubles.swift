package import CheckpointStore
import Foundation
package import Kernels
package import Logging
package import Serving
import Synchronization
package import VectorIndex

/// The normalised mean of the history's item vectors, turned a little by the seed and the number of steps.
package struct MeanEncoder: UserEncoder {
    package let items: Matrix
    package let maxSteps: Int
    package let historyLength = 5
    /// Called with the seed before every encoding.
    private let onEncode: @Sendable (UInt64) -> Void

    package init(items: Matrix, maxSteps: Int = 20, onEncode: @escaping @Sendable (UInt64) -> Void = { _ in }) {
        self.items = items
        self.maxSteps = maxSteps
        self.onEncode = onEncode
    }

    package var dimension: Int { items.columns }

    package final class Workspace: InferenceWorkspace {
        package fileprivate(set) var userVectors: [Float] = []

        package func removeAll() { userVectors = [] }
    }

    package func makeWorkspace() -> any InferenceWorkspace { Workspace() }

    package func add(
        history: ArraySlice<Int32>,
        seed: UInt64,
        steps: Int,
        samples: Int,
        to workspace: any InferenceWorkspace
    ) {
        guard let workspace = workspace as? Workspace else { preconditionFailure("a foreign workspace") }
        for sample in 0..<samples {
            workspace.userVectors += userVector(Array(history), seed: seed, steps: steps, sample: sample)
        }
    }

    package func generate(in workspace: any InferenceWorkspace) {}

    /// Two interests, the oldest and the newest item, and a path on which each step has its own noise.
    package func trace(history: ArraySlice<Int32>, seed: UInt64, steps: Int) -> UserTrace {
        precondition(1...maxSteps ~= steps, "\(steps) steps of 1...\(maxSteps)")
        let history = Array(history)
        return UserTrace(
            interests: items.gatheringRows([history[0], history[history.count - 1]]),
            path: Matrix((0...steps).reversed().map { userVector(history, seed: seed, steps: steps + $0) })
        )
    }

    package func userVector(_ history: [Int32], seed: UInt64, steps: Int, sample: Int = 0) -> [Float] {
        onEncode(seed)
        let noise = CounterBasedGenerator(seed: seed, purpose: .simulation)
            .normals(stream: UInt64(sample), count: dimension)
        var sum = noise.map { $0 * 0.01 * Float(steps) }
        for item in history {
            for column in 0..<dimension { sum[column] += items[Int(item), column] }
        }
        return normalised(sum)
    }
}

/// Scans every item.
package struct ScanIndex: VectorIndex {
    package let vectors: Matrix

    package init(vectors: Matrix) {
        self.vectors = vectors
    }

    package var count: Int { vectors.rows }
    package var dimension: Int { vectors.columns }

    package func search(
        _ query: Span<Float>,
        k: Int,
        effort: Int?,
        among eligible: borrowing Eligibility,
        in workspace: SearchWorkspace
    ) {
        guard let exact = try? FlatIndex(vectors: vectors) else { preconditionFailure("vectors of \(vectors.shape)") }
        exact.search(query, k: k, effort: effort, among: eligible, in: workspace)
    }

    package func serialised() -> [UInt8] { [] }
}

package func normalised(_ vector: [Float]) -> [Float] {
    let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return vector.map { $0 / length }
}

/// A checkpoint whose vectors depend on its version.
///
/// The ids are `0`, `i1`, `i2`, `3`: every third one is an integer. Every second item is `Even`, every third `Third`, and
/// the seventh `Rare`.
/// Attributes: `price` is half the item's number, `stock` is false for every fifth, `brand` is `b0` to `b2`, `tags` are
/// `red` for every second and `new` for the first ten, and `released` is a day of 2024; item 8 has none.
package func makeCheckpoint(version: Int, items: Int = 40, dimension: Int = 8) -> Checkpoint {
    let generator = CounterBasedGenerator(seed: UInt64(version), purpose: .simulation)
    let vectors = Matrix(
        (0..<items).map { normalised(generator.normals(stream: UInt64($0) + 1, count: dimension)) }
    )
    var manifest = CheckpointManifest(
        model: "m",
        system: "mean",
        recipe: "{}",
        seed: 1,
        build: "test",
        dimension: dimension,
        items: items,
        trainRows: 100,
        seconds: 1,
        metrics: ["hr@20": 0.5],
        data: DataFingerprint(split: "users", splitSeed: 1, digests: [:])
    )
    manifest.version = version
    return Checkpoint(
        manifest: manifest,
        parameters: ["items": vectors],
        catalogue: Catalogue(
            ids: (0..<items).map { $0 % 3 == 0 ? "\($0)" : "i\($0)" },
            categoryNames: ["Even", "Third", "Rare"],
            categories: (0..<items).map { ($0 % 2 == 0 ? [0] : []) + ($0 % 3 == 0 ? [1] : []) + ($0 == 7 ? [2] : []) },
            attributes: makeAttributes(items: items)
        ),
        popularity: (0..<items).reversed().map(Int32.init),
        index: []
    )
}

private func makeAttributes(items: Int) -> [AttributeColumn] {
    func numbers(_ name: String, _ type: AttributeType, _ value: (Int) -> Double) -> AttributeColumn {
        AttributeColumn(name: name, type: type, values: .numbers((0..<items).map { $0 == 8 ? .nan : value($0) }))
    }
    func texts(_ name: String, _ type: AttributeType, _ names: [String], _ list: (Int) -> [Int32]) -> AttributeColumn {
        let lists = (0..<items).map { $0 == 8 ? [] : list($0) }
        return AttributeColumn(name: name, type: type, values: .texts(names: names, lists: lists))
    }
    return [
        numbers("price", .number) { Double($0) / 2 },
        numbers("stock", .boolean) { $0 % 5 == 0 ? 0 : 1 },
        numbers("released", .time) { 1_704_067_200 + 86_400 * Double($0) },
        texts("brand", .keyword, ["b0", "b1", "b2"]) { [Int32($0 % 3)] },
        texts("tags", .keywords, ["red", "new"]) { ($0 % 2 == 0 ? [0] : []) + ($0 < 10 ? [1] : []) },
    ]
}

package let testBuilder = makeTestBuilder { _ in }

/// A builder of test doubles; its encoders call `onEncode` with the seed before every encoding.
package func makeTestBuilder(onEncode: @escaping @Sendable (UInt64) -> Void) -> SnapshotBuilder {
    SnapshotBuilder(
        warmUpRequests: 3,
        makeModel: { checkpoint in
            guard let items = checkpoint.parameters["items"] else { throw StoreDoubleError.noItems }
            return ServedModel(encoder: MeanEncoder(items: items, onEncode: onEncode), itemVectors: items)
        },
        makeIndex: { _, vectors in ScanIndex(vectors: vectors) },
        makeExactIndex: { ScanIndex(vectors: $0) }
    )
}

/// Counts encodings, and blocks those with one seed until it is opened.
package final class EncodingGate: Sendable {
    private struct State {
        var encodings = 0
        var held = 0
        var isOpen = false
    }

    /// The seed of the blocked encodings.
    package static let seed: UInt64 = 666
    private let state = Mutex(State())

    package init() {}

    /// A builder whose encoders pass this gate.
    package var builder: SnapshotBuilder { makeTestBuilder { self.pass($0) } }

    /// How many encodings have begun.
    package var encodings: Int { state.withLock(\.encodings) }

    package func open() { state.withLock { $0.isOpen = true } }

    /// Waits until this many encodings are blocked.
    package func waitForHeld(_ count: Int = 1) async throws {
        while state.withLock({ $0.held < count }) { try await Task.sleep(for: .milliseconds(1)) }
    }

    /// Counts an encoding, and blocks it if its seed says so.
    package func pass(_ seed: UInt64) {
        state.withLock { state in
            state.encodings += 1
            if seed == Self.seed { state.held += 1 }
        }
        while seed == Self.seed, !state.withLock(\.isOpen) { Thread.sleep(forTimeInterval: 0.0005) }
    }
}

extension RoutingHolder {
    /// The snapshot for requests without a model.
    package var snapshot: ServingSnapshot? { current.standard?.arms[0].snapshot }

    /// Makes a snapshot the only one in service.
    package func publish(_ snapshot: ServingSnapshot) { publish(RoutingTable(snapshot)) }
}

package let quietLogger: Logger = {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return logger
}()
