import ArgumentParser
import CheckpointStore
import Foundation

struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look at and choose among the versions of a store.",
        subcommands: [List.self, Show.self, Verify.self, Activate.self]
    )

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "A row for each version.")
        @Option(help: "The store (SQLite).") var store: String
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            let store = try CheckpointStore(path: store, readOnly: true)
            let versions = try store.models().flatMap { try store.versions(of: $0) }
            if json {
                Terminal.print(JSONObject(["versions": versions.map(\.fields)]).line)
                return
            }
            for version in versions {
                let manifest = version.manifest
                let metrics = ["hr@20", "hr@50"].map { "\($0) " + String(format: "%.4f", manifest.metrics[$0] ?? 0) }
                Terminal.print(
                    "\(version.isActive ? "*" : " ") \(manifest.model) \(manifest.version)  \(manifest.createdAt)  "
                        + "\(manifest.items) items  \(metrics.joined(separator: "  "))  \(version.bytes) bytes"
                )
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Everything known about a version.")
        @OptionGroup var target: Target
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            let store = try CheckpointStore(path: target.store, readOnly: true)
            let version = try target.resolve(in: store)
            guard let summary = try store.versions(of: target.model).first(where: { $0.manifest.version == version })
            else { return }
            if json {
                var object = JSONObject(summary.fields)
                object["recipe"] = try JSONSerialization.jsonObject(with: Data(summary.manifest.recipe.utf8))
                Terminal.print(object.line)
                return
            }
            for (key, value) in summary.fields.sorted(by: { $0.key < $1.key }) { Terminal.print("\(key): \(value)") }
            Terminal.print("recipe: \(summary.manifest.recipe)")
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Check every stored byte of a version.")
        @OptionGroup var target: Target
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            let store = try CheckpointStore(path: target.store, readOnly: true)
            let version = try target.resolve(in: store)
            try store.verify(model: target.model, version: version)
            Terminal.print(
                json
                    ? JSONObject(["model": target.model, "version": version, "ok": true]).line
                    : "\(target.model) version \(version) is intact"
            )
        }
    }

    struct Activate: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Choose the version that is served.")
        @OptionGroup var target: Target
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            guard target.version != nil else { throw ValidationError("Name the version with --version.") }
        }

        func run() throws {
            let store = try CheckpointStore(path: target.store)
            let version = try target.resolve(in: store)
            try store.activate(model: target.model, version: version)
            Terminal.print(
                json
                    ? JSONObject(["model": target.model, "version": version, "active": true]).line
                    : "\(target.model) version \(version) is active"
            )
        }
    }

    struct Target: ParsableArguments {
        @Option(help: "The store (SQLite).") var store: String
        @Option(help: "Name in the store.") var model: String
        @Option(help: "Version; the active one by default.") var version: Int?

        func resolve(in store: CheckpointStore) throws -> Int {
            try store.manifest(model: model, version: version).version
        }
    }
}

extension VersionSummary {
    /// What lists and JSON show of a version.
    var fields: [String: Any] {
        [
            "model": manifest.model, "version": manifest.version, "system": manifest.system, "active": isActive,
            "created_at": manifest.createdAt, "items": manifest.items, "dimension": manifest.dimension,
            "train_rows": manifest.trainRows, "seconds": manifest.seconds, "seed": manifest.seed,
            "build": manifest.build, "metrics": manifest.metrics, "bytes": bytes, "digest": digest,
            "data": [
                "split": manifest.data.split, "split_seed": manifest.data.splitSeed, "digests": manifest.data.digests,
            ],
        ]
    }
}
