#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// An exclusive lock on a file, among processes of one machine.
///
/// The system releases it when the process ends, however it ends, so a lock is never stale. The file stays, empty.
public struct FileLock: ~Copyable {
    private let descriptor: Int32

    /// Takes the lock without waiting; nil when another process holds it.
    ///
    /// It creates the file if it is missing.
    ///
    /// - Throws: ``SystemCallError``.
    public init?(path: String) throws(SystemCallError) {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw SystemCallError(call: "open '\(path)'", code: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(descriptor)
            guard code == EWOULDBLOCK else { throw SystemCallError(call: "flock '\(path)'", code: code) }
            return nil
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}
