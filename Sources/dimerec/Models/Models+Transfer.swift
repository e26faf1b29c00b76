import ArgumentParser
import CheckpointStore
import Foundation

extension Models {
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a version as one closed file, which appears whole under its name."
        )
        @OptionGroup var target: Target
        @Option(help: "The file; one that has this name is replaced.", completion: .file()) var output: String
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
            abstract: "Store the version of an exported file; the store is created when missing."
        )
        @Option(help: "The store (SQLite).") var store: String
        @Option(help: "The exported file.", completion: .file()) var file: String
        @Flag(inversion: .prefixedNo, help: "Serve the version, unless the store holds it already.")
        var activate = true
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            let store = try CheckpointStore(path: store)
            let (model, version, isNew) = try store.importVersion(from: file, activate: activate)
            // The version is stored; that it cannot be read again is no failure of the import.
            let isActive = (try? store.activeVersion(of: model)) == version
            let text =
                "\(model) version \(version) \(isNew ? "is stored" : "was there already") and is "
                + (isActive ? "active" : "not active")
            let fields: [String: Any] = ["model": model, "version": version, "new": isNew, "active": isActive]
            Terminal.print(json ? JSONObject(fields).line : text, done: text)
        }
    }
}
