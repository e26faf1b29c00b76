#include "CKernels.h"
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#if defined(__GLIBC__)
#include <limits.h>
#include <malloc.h>
#endif

void ck_keep_freed_memory(void) {
#if defined(__GLIBC__)
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_TOP_PAD, 64 << 20);
#endif
}

void *ck_allocate(size_t bytes) {
    const size_t page = 2 << 20;
    size_t alignment = bytes >= 2 * page ? page : 64;
#if __has_feature(address_sanitizer)
    size_t size = bytes; // without places behind the last element, so that a read of one is found
#else
    size_t size = (bytes + alignment - 1) / alignment * alignment;
#endif
    void *memory;
    if (posix_memalign(&memory, alignment, size > 0 ? size : 1) != 0) return NULL;
#if defined(__linux__)
    if (alignment == page) madvise(memory, size, MADV_HUGEPAGE); // a failure only costs speed
#endif
    return memset(memory, 0, size);
}

void ck_free(void *memory) { free(memory); }
