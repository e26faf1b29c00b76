import CheckpointStore
import Foundation
import GRDB
import Kernels
import Testing

/// A directory for the files of one test, removed with this value.
final class TemporaryDirectory: Sendable {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "dimerec-store-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    /// The path of a file in the directory.
    func path(_ name: String = "store.sqlite") -> String { url.appending(path: name).path }

    /// Writes a file and returns its path.
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        try Data(bytes).write(to: url.appending(path: name))
        return path(name)
    }

    /// A file's bytes.
    func bytes(_ name: String = "store.sqlite") throws -> [UInt8] {
        try Array(Data(contentsOf: url.appending(path: name)))
    }

    /// A store with small chunks, so that small matrices need several.
    func store(chunkBytes: Int = 64, readOnly: Bool = false, busyTimeout: Double = 10) throws -> CheckpointStore {
        try CheckpointStore(path: path(), readOnly: readOnly, chunkBytes: chunkBytes, busyTimeout: busyTimeout)
    }

    /// Statements that another program runs on the file.
    func execute(_ sql: String) throws {
        try DatabaseQueue(path: path()).writeWithoutTransaction { try $0.execute(sql: sql) }
    }
}

enum Fixtures {
    /// A small version in which every number depends on `tag`.
    static func checkpoint(_ tag: Int = 1, model: String = "ml", items: Int = 12) -> Checkpoint {
        let generator = CounterBasedGenerator(seed: UInt64(tag), purpose: .simulation)
        var manifest = CheckpointManifest(
            model: model,
            system: "dimerec",
            recipe: #"{"hidden":8,"tag":\#(tag)}"#,
            seed: .max - UInt64(tag),
            build: "0.1 x86-64-v4 \"SkylakeX\"",
            dimension: 4,
            items: items,
            trainRows: 1000 + tag,
            seconds: 0.1 + Double(tag),
            metrics: ["hr@20": 0.1, "ndcg@50": 1.0 / 3],
            data: DataFingerprint(split: "users", splitSeed: .max, digests: ["events": "00ff"])
        )
        manifest.version = -7
        return Checkpoint(
            manifest: manifest,
            parameters: [
                "items": generator.normalRows(streams: (0..<UInt64(items)).map { $0 }, columns: 4),
                "denoiser/0/weights": generator.normalRows(streams: [90, 91, 92], columns: 33),
                "\u{301}bias": Matrix(rows: 1, columns: 1, repeating: Float(tag)),
                "empty": Matrix(rows: 0, columns: 4),
                "narrow": Matrix(rows: 3, columns: 0),
            ],
            catalogue: Catalogue(
                ids: (0..<items).map { "i\($0)" },
                titles: (0..<items).map { "Title \(tag) of \($0)" },
                categoryNames: ["Comedy", "Horror", "Western"],
                categories: (0..<items).map { $0 % 3 == 0 ? [] : [Int32($0 % 3), 0] },
                attributes: attributes(tag, items: items)
            ),
            popularity: (0..<Int32(items)).reversed(),
            index: (0..<200).map { UInt8(truncatingIfNeeded: $0 &* tag) }
        )
    }

    /// One attribute of each type, with missing values.
    static func attributes(_ tag: Int, items: Int) -> [AttributeColumn] {
        func numbers(_ type: AttributeType, _ value: (Int) -> Double) -> AttributeColumn {
            let values = (0..<items).map { $0 % 4 == 1 ? .nan : value($0) }
            return AttributeColumn(name: "of type \(type.rawValue)", type: type, values: .numbers(values))
        }
        return [
            numbers(.number) { Double($0) / 3 - Double(tag) }, numbers(.integer) { Double($0) - 0x1p53 + Double(tag) },
            numbers(.boolean) { $0 % 2 == 0 ? 1 : 0 }, numbers(.time) { 1.7e9 + Double($0) / 8 + Double(tag) },
            AttributeColumn(
                name: "\u{301}/keyword",
                type: .keyword,
                values: .texts(
                    names: ["", "a|b", "\(tag)"],
                    lists: (0..<items).map { $0 % 4 == 3 ? [] : [Int32($0 % 4)] }
                )
            ),
            AttributeColumn(
                name: "keywords",
                type: .keywords,
                values: .texts(names: ["x", "y"], lists: (0..<items).map { [[], [1, 0], [0]][$0 % 3] })
            ),
        ]
    }

    /// A state in which every number depends on `tag`.
    static func state(_ tag: Int = 1) -> TrainingState {
        TrainingState(
            TrainingState.Header(
                recipe: #"{"a":1}"#,
                fingerprint: DataFingerprint(
                    split: "time",
                    splitSeed: 3,
                    digests: ["train": "ab", "validation": "cd"]
                ),
                seed: .max,
                step: 1000 + tag,
                json: #"{"best":0.25}"#
            ),
            matrices: [
                "w": Matrix(rows: 40, columns: 3, repeating: Float(tag)),
                "m/w": Matrix(rows: 40, columns: 3, repeating: .nan),
            ]
        )
    }
}

/// Expects two versions to be equal, NaN included, except for values that the store assigns.
func expectSame(_ found: Checkpoint, _ expected: Checkpoint, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(isSame(found, expected), sourceLocation: sourceLocation)
}

func isSame(_ found: Checkpoint, _ expected: Checkpoint) -> Bool {
    var manifest = found.manifest
    manifest.version = expected.manifest.version
    manifest.createdAt = expected.manifest.createdAt
    func bits(_ matrices: [String: Matrix]) -> [String: [UInt32]] {
        matrices.mapValues { $0.shape.map { UInt32($0) } + $0.elements.map(\.bitPattern) }
    }
    return manifest == expected.manifest
        && bits(found.parameters) == bits(expected.parameters)
        && found.catalogue.ids.map { Array($0.utf8) } == expected.catalogue.ids.map { Array($0.utf8) }
        && found.catalogue == expected.catalogue
        && found.popularity == expected.popularity
        && found.index == expected.index
}
