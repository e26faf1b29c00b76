import ArgumentParser
import Foundation
import Kernels
import Training

/// `inspect`: reports on a log before anything is trained.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Look at a log: its users, items and times, its faults, the split, and the systems that a model must beat.",
        discussion: """
            Prints the report as text. Nothing is trained by gradients and nothing is stored. The simple systems rank at most \
            2000 validation rows, so that the report takes seconds.
            """
    )

    @Argument(
        help: "Interactions: what --events of train takes; several are read as one log.",
        completion: .file()
    )
    var log: [String] = []
    @Option(help: "The same as an option, as the other commands have it; may be repeated.", completion: .file())
    var events: [String] = []
    @Option(help: "Items (CSV: item, optional title and categories), for titles.", completion: .file())
    var items: String?
    @OptionGroup var columns: ColumnOptions
    @OptionGroup var itemColumns: ItemColumnOptions
    @Option(help: "Also write the report as one HTML page with plots; replaces the file.", completion: .file())
    var html: String?
    @Flag(help: "Print one JSON object instead of text.") var json = false

    private var logs: [String] { log + events }

    func validate() throws {
        guard !logs.isEmpty else { throw ValidationError("Give a log, for example `dimerec inspect events.csv`.") }
        guard let html else { return }
        let files = try EventSource(logs).files.map { ($0, "the log itself") } + [(items ?? "", "the items file")]
        for (file, name) in files where !file.isEmpty {
            guard URL(filePath: html).standardizedFileURL != URL(filePath: file).standardizedFileURL else {
                throw ValidationError("--html names \(name); give another file.")
            }
        }
    }

    func run() throws {
        Allocator.keepFreedMemory()
        let columns = itemColumns.added(to: columns.names)
        let report = try LogReport(events: EventSource(logs), columns: columns, items: items)
        Terminal.write(notes: report.notes)
        if let html { try report.writePage(to: html) }
        Terminal.print(json ? String(decoding: try report.json, as: UTF8.self) : report.text)
    }
}
