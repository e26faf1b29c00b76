import CKernels

/// Settings of the C library's allocator.
public enum Allocator {
    /// Makes the allocator keep freed memory for reuse instead of returning it to the system.
    ///
    /// Training allocates and frees megabytes at each step. By default glibc maps and unmaps them, and the kernel
    /// clears every page again: 70 percent of a step on MovieLens 1M. Call this once before worker threads start. Do
    /// not call it for serving.
    public static func keepFreedMemory() { ck_keep_freed_memory() }
}
