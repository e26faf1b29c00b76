import ArgumentParser
import CheckpointStore
import Foundation

extension Models {
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Export a version as one file, written atomically."
        )
        @OptionGroup var target: Target
        @Option(help: "The file to write; an existing one is replaced.", completion: .file()) var output: String
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            let store = try target.store.open(readOnly: true)
            let version = try target.resolve(in: store)
            try store.export(model: target.model, version: version, to: output)
            let digest = try? store.versions(of: target.model).first { $0.manifest.version == version }?.digest
            let bytes = try? FileManager.default.attributesOfItem(atPath: output)[.size] as? Int ?? 0
            let fields: [String: Any] = [
                "model": target.model, "version": version, "path": output, "bytes": bytes ?? 0, "digest": digest ?? "",
            ]
            Terminal.print(
                json ? JSONObject(fields).line : "\(output)  \(bytes ?? 0) bytes  \(digest ?? "")",
                done: "'\(output)' is written"
            )
        }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Import a version from an exported file; creates the store if it is missing."
        )
        @Option(help: "The store (SQLite).") var store: String
        @Option(help: "The exported file.", completion: .file()) var file: String
        @Flag(inversion: .prefixedNo, help: "Activate the version, unless the store already has it.")
        var activate = true
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            let store = try CheckpointStore(path: store)
            let (model, version, isNew) = try store.importVersion(from: file, activate: activate)
            // The version is stored, so a failed read is no failure of the import.
            let isActive = (try? store.activeVersion(of: model)) == version
            let text =
                "\(model) version \(version) \(isNew ? "is stored" : "was there already") and is "
                + (isActive ? "active" : "not active")
            let fields: [String: Any] = ["model": model, "version": version, "new": isNew, "active": isActive]
            Terminal.print(json ? JSONObject(fields).line : text, done: text)
        }
    }
}
