import ArgumentParser
import CheckpointStore
import Foundation
import Serving
import ShardedSearch
import Training

extension Models {
    struct PublishSearch: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put the items of a version into PostgreSQL servers, where services with SEARCH find them.",
            discussion: """
                Each server needs the extension pgvector and gets an equal share of the items, in a table of its own for the \
                version. The command builds the index and chooses its effort by the recall. Only then may a service \
                activate the version. Repeat the command if it was interrupted. It leaves a complete version as it is.
                """
        )
        @OptionGroup var target: Target
        @OptionGroup var servers: SearchServers
        @Option(
            help: "ivfflat (inverted lists) or hnsw (a graph).",
            transform: { text in
                guard let kind = SearchIndexKind(rawValue: text) else {
                    throw ValidationError("--index must be ivfflat or hnsw; got '\(text)'.")
                }
                return kind
            }
        )
        var index = SearchIndexKind.ivfflat
        @Option(
            help: "The numbers in the index: half (16 bits) or single (32 bits); half needs pgvector 0.7.",
            transform: { text in
                guard let precision = IndexPrecision(rawValue: text) else {
                    throw ValidationError("Write half or single; got '\(text)'.")
                }
                return precision
            }
        )
        var precision = IndexPrecision.half
        @Option(help: "HNSW: neighbours of a vector (m), 2 to 100.") var neighbours = 16
        @Option(help: "HNSW: candidates for neighbours (ef_construction), 4 to 1000, at least twice --neighbours.")
        var competing = 128
        @Option(help: "The recall of 50 items for which the effort is chosen, 0 to 1.") var recall = 0.98
        @Option(
            help: "Choose the effort for the newest histories of these events (CSV), not for made-up ones.",
            completion: .file()
        )
        var historyFrom: String?
        @OptionGroup var columns: ColumnOptions
        @Option(help: "Memory of each server for the build (maintenance_work_mem), in MiB; limits the number of lists.")
        var buildMemoryMB = 512
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            try ValidationError.require("--neighbours", neighbours, in: 2...100)
            try ValidationError.require("--competing", competing, in: 4...1000)
            guard competing >= 2 * neighbours else {
                throw ValidationError(
                    "--competing must be at least twice --neighbours; got \(competing) and \(neighbours)."
                )
            }
            try ValidationError.require("--recall", recall, in: 0...1)
            try ValidationError.require("--build-memory-mb", buildMemoryMB, in: 1...1_000_000)
        }

        func run() throws {
            let store = try target.store.open(readOnly: true)
            let version = try target.resolve(in: store)
            guard let summary = try store.versions(of: target.model).first(where: { $0.manifest.version == version })
            else { return }
            var options = ShardPublication.Options()
            options.kind = index
            options.precision = precision
            options.neighbours = neighbours
            options.competing = competing
            options.recall = recall
            options.memory = buildMemoryMB
            let checkpoint = try store.load(model: target.model, version: version)
            options.histories = try histories(of: checkpoint)
            let report = try ShardPublication(to: servers.addresses).publish(
                checkpoint,
                digest: summary.digest,
                with: .standard(),
                options: options,
                onStep: { Terminal.write("\($0)\n") }
            )
            if let reached = report.recall, reached < recall {
                Terminal.write(
                    "warning: the index reaches a recall of \(reached) with its largest effort, not \(recall); a service"
                        + " refuses it below MIN_RECALL. Remove the version and publish it with "
                        + (report.precision == .single ? "" : "--precision single or ") + "another --index.\n"
                )
            }
            if report.lacksHalf {
                Terminal.write(
                    "note: a server has a pgvector below 0.7, which has no half precision, so the index is single\n"
                )
            }
            var fields: [String: Any] = [
                "model": target.model, "version": version, "items": report.items, "was_complete": report.wasComplete,
                "precision": report.precision.rawValue,
                "lacks_half": report.lacksHalf,
            ]
            if let effort = report.effort, let recall = report.recall {
                fields["effort"] = effort
                fields["recall"] = recall
            }
            if let madeUp = report.madeUpRecall {
                fields["made_up_recall"] = madeUp
                Terminal.write(
                    "note: made-up histories reach a recall of \(madeUp) with this effort; a service checks a version with"
                        + " made-up histories too, so its MIN_RECALL must not be above this.\n"
                )
            }
            let items = report.items.map(String.init).joined(separator: " + ")
            let text =
                "\(target.model) version \(version) can be searched: \(items) items, \(report.precision.rawValue) precision"
                + (report.recall.map { ", effort \(report.effort ?? 0), recall " + String(format: "%.4f", $0) } ?? "")
            Terminal.print(json ? JSONObject(fields).line : text, done: text)
        }

        /// The newest histories of the log; empty without one.
        private func histories(of checkpoint: Checkpoint) throws -> [[Int32]] {
            guard let historyFrom else { return [] }
            var vocabulary = ItemVocabulary(ids: checkpoint.catalogue.ids)
            let events = try InteractionDataset.load(
                events: EventSource([historyFrom]),
                columns: columns.names.preferring(checkpoint.manifest.columns),
                targets: Recipe(stored: checkpoint.manifest.recipe).data.targets,
                vocabulary: &vocabulary,
                unknownItems: .mark
            )
            Terminal.write(notes: events.notes)
            let histories = events.newestHistories(256)
            guard !histories.isEmpty else {
                throw ValidationError(
                    "\(historyFrom) names no item of version \(checkpoint.manifest.version); give a log with its items."
                )
            }
            return histories
        }
    }

    struct PruneSearch: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove the versions from PostgreSQL servers that the store no longer has.",
            discussion: "Run it after `models prune`. Services that still serve such a version lose its items."
        )
        @OptionGroup var store: StoreFile
        @Option(help: "Name in the store.") var model: String
        @OptionGroup var servers: SearchServers
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            let kept = Set(try store.open(readOnly: true).inventory(of: model).map(\.number))
            let removed = try ShardPublication(to: servers.addresses).remove(versionsOf: model, keeping: kept)
            let list = removed.map(String.init).joined(separator: ", ")
            let text = "\(model): removed \(removed.isEmpty ? "nothing" : "versions \(list)")"
            Terminal.print(json ? JSONObject(["model": model, "removed": removed]).line : text, done: text)
        }
    }

    struct SearchServers: ParsableArguments {
        @Option(
            name: .customLong("to"),
            help:
                "The servers, separated by commas: postgres://user:password@host:port/database; the order is that of SEARCH."
        )
        var list: String

        var addresses: [String] {
            list.split(separator: ",", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }
}
