/// The CPU level whose tiled kernels run; a CPU that lacks it runs the next lower one.
package enum TileLevel: Int32, CaseIterable, Sendable {
    /// The instructions that every CPU of the architecture has.
    case portable
    /// AVX2.
    case medium
    /// AVX-512.
    case wide
}

/// Gives kernels uninitialised memory that is aligned to a cache line.
@safe func withScratch(floats count: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) {
    unsafe withUnsafeTemporaryAllocation(byteCount: max(1, count) * MemoryLayout<Float>.stride, alignment: 64) {
        guard let base = $0.baseAddress else { return }
        unsafe body(base.bindMemory(to: Float.self, capacity: max(1, count)))
    }
}
