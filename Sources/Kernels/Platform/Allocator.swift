import CKernels

/// How the C library's allocator treats large blocks.
public enum Allocator {
    /// Keeps freed memory for reuse instead of giving it back to the system after every large matrix.
    ///
    /// Training allocates and frees megabytes at each step; by default glibc maps and unmaps them, and the kernel clears
    /// every page again: 70 percent of a step on MovieLens 1M. Call it once, before worker threads start; serving does not
    /// want it.
    public static func keepFreedMemory() { ck_keep_freed_memory() }
}
