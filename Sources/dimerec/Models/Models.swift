import ArgumentParser
import CheckpointStore
import Foundation

struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List, check and activate the versions of a store.",
        subcommands: [
            List.self, Show.self, Verify.self, Activate.self, Rollback.self, Prune.self, Export.self, Import.self,
            Publish.self, PublishSearch.self, PruneSearch.self, Aliases.self, Repair.self, Migrate.self,
        ]
    )

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the versions, one row each; a star marks the active one.",
            discussion: "A damaged version is marked as damaged, with the reason."
        )
        @OptionGroup var store: StoreFile
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            let store = try store.open(readOnly: true)
            let versions = try store.models().flatMap { model in
                try store.inventory(of: model).map { (model: model, stored: $0) }
            }
            if json {
                let rows = versions.map { $0.stored.fields(of: $0.model) }
                Terminal.print(JSONObject(["versions": rows]).line)
                return
            }
            for (model, stored) in versions {
                guard case .success(let version) = stored.summary else {
                    Terminal.print("! \(model) \(stored.number)  damaged: \(stored.reason ?? "")")
                    continue
                }
                let manifest = version.manifest
                let metrics = ["hr@20", "hr@50"].map { "\($0) " + String(format: "%.4f", manifest.metrics[$0] ?? 0) }
                Terminal.print(
                    "\(version.isActive ? "*" : " ") \(manifest.model) \(manifest.version)  \(manifest.createdAt)  "
                        + "\(manifest.items) items  validation \(metrics.joined(separator: "  "))  \(version.bytes) bytes"
                        + (manifest.judgement.map { "  judged: \($0.brief)" } ?? "")
                )
            }
            let notes = Set(versions.map(\.model)).sorted().compactMap { model in
                let manifests = versions.filter { $0.model == model }.compactMap {
                    try? $0.stored.summary.get().manifest
                }
                return CheckpointManifest.noteOfValidation(by: manifests)
            }
            Terminal.write(notes: notes)
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show all details of a version, including its recipe."
        )
        @OptionGroup var target: Target
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            let store = try target.store.open(readOnly: true)
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
            let store = try target.store.open(readOnly: true)
            let version = try target.resolve(in: store)
            try store.verify(model: target.model, version: version)
            Terminal.print(
                json
                    ? JSONObject(["model": target.model, "version": version, "ok": true]).line
                    : "\(target.model) version \(version) is intact"
            )
        }
    }

    struct Aliases: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the aliases, one row each.")
        @OptionGroup var store: StoreFile
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            let aliases = try store.open(readOnly: true).aliases()
            if json {
                let encoder = JSONEncoder()
                encoder.keyEncodingStrategy = .convertToSnakeCase
                let objects = try JSONSerialization.jsonObject(with: encoder.encode(aliases))
                Terminal.print(JSONObject(["aliases": objects]).line)
                return
            }
            for alias in aliases {
                let split = alias.split.map { "version \($0.version) \($0.percent) %" }.joined(separator: ", ")
                Terminal.print(
                    "\(alias.name)  \(alias.model)  \(split.isEmpty ? "the active version" : split)  "
                        + "shadow \(alias.shadow) %  \(alias.guard == nil ? "no guard" : "guarded")  "
                        + "revision \(alias.revision)"
                )
            }
        }
    }

    struct Migrate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Update a store of an older program to this program's schema."
        )
        @OptionGroup var store: StoreFile
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            let models = try store.open().models()
            Terminal.print(
                json
                    ? JSONObject(["store": store.path, "models": models]).line
                    : "\(store.path) has this program's schema"
            )
        }
    }

    struct StoreFile: ParsableArguments {
        @Option(name: .customLong("store"), help: "The store (SQLite).") var path: String

        /// Opens the store; does not create a missing file.
        func open(readOnly: Bool = false) throws -> CheckpointStore {
            guard FileManager.default.fileExists(atPath: path) else { throw CheckpointError.notFound(path: path) }
            return try CheckpointStore(path: path, readOnly: readOnly)
        }
    }

    struct Target: ParsableArguments {
        @OptionGroup var store: StoreFile
        @Option(help: "Name in the store.") var model: String
        @Option(help: "Version; the active one by default, but required by `activate`.") var version: Int?

        func resolve(in store: CheckpointStore) throws -> Int {
            try store.manifest(model: model, version: version).version
        }
    }
}

extension StoredVersion {
    /// Why the version cannot be read; nil when it can.
    var reason: String? {
        if case .failure(let error) = summary { "\(error)" } else { nil }
    }

    /// The fields of a version in JSON; a damaged version has a reason and no content.
    func fields(of model: String) -> [String: Any] {
        if case .success(let version) = summary { return version.fields }
        return ["model": model, "version": number, "damaged": true, "reason": reason ?? ""]
    }
}

extension VersionSummary {
    /// The fields of a version in lists and JSON.
    var fields: [String: Any] {
        var fields: [String: Any] = [
            "model": manifest.model, "version": manifest.version, "system": manifest.system, "active": isActive,
            "created_at": manifest.createdAt, "items": manifest.items, "dimension": manifest.dimension,
            "train_rows": manifest.trainRows, "seconds": manifest.seconds, "seed": manifest.seed,
            "build": manifest.build, "metrics": manifest.metrics, "bytes": bytes, "digest": digest,
            "data": [
                "split": manifest.data.split, "split_seed": manifest.data.splitSeed, "digests": manifest.data.digests,
            ],
        ]
        if let origin = manifest.origin { fields["from"] = ["model": origin.model, "version": origin.version] }
        if let log = manifest.log {
            fields["log"] =
                ["events": log.events, "users": log.users, "unit": log.unit, "newest": log.newest] as [String: Any]
        }
        if let judgement = manifest.judgement {
            fields["judgement"] =
                [
                    "replaced": judgement.replaced, "measure": judgement.measure, "rows": judgement.rows,
                    "old": judgement.old, "new": judgement.new, "low": judgement.low, "high": judgement.high,
                ] as [String: Any]
        }
        return fields
    }
}
