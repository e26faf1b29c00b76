// Matrix products whose right factor fits into the cache, such as the layers of a network over a few hundred rows.
#include "CKernels.h"
#include "tiles.h"

// c [m, n] (+)= a [m, inner] b [inner, n]; the last m % 4 rows go through scratch, because a tile has four.
INLINE void rows_product(const tile_shape tiles, const float *a, const float *b, size_t m, size_t inner, size_t n,
                         float *c, int add, float *scratch) {
    enum { ROWS = 32 }; // their results stay in the cache while all columns are computed
    size_t whole = m / 4 * 4;
    for (size_t i = 0; i < whole; i += ROWS) {
        size_t rows = whole - i < ROWS ? whole - i : ROWS;
        product(tiles, a + i * inner, inner, 1, b, n, rows, inner, n, c + i * n, n, add);
    }
    if (whole == m) return;
    float *last = scratch, *results = scratch + 4 * inner;
    pack(a + whole * inner, inner, m - whole, inner, 4, inner, last);
    if (add) pack(c + whole * n, n, m - whole, n, 4, n, results);
    product(tiles, last, inner, 1, b, n, 4, inner, n, results, n, add);
    memcpy(c + whole * n, results, (m - whole) * n * sizeof *c);
}

INLINE void tiled_product(const tile_shape tiles, const float *a, int transposed_a, const float *b, int transposed_b,
                          size_t m, size_t n, size_t inner, float *c, int add, float *scratch) {
    enum { DEPTH = 128 }; // rows of both factors that stay in the cache while all sums over them are computed
    if (transposed_a) {
        for (size_t p = 0; p < inner; p += DEPTH)
            product(tiles, a + p * m, 1, m, b + p * n, n, m, inner - p < DEPTH ? inner - p : DEPTH, n, c, n,
                    add || p > 0);
        return;
    }
    if (transposed_b) {
        float *straight = scratch + 4 * (inner + n);
        transpose(b, n, inner, straight);
        b = straight;
    }
    rows_product(tiles, a, b, m, inner, n, c, add, scratch);
}

size_t ck_tiled_product_scratch(int transposed_a, int transposed_b, size_t n, size_t inner) {
    return transposed_a ? 0 : 4 * (inner + n) + (transposed_b ? n * inner : 0);
}

#if defined(__x86_64__) && defined(__linux__)
__attribute__((target(WIDE))) void ck_tiled_product(const float *a, int transposed_a, const float *b, int transposed_b,
                                                    size_t m, size_t n, size_t inner, float *c, int add,
                                                    float *scratch) {
    tiled_product((tile_shape){8, 2}, a, transposed_a, b, transposed_b, m, n, inner, c, add, scratch);
}
#else
void ck_tiled_product(const float *a, int transposed_a, const float *b, int transposed_b, size_t m, size_t n,
                      size_t inner, float *c, int add, float *scratch) {
    tiled_product((tile_shape){4, 1}, a, transposed_a, b, transposed_b, m, n, inner, c, add, scratch);
}
#endif
