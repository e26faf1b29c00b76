import CKernels

/// Zeroed memory aligned to a cache line; large blocks use large pages.
///
/// A Swift array starts 32 bytes into its block, so every 64-byte load from it touches two cache lines. Codes that are
/// scanned by the megabyte are stored here instead.
@safe final class AlignedMemory<Element: BitwiseCopyable>: @unchecked Sendable {
    /// The number of elements.
    let count: Int
    private let base: UnsafeMutablePointer<Element>

    /// All elements zero.
    init(count: Int) {
        precondition(count >= 0, "\(count) elements")
        let bytes = max(1, count) * MemoryLayout<Element>.stride
        guard let memory = unsafe ck_allocate(bytes) else { fatalError("no memory for \(bytes) bytes") }
        self.count = count
        unsafe base = memory.bindMemory(to: Element.self, capacity: max(1, count))
    }

    deinit { unsafe ck_free(base) }

    /// The elements of an array, then zeros up to `count` elements.
    convenience init(_ elements: [Element], count: Int? = nil) {
        self.init(count: max(count ?? 0, elements.count))
        unsafe elements.withUnsafeBufferPointer { source in
            guard let first = source.baseAddress else { return }
            unsafe base.update(from: first, count: source.count)
        }
    }

    /// A copy of the elements.
    var elements: [Element] { unsafe Array(UnsafeBufferPointer(start: base, count: count)) }

    /// Gives kernels access; no other code may use the memory while `body` writes.
    @safe func withPointer<Result>(_ body: (UnsafeMutablePointer<Element>) -> Result) -> Result { unsafe body(base) }
}
