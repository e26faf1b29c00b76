/// A hash of bytes for a table in memory, with a key that each process draws when it starts (SipHash-1-3).
///
/// Nobody can choose texts that share a place in such a table. They would make each look-up search through all of them.
///
/// Another process computes other values: do not store them, and let no result depend on them.
public func keyedHash(_ bytes: Span<UInt8>) -> UInt64 {
    var hasher = Hasher()
    unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    return UInt64(bitPattern: Int64(hasher.finalize()))
}
