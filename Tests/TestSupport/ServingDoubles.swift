package import CheckpointStore
import Foundation
package import Kernels
package import Logging
package import Serving
package import Synchronization
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

package enum StoreDoubleError: Error {
    case noItems
    case damaged
    case unknown
}

/// A store in memory whose versions can be damaged and whose loads can be blocked.
package final class MemorySource: CheckpointSource {
    package struct State {
        package var checkpoints: [Int: Checkpoint] = [:]
        package var activations: [Int] = []
        /// Models besides `m`, without a version.
        package var otherModels: [String] = []
        package var aliases: [String: Alias] = [:]
        package var changes: [ItemChange] = []
        package var attributeChanges: [AttributeChange] = []
        package var newestChange = 0
        package var damaged: Set<Int> = []
        package var loads = 0
        package var isHeld = false
        /// The error of the next loads.
        package var loadError: CheckpointError?
        /// The error of the next writes.
        package var refusal: CheckpointError?
        /// The error of ``reopenIfReplaced()``.
        package var replacement: CheckpointError?

        package var active: Int? { activations.last }

        fileprivate func revision(of alias: String, expected: Int?) throws -> Int {
            let found = aliases[alias]?.revision ?? 0
            guard expected == nil || expected == found else {
                throw CheckpointError.revisionMismatch(alias: alias, expected: expected ?? 0, found: found)
            }
            return found
        }
    }

    package let state = Mutex(State())

    package init(_ versions: [Int], active: Int?) {
        state.withLock { state in
            for version in versions { state.checkpoints[version] = makeCheckpoint(version: version) }
            state.activations = active.map { [$0] } ?? []
        }
    }

    package func modelNames() -> [String] {
        state.withLock { ($0.checkpoints.isEmpty ? [] : ["m"]) + $0.otherModels }
    }

    package func inventory(of model: String) -> [StoredVersion] {
        guard model == "m" else { return [] }
        return state.withLock { state in
            state.checkpoints.values.map(\.manifest).sorted { $0.version < $1.version }.map { manifest in
                StoredVersion(
                    number: manifest.version,
                    summary: .success(
                        VersionSummary(
                            manifest: manifest,
                            isActive: manifest.version == state.active,
                            bytes: 1,
                            digest: "digest-\(manifest.version)"
                        )
                    )
                )
            }
        }
    }

    package func activeVersion(of model: String) -> Int? { model == "m" ? state.withLock(\.active) : nil }

    package func activate(model: String, version: Int) throws {
        try write { state in if state.active != version { state.activations.append(version) } }
    }

    package func rollbackTarget(of model: String) -> Int? { state.withLock { $0.activations.dropLast().last } }

    package func rollback(model: String, expecting version: Int) throws {
        try write { state in
            guard let target = state.activations.dropLast().last else { throw StoreDoubleError.unknown }
            guard target == version else {
                throw CheckpointError.rollbackTargetChanged(model: model, expected: version, found: target)
            }
            state.activations.removeLast()
        }
    }

    package func load(model: String, version: Int) throws -> Checkpoint {
        state.withLock { $0.loads += 1 }
        while state.withLock(\.isHeld) { Thread.sleep(forTimeInterval: 0.001) }
        if let error = state.withLock(\.loadError) { throw error }
        try verify(model: model, version: version)
        guard let checkpoint = state.withLock({ $0.checkpoints[version] }) else { throw StoreDoubleError.unknown }
        return checkpoint
    }

    package func verify(model: String, version: Int) throws {
        guard !state.withLock({ $0.damaged.contains(version) }) else { throw StoreDoubleError.damaged }
    }

    package func aliases() -> [Alias] { state.withLock { $0.aliases.values.sorted { $0.name < $1.name } } }

    package func hasDamagedAliases() -> Bool { false }

    package func damage() -> [StoreDamage] { [] }

    package func reopenIfReplaced() throws {
        if let error = state.withLock(\.replacement) { throw error }
    }

    package func remove(model: String, version: Int) throws {
        try write { state in state.checkpoints[version] = nil }
    }

    package func setAlias(_ alias: Alias, ifRevision: Int?) throws -> Alias {
        if let contradiction = alias.contradiction { throw CheckpointError.invalid(reason: contradiction) }
        return try write { state in
            var alias = alias
            alias.revision = try state.revision(of: alias.name, expected: ifRevision) + 1
            state.aliases[alias.name] = alias
            return alias
        }
    }

    package func removeAlias(_ name: String, ifRevision: Int?) throws {
        try write { state in
            guard state.aliases[name] != nil else { throw CheckpointError.aliasNotFound(alias: name, available: []) }
            _ = try state.revision(of: name, expected: ifRevision)
            state.aliases[name] = nil
        }
    }

    package func itemChanges(of model: String) -> [ItemChange] { state.withLock(\.changes) }

    package func newestItemChange(of model: String) -> Int { state.withLock(\.newestChange) }

    package func attributeChanges(of model: String) -> [AttributeChange] { state.withLock(\.attributeChanges) }

    package func attributeChange(of item: String, in model: String) -> AttributeChange? {
        state.withLock { $0.attributeChanges.first { $0.item == item } }
    }

    package func changeItem(_ change: ItemChange, attributes: AttributeChange? = nil) throws -> RecordedChanges {
        let previous = try write { state in
            state.changes.removeAll { $0.item == change.item }
            state.changes.append(change)
            state.newestChange += 1
            return state.newestChange - 1
        }
        let recorded = try changeAttributes(attributes.map { [$0] } ?? [], of: change.model)
        return RecordedChanges(previous: previous, newest: recorded.newest)
    }

    package func changeAttributes(_ changes: [AttributeChange], of model: String) throws -> RecordedChanges {
        try write { state in
            let previous = state.newestChange
            for change in changes {
                var values: [String: AttributeValue?] = [:]
                if !change.replaces, let earlier = state.attributeChanges.first(where: { $0.item == change.item }) {
                    values = earlier.values
                }
                values.merge(change.values) { $1 }
                state.attributeChanges.removeAll { $0.item == change.item }
                state.attributeChanges.append(AttributeChange(model: change.model, item: change.item, values: values))
                state.newestChange += 1
            }
            return RecordedChanges(previous: previous, newest: state.newestChange)
        }
    }

    /// Imports a file whose text is a version's number, and rejects any other.
    package func importVersion(from path: String, activate: Bool) throws -> (model: String, version: Int, isNew: Bool) {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        guard let version = Int(text) else { throw CheckpointError.notAStore(path: path) }
        return try write { state in
            let isNew = state.checkpoints[version] == nil
            if isNew { state.checkpoints[version] = makeCheckpoint(version: version) }
            if activate { state.activations.append(version) }
            return ("m", version, isNew)
        }
    }

    package func prune(model: String, keeping: Int) throws -> [Int] {
        try write { state in
            let removed = state.checkpoints.keys.sorted().dropLast(keeping).filter { $0 != state.active }
            for version in removed { state.checkpoints[version] = nil }
            return removed
        }
    }

    private func write<Value>(_ body: (inout State) throws -> Value) throws -> Value {
        try state.withLock { state in
            if let refusal = state.refusal { throw refusal }
            return try body(&state)
        }
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
