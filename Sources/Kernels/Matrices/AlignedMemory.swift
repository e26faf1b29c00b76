import CKernels

/// Zeroed memory that starts at a cache line and lies on large pages where it is large.
///
/// Arrays start 32 bytes into their block, so that a 64-byte load from one always touches two cache lines; codes that are
/// streamed by the megabyte are kept here instead.
@safe final class AlignedMemory<Element: BitwiseCopyable>: @unchecked Sendable {
    /// How many elements there are.
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

    /// The elements of an array, then zeros up to `count` of them.
    convenience init(_ elements: [Element], count: Int? = nil) {
        self.init(count: max(count ?? 0, elements.count))
        unsafe elements.withUnsafeBufferPointer { source in
            guard let first = source.baseAddress else { return }
            unsafe base.update(from: first, count: source.count)
        }
    }

    /// A copy of the elements.
    var elements: [Element] { unsafe Array(UnsafeBufferPointer(start: base, count: count)) }

    /// Access for kernels; nobody else may use the memory while `body` writes.
    @safe func withPointer<Result>(_ body: (UnsafeMutablePointer<Element>) -> Result) -> Result { unsafe body(base) }
}
