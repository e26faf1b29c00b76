/// Why an import of raw files failed.
public enum ImportError: Error, Equatable, CustomStringConvertible {
    /// The target folder exists and is not empty.
    case folderInUse(String)
    /// A file or the folder cannot be written.
    case unwritable(path: String, reason: String)
    /// The filters removed every interaction of a part.
    case emptyPart(String, source: String)
    /// Sessions and a split by time need a column of times.
    case noTimes(String)

    /// What is wrong and what to do about it.
    public var description: String {
        switch self {
        case .folderInUse(let path):
            "'\(path)' already exists and is not an empty folder; remove it or choose another folder with --out."
        case .unwritable(let path, let reason):
            "Cannot write '\(path)': \(reason)."
        case .emptyPart(let part, let source):
            "No interactions of '\(source)' are left for '\(part)' after the filters. Is the file complete? "
                + "For a small file, lower the minimums."
        case .noTimes(let source):
            "'\(source)' has no column of times, so it has no sessions and no split by time. Name the column with "
                + "--time-column."
        }
    }
}
