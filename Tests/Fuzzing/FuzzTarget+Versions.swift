import CheckpointStore
import Foundation
import HTTPAPI
import Kernels
import Recommenders
import Serving
import Training
import VectorIndex

/// Small versions with parts that do not fit each other, as a file from elsewhere may hold them under right digests.
extension FuzzTarget {
    /// Changes one of the versions, builds it, and asks it if it can be served.
    ///
    /// The first byte chooses the version. Five bytes make a change: its kind, a part, a place in it (two), a value.
    static func version(_ bytes: [UInt8]) {
        var reader = LittleEndianReader(bytes)
        guard let choice = reader.integer(UInt8.self) else { return }
        var checkpoint = versions[Int(choice) % versions.count]
        var isChanged = false
        while let kind = reader.integer(UInt8.self), let part = reader.integer(UInt8.self),
            let place = reader.integer(UInt16.self), let value = reader.integer(UInt8.self)
        {
            isChanged = true
            change(&checkpoint, kind: kind % 8, part: Int(part), place: Int(place), value: Int(value))
        }
        let builder = SnapshotBuilder.standard(warmUpRequests: 1, minRecall: 0)
        let snapshot: ServingSnapshot
        do {
            snapshot = try builder.build(checkpoint, generation: 1)
        } catch {
            precondition(isChanged, "an unchanged version is refused: \(error)")
            return
        }
        let service = RetrievalService(holder: RoutingHolder(RoutingTable(snapshot)))
        for item in 0..<items {
            var request = RetrievalRequest(history: ["i\(item)", "i\((item + 5) % items)"], k: items)
            (request.exact, request.explain, request.excludeHistory) = (item % 2 == 0, true, item % 3 == 0)
            guard var response = try? service.retrieve(request, workspace: RetrievalWorkspace()) else { continue }
            var writer = JSONWriter()
            response.write(to: &writer, request: request, requestID: [])
            precondition((try? JSONReader.validate(writer.bytes)) != nil, "an answer is not JSON")
        }
    }

    /// An unchanged version each, and each kind of change.
    static var changedVersions: [[UInt8]] {
        recipes.indices.map { [UInt8($0)] } + (0..<8).map { [0, UInt8($0), 3, 5, 0, 4, UInt8($0), 0, 1, 0, 2] }
    }

    private static let items = 12
    private static let sequences = RaggedRows(
        (0..<20).map { user -> [Int32] in
            (0..<6).map { place -> Int32 in Int32((user * 5 + place * place) % items) }
        }
    )
    private static let recipes = [
        #"{"model":{"dimension":8,"historyLength":4,"interests":2,"steps":3,"denoiser":{"hidden":8},"guidance":{"hidden":8}}}"#,
        #"{"system":"bert4rec","model":{"dimension":8,"historyLength":4,"blocks":1,"heads":2,"hidden":8}}"#,
        #"{"system":"mult-vae","model":{"dimension":8,"historyLength":4,"hidden":8,"latent":4}}"#,
        #"{"system":"transitions"}"#, #"{"system":"vsknn"}"#, #"{"system":"item-knn"}"#,
    ]

