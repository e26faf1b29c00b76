#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A call that the system refused.
public struct SystemCallError: Error, Equatable, CustomStringConvertible {
    /// The call and what it was applied to.
    public let call: String
    /// The value of `errno`.
    public let code: Int32

    /// The call and the system's words.
    public var description: String { "\(call): \(unsafe String(cString: strerror(code)))" }

    /// Whether the file system had no space left.
    public var meansFullDisk: Bool { code == ENOSPC || code == EDQUOT }
}

/// Files that appear under their name whole, and stay there after a power loss.
public enum DurableFile {
    /// Gives a finished file its name, in place of whatever has that name, in one step.
    ///
    /// The file reaches the disk before the name does, and the name before this returns.
    ///
    /// - Parameters:
    ///   - part: The finished file, closed, in the same directory as `path`.
    ///   - path: Its name from now on.
    /// - Throws: ``SystemCallError``; then `path` is what it was, unless flushing the directory failed.
    public static func move(_ part: String, to path: String) throws(SystemCallError) {
        try flush(part)
        guard unsafe rename(part, path) == 0 else { throw SystemCallError(call: "rename to '\(path)'", code: errno) }
        let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        try flush(directory)
    }

    /// Waits until a file's content, or a directory's names, are on the disk.
    private static func flush(_ path: String) throws(SystemCallError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemCallError(call: "open '\(path)'", code: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw SystemCallError(call: "fsync '\(path)'", code: errno) }
    }
}
