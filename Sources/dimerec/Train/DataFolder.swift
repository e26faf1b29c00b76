import ArgumentParser
import Foundation
import Training

/// The files of a data set in a folder, as the commands of `import` write them.
///
/// A log is `events.csv`, or the parts `train.csv`, `validation.csv` and `test.csv`. Instead of a file there may be a folder
/// of files, and the ending may be that of another format or of a compressed file.
struct DataFolder {
    /// The log; nil when the parts are separate.
    let events: String?
    /// The parts; nil ones are missing.
    let (train, validation, test): (String?, String?, String?)
    /// The file of items; nil without one.
    let items: String?

    /// Finds the files.
    ///
    /// - Throws: `ValidationError` when there is neither a log nor a training part with a validation part.
    init(_ path: String) throws {
        guard Self.type(of: path) != .typeRegular else {
            throw ValidationError("--data: '\(path)' is a file; give a folder, or the file with --events.")
        }
        func file(_ name: String) -> String? {
            let endings = ["csv", "tsv", "jsonl"].flatMap { ending in ["", ".gz", ".zst"].map { ".\(ending)\($0)" } }
            return (endings + [""]).map { "\(path)/\(name)\($0)" }
                .first(where: FileManager.default.fileExists(atPath:))
        }
        events = file("events")
        (train, validation, test) =
            events == nil ? (file("train"), file("validation"), file("test")) : (nil, nil, nil)
        items = try file("items").map(Self.onlyFile)
        guard events != nil || train != nil && validation != nil else {
            throw ValidationError(
                "--data: '\(path)' has neither events.csv nor train.csv with validation.csv; give a file of another name "
                    + "with --events."
            )
        }
    }

    /// The only file of a folder; a path that is no folder stays.
    private static func onlyFile(_ path: String) throws -> String {
        guard type(of: path) == .typeDirectory else { return path }
        let files = try EventSource([path]).files
        guard files.count == 1 else {
            throw ValidationError("'\(path)' has \(files.count) files; items must be in one.")
        }
        return files[0]
    }

    private static func type(of path: String) -> FileAttributeType? {
        try? FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
    }
}
