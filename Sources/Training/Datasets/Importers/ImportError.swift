/// Why raw files did not become a folder of data.
public enum ImportError: Error, Equatable, CustomStringConvertible {
    /// There is something where the data should go.
    case folderInUse(String)
    /// A file or the folder cannot be written.
    case unwritable(path: String, reason: String)
    /// The filters left nothing of a part.
    case emptyPart(String, source: String)

    /// What is wrong and what to do about it.
    public var description: String {
        switch self {
        case .folderInUse(let path):
            "'\(path)' is there already and not an empty folder; remove it or name another with --out."
        case .unwritable(let path, let reason):
            "Cannot write '\(path)': \(reason)."
        case .emptyPart(let part, let source):
            "Nothing of '\(source)' is left for '\(part)' after the filters. Is the file whole? "
                + "A small one needs milder filters."
        }
    }
}
