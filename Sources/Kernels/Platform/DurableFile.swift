#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A call that the system refused.
public struct SystemCallError: Error, Equatable, CustomStringConvertible {
    /// The call with its argument.
    public let call: String
    /// The value of `errno`.
    public let code: Int32

    /// The call and the system's error message.
    public var description: String { "\(call): \(unsafe String(cString: strerror(code)))" }

    /// Whether the file system had no space left.
    public var meansFullDisk: Bool { code == ENOSPC || code == EDQUOT }
}

/// Files that are complete as soon as their name exists, and survive a power loss.
public enum DurableFile {
    /// Renames a finished file atomically; it replaces a file of that name.
    ///
    /// The file's content is on the disk before the name, and the name is on the disk before this returns.
    ///
    /// - Parameters:
    ///   - part: The finished file, closed, in the same directory as `path`.
    ///   - path: Its name from now on.
    /// - Throws: ``SystemCallError``; then `path` is unchanged, unless flushing the directory failed.
    public static func move(_ part: String, to path: String) throws(SystemCallError) {
        try flush(part)
        guard unsafe rename(part, path) == 0 else { throw SystemCallError(call: "rename to '\(path)'", code: errno) }
        let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        try flush(directory)
    }

    /// Waits until a file's content or a directory's entries are on the disk.
    private static func flush(_ path: String) throws(SystemCallError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemCallError(call: "open '\(path)'", code: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw SystemCallError(call: "fsync '\(path)'", code: errno) }
    }
}
