import CKernels

/// Protects this process from malicious SQLite files.
public enum DatabaseConfinement {
    /// Confines every connection that the process opens from now on.
    ///
    /// Connections use defensive mode and do not trust the file's own schema. Columns, the depth of expressions and of
    /// triggers, and the length of statements have low limits. Calling it again changes nothing.
    public static func begin() { ck_confine_databases() }

    /// Limits the connections to untrusted files that `body` opens on this thread; they cannot attach other files.
    ///
    /// - Parameters:
    ///   - valueBytes: The largest text or blob, in bytes.
    ///   - steps: The number of steps after which a statement ends with `SQLITE_INTERRUPT`.
    ///   - body: Opens the connections.
    /// - Returns: The result of `body`.
    public static func bounded<Value>(valueBytes: Int, steps: Int, _ body: () throws -> Value) rethrows -> Value {
        ck_bound_databases(Int32(clamping: valueBytes), Int32(clamping: steps))
        defer { ck_bound_databases(0, 0) }
        return try body()
    }
}
