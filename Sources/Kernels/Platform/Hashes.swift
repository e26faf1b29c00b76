/// A hash of bytes that is the same in every run and on every machine (FNV-1a): a number for a stream of draws.
///
/// Anybody can choose texts with equal hashes, so a table in memory needs ``keyedHash(_:)``.
public func stableHash(_ bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
}

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
