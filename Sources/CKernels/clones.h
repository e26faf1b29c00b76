// One function, several instruction sets: the loader picks the widest that the CPU has.
#ifndef CK_CLONES_H
#define CK_CLONES_H

// The loader picks a clone before a sanitizer's runtime is set up, so a sanitized build has one version of each function.
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define CLONES
#elif defined(__x86_64__) && defined(__linux__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

#define INLINE static inline __attribute__((always_inline))

#include <stddef.h>

// The smallest multiple that is at least n.
INLINE size_t round_up(size_t n, size_t multiple) { return (n + multiple - 1) / multiple * multiple; }

INLINE size_t least(size_t a, size_t b) { return a < b ? a : b; }

// Sums may be re-associated into lanes and products contracted into FMA: results differ from a scalar loop in the last
// bits, and every function is tested against a double loop with a stated tolerance.
#define FAST _Pragma("clang fp reassociate(on) contract(fast)")

#endif