    private static let versions: [Checkpoint] = recipes.map { json in
        do {
            let recipe = try Recipe(json: Data(json.utf8))
            func fresh<Model: TrainedRecommender>(_ system: Model.Type) -> any Recommender {
                Model(Model.own(recipe.configuration), items: items, seed: 3)
            }
            func fitted<Model: FittedRecommender>(_ system: Model.Type) throws -> any Recommender {
                try Model(Model.own(recipe.configuration), fitting: sequences, items: items)
            }
            let system = try ModelRegistry.system(named: recipe.system)
            let model: any Recommender
            if let system = system as? any FittedRecommender.Type {
                model = try fitted(system)
            } else if let system = system as? any TrainedRecommender.Type {
                model = fresh(system)
            } else {
                preconditionFailure("'\(recipe.system)' learns nothing")
            }
            let hasVectors = model.itemSpace.vectors != nil
            var counts = CountScores(counting: sequences, items: items, CountConfiguration())
            for lane in 0..<CountScores.termCount { counts.weights[lane] = 0.1 }
            let space = SearchSpace(model.itemSpace)
            let index: any VectorIndex =
                hasVectors ? try IndexFormat.build(vectors: space.items) : ScoreIndex(count: items)
            return Checkpoint(
                manifest: CheckpointManifest(
                    model: "m",
                    system: recipe.system,
                    recipe: recipe.json,
                    seed: 1,
                    build: "test",
                    dimension: space.dimension,
                    items: items,
                    trainRows: 1,
                    seconds: 1,
                    metrics: [:],
                    data: DataFingerprint(split: "users", splitSeed: 1, digests: [:])
                ),
                parameters: CountedRecommender(model, counts: hasVectors ? counts : nil).matrices,
                catalogue: Catalogue(
                    ids: (0..<items).map { "i\($0)" },
                    categoryNames: ["a", "b"],
                    categories: (0..<items).map { [Int32($0 % 2)] }
                ),
                popularity: (0..<Int32(items)).map(\.self),
                index: index.serialised()
            )
        } catch {
            preconditionFailure("no version of \(json): \(error)")
        }
    }

    private static let floats: [Float] = [
        0, -1, 1, 0.5, 11, 12, 13, 1e6, 16_777_216, 1e30, .greatestFiniteMagnitude, -.greatestFiniteMagnitude,
        .leastNonzeroMagnitude, .nan, .infinity,
    ]
    private static let sizes = [0, 1, 2, 7, 8, 9, 11, 12, 13, 24, 65_536, 1 << 32, 1 << 40, .max]
    private static let numbers = [
        "0", "-1", "1", "2", "3", "1000", "1e9", "9223372036854775807", "1e308", "null", "\"x\"",
    ]

    private static func change(_ checkpoint: inout Checkpoint, kind: UInt8, part: Int, place: Int, value: Int) {
        let names = checkpoint.parameters.keys.sorted()
        let name = names.isEmpty ? "" : names[part % names.count]
        switch kind {
        case 0:
            guard let matrix = checkpoint.parameters[name], matrix.count > 0 else { return }
            let position = place % matrix.count
            checkpoint.parameters[name]?[position / matrix.columns, position % matrix.columns] =
                floats[value % floats.count]
        case 1:
            let (rows, columns) = (sizes[place % sizes.count], sizes[value % sizes.count])
            let (count, overflow) = rows.multipliedReportingOverflow(by: columns)
            guard !name.isEmpty, !overflow, count <= 4096 else { return }
            let own = checkpoint.parameters[name]?.elements.prefix(count) ?? []
            let elements = Array(own) + [Float](repeating: 0, count: count - own.count)
            checkpoint.parameters[name] = Matrix(rows: rows, columns: columns, elements: elements)
        case 2: checkpoint.parameters[name] = nil
        case 3:
            // Replaces the number at a place of the recipe.
            let text = Array(checkpoint.manifest.recipe.utf8)
            let digits = text.indices.filter { 0x30...0x39 ~= text[$0] }
            guard !digits.isEmpty else { return }
            let start = digits[place % digits.count]
            let end = text[start...].firstIndex { !(0x30...0x39 ~= $0) } ?? text.count
            checkpoint.manifest.recipe = String(
                decoding: text[..<start] + numbers[value % numbers.count].utf8 + text[end...],
                as: UTF8.self
            )
        case 4: checkpoint.index[place % checkpoint.index.count] = UInt8(value)
        case 5: checkpoint.popularity[place % checkpoint.popularity.count] = Int32(clamping: sizes[value % sizes.count])
        case 6:
            if part % 2 == 0 {
                checkpoint.manifest.dimension = sizes[value % sizes.count]
            } else {
                checkpoint.manifest.items = sizes[value % sizes.count]
            }
        default:
            let item = place % items
            if part % 2 == 0 {
                checkpoint.catalogue.ids[item] = "i\(value % items)"
            } else {
                checkpoint.catalogue.categories[item] = [Int32(clamping: sizes[value % sizes.count]), -1]
            }
        }
    }
}
