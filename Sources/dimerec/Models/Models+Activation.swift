import ArgumentParser
import CheckpointStore
import Foundation

extension Models {
    struct Activate: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Activate a version, so that the service serves it.")
        @OptionGroup var target: Target
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            guard target.version != nil else {
                throw ValidationError("Name the version with --version; `dimerec models list` lists them.")
            }
        }

        func run() throws {
            let store = try target.store.open()
            let version = try target.resolve(in: store)
            try store.activate(model: target.model, version: version)
            Terminal.printActive(version, of: target.model, json: json)
        }
    }

    struct Rollback: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Activate the previously active version; repeat to go back further."
        )
        @OptionGroup var store: StoreFile
        @Option(help: "Name in the store.") var model: String
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            Terminal.printActive(try store.open().rollback(model: model), of: model, json: json)
        }
    }

    struct Prune: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Remove old versions, except the active one, those of an alias and the one that a rollback would activate."
        )
        @OptionGroup var store: StoreFile
        @Option(help: "Name in the store.") var model: String
        @Option(help: "How many of the newest versions to keep.") var keep: Int
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            try ValidationError.require("--keep", keep, in: 1...)
        }

        func run() throws {
            let store = try store.open()
            let removed = try store.prune(model: model, keeping: keep)
            let kept = ((try? store.inventory(of: model)) ?? []).map(\.number)
            let list = { (numbers: [Int]) in
                numbers.isEmpty ? "nothing" : "versions " + numbers.map(String.init).joined(separator: ", ")
            }
            let text = "\(model): removed \(list(removed)); kept \(list(kept))"
            if json {
                Terminal.print(JSONObject(["model": model, "removed": removed, "kept": kept]).line, done: text)
                return
            }
            Terminal.print(text, done: text)
        }
    }
}

extension Terminal {
    fileprivate static func printActive(_ version: Int, of model: String, json: Bool) {
        let text = "\(model) version \(version) is active"
        print(json ? JSONObject(["model": model, "version": version, "active": true]).line : text, done: text)
    }
}
