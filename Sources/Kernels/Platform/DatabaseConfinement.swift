import CKernels

/// What SQLite files may do to this process.
public enum DatabaseConfinement {
    /// Confines every connection that the process opens from now on: defensive mode, no trust in the file's own schema,
    /// and low limits on columns, the depth of expressions and of triggers, and the length of statements.
    ///
    /// Calling it again changes nothing.
    public static func begin() { ck_confine_databases() }

    /// Bounds the connections that `body` opens on this thread, for files that come from elsewhere; they attach no file.
    ///
    /// - Parameters:
    ///   - valueBytes: The longest text or blob.
    ///   - steps: The most steps of a statement before it ends with `SQLITE_INTERRUPT`.
    ///   - body: Opens connections.
    /// - Returns: What `body` returns.
    public static func bounded<Value>(valueBytes: Int, steps: Int, _ body: () throws -> Value) rethrows -> Value {
        ck_bound_databases(Int32(clamping: valueBytes), Int32(clamping: steps))
        defer { ck_bound_databases(0, 0) }
        return try body()
    }
}
