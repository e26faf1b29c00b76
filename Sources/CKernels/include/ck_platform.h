// Memory, the process, SQLite and SHA-256: the files of Platform.
// CKernels.h has the rules for all functions.
#ifndef CK_PLATFORM_H
#define CK_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

// MARK: Memory.
// Zeroed memory, aligned to a cache line; large blocks use large pages. Returns NULL when there is no memory.
void *ck_allocate(size_t bytes);
void ck_free(void *memory);

// MARK: The C library's allocator.
// Makes the allocator keep freed blocks for reuse: one arena, no mmap below 32 MiB, no memory returned to the system.
void ck_keep_freed_memory(void);

// MARK: The process.
// Restarts this process (exec) with one more environment variable. Returns only when the restart fails.
void ck_restart_with(const char *name, const char *value);
// The CPU level whose clones run on this CPU: 0 the architecture's baseline, 1 x86-64-v3, 2 x86-64-v4.
int ck_cpu_level(void);
// Takes the calling thread out of a real-time policy and sets its nice value. Linux keeps both per thread. No effect on
// other systems.
void ck_lower_thread_priority(int nice);
// The number of cores that the calling thread may run on; 0 where the system does not say.
size_t ck_cores(void);
// Lets the calling thread, and all threads that it starts, run only on one of `shares` equal parts of the cores. Returns 1
// when it did, 0 when the thread was confined to some cores before, or the system cannot do it.
int ck_take_share_of_cores(size_t share, size_t shares);

// MARK: SQLite files from untrusted sources; see DatabaseConfinement.
void ck_confine_databases(void);
void ck_bound_databases(int value, int steps);

// MARK: SHA-256. Adds whole blocks of 64 bytes to a state; `portable` leaves the CPU's SHA instructions out.
void ck_sha256_blocks(uint32_t state[8], const uint8_t *data, size_t blocks, int portable);

#endif
