// Set algebra over bits: each function changes the first set and returns its number of elements.
#include "CKernels.h"
#include "clones.h"

CLONES size_t ck_unite(uint64_t *words, const uint64_t *others, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += (size_t)__builtin_popcountll(words[i] |= others[i]);
    return count;
}

CLONES size_t ck_intersect(uint64_t *words, const uint64_t *others, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += (size_t)__builtin_popcountll(words[i] &= others[i]);
    return count;
}

CLONES size_t ck_subtract(uint64_t *words, const uint64_t *others, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += (size_t)__builtin_popcountll(words[i] &= ~others[i]);
    return count;
}
