// Matrix products of bfloat16 numbers with float32 sums.
#include "CKernels.h"
#include "bfloat.h"
#include "matrix_unit.h"

#if defined(__x86_64__) && defined(__linux__)

#define TARGET BFLOAT_TARGET

enum {
    DEPTH = 128, // cells of a sum that are added before the next ones: a panel of the right factor stays in the cache
    PANEL = 2 * LANES,
    ROWS = 256, // rows of the left factor that are packed at a time
};

// MARK: Panels of the right factor.

// `inner` rows of b [., n] as panels of `width` columns, each [depth][width] cells; n is a multiple of 16. Cells that b
// lacks are zeros.
INLINE TARGET void pack_panels(const float *b, size_t n, size_t inner, const size_t width, size_t depth,
                               uint32_t *panels) {
    for (size_t k = 0; k < depth; k++) {
        const float *row = 2 * k < inner ? b + 2 * k * n : NULL, *next = 2 * k + 1 < inner ? row + n : NULL;
        for (size_t j = 0; j < n; j += LANES)
            _mm512_storeu_si512(panels + (j / width * depth + k) * width + j % width,
                                pairs_of_rows(row ? row + j : NULL, next ? next + j : NULL, 0xffff));
    }
}

// The same for the transpose of b [n, inner].
INLINE TARGET void pack_turned_panels(const float *b, size_t n, size_t inner, const size_t width, size_t depth,
                                      uint32_t *panels) {
    for (size_t j = 0; j < n; j += LANES) {
        uint32_t *panel = panels + j / width * depth * width + j % width;
        for (size_t k = 0; k < depth; k += LANES) {
            uint32_t rows[LANES * LANES], turned[LANES * LANES];
            for (size_t r = 0; r < LANES; r++)
                _mm512_storeu_si512(rows + r * LANES,
                                    pairs_of_row(b + (j + r) * inner + 2 * k, 2 * k < inner ? inner - 2 * k : 0));
            transpose_tile((const float *)rows, LANES, (float *)turned, LANES);
            size_t last = least(depth - k, LANES);
            for (size_t r = 0; r < last; r++)
                memcpy(panel + (k + r) * width, turned + r * LANES, LANES * sizeof *turned);
        }
    }
}

// MARK: AVX-512 BF16.

// c[r][j] (+)= sum over cells k of a[r * row + k * step] . b[k * PANEL + j], r < R, j < 16 C.
INLINE TARGET void bfloat_tile(const size_t R, const size_t C, const uint32_t *a, size_t row, size_t step,
                               const uint32_t *b, size_t depth, float *c, size_t c_stride, int add) {
    __m512 sums[8][2];
#pragma clang loop unroll(full)
    for (size_t r = 0; r < R; r++)
#pragma clang loop unroll(full)
        for (size_t v = 0; v < C; v++)
            sums[r][v] = add ? _mm512_loadu_ps(c + r * c_stride + v * LANES) : _mm512_setzero_ps();
    for (size_t k = 0; k < depth; k++) {
        __m512i x[2];
#pragma clang loop unroll(full)
        for (size_t v = 0; v < C; v++) x[v] = _mm512_loadu_si512(b + k * PANEL + v * LANES);
#pragma clang loop unroll(full)
        for (size_t r = 0; r < R; r++) {
            __m512i factor = _mm512_set1_epi32((int)a[r * row + k * step]);
#pragma clang loop unroll(full)
            for (size_t v = 0; v < C; v++)
                sums[r][v] = _mm512_dpbf16_ps(sums[r][v], (__m512bh)factor, (__m512bh)x[v]);
        }
    }
#pragma clang loop unroll(full)
    for (size_t r = 0; r < R; r++)
#pragma clang loop unroll(full)
        for (size_t v = 0; v < C; v++) _mm512_storeu_ps(c + r * c_stride + v * LANES, sums[r][v]);
}

INLINE TARGET void bfloat_rows(const size_t C, const uint32_t *a, size_t row, size_t step, const uint32_t *b,
                               size_t rows, size_t depth, float *c, size_t c_stride, int add) {
    size_t r = 0;
#define TILES(R)                                                                                                       \
    for (; r + R <= rows; r += R) bfloat_tile(R, C, a + r * row, row, step, b, depth, c + r * c_stride, c_stride, add)
    TILES(8);
    TILES(4);
    TILES(2);
    TILES(1);
#undef TILES
}

// Packed rows times some cells, from `from`, of all panels, which have `depth` cells.
INLINE TARGET void bfloat_panels(const uint32_t *a, size_t row, size_t step, const uint32_t *panels, size_t rows,
                                 size_t n, size_t depth, size_t from, size_t cells, float *c, int add) {
    for (size_t j = 0; j < n; j += PANEL) {
        const uint32_t *b = panels + (j * depth + from * PANEL);
        if (n - j < PANEL)
            bfloat_rows(1, a, row, step, b, rows, cells, c + j, n, add);
        else
            bfloat_rows(2, a, row, step, b, rows, cells, c + j, n, add);
    }
}

// a^T b of a [inner, m] and b [inner, n]. Both factors are packed block by block: a gradient of weights has thousands
// of inner rows, and its packed factors would not fit the cache.
static TARGET void turned_vectors(const float *a, const float *b, size_t m, size_t n, size_t inner, float *c, int add,
                                  uint32_t *panels) {
    size_t stride = round_up(m, LANES);
    uint32_t *left = panels + round_up(n, PANEL) * DEPTH;
    for (size_t k = 0; k < inner; k += 2 * DEPTH) {
        size_t rows = least(inner - k, 2 * DEPTH), cells = (rows + 1) / 2;
        pack_columns(a + k * m, rows, m, left, stride);
        pack_panels(b + k * n, n, rows, PANEL, cells, panels);
        bfloat_panels(left, 1, stride, panels, m, n, cells, 0, cells, c, add || k > 0);
    }
}

static TARGET void vectors(const float *a, const float *b, int transposed_b, size_t m, size_t n, size_t inner, float *c,
                           int add, uint32_t *panels) {
    size_t depth = (inner + 1) / 2, stride = round_up(depth, LANES);
    uint32_t *left = panels + round_up(n, PANEL) * depth;
    if (transposed_b)
        pack_turned_panels(b, n, inner, PANEL, depth, panels);
    else
        pack_panels(b, n, inner, PANEL, depth, panels);
    for (size_t i = 0; i < m; i += ROWS) {
        size_t rows = least(m - i, ROWS);
        pack_rows(a + i * inner, rows, inner, left, stride);
        for (size_t k = 0; k < depth; k += DEPTH)
            bfloat_panels(left + k, stride, 1, panels, rows, n, depth, k, least(depth - k, DEPTH), c + i * n,
                          add || k > 0);
    }
}

// MARK: The matrix unit. Sums take the blocks of the inner dimension in turn, as above.

static MATRIX_TARGET void turned_tiles(const float *a, const float *b, size_t m, size_t n, size_t inner, float *c,
                                       int add, uint32_t *panels) {
    uint32_t *left = panels + n * DEPTH;
    for (size_t k = 0; k < inner; k += 2 * DEPTH) {
        size_t rows = least(inner - k, 2 * DEPTH), steps = (rows + 31) / 32, next = steps * TILE_CELLS;
        pack_tile_columns(a + k * m, rows, m, next, TILE_CELLS, left);
        pack_panels(b + k * n, n, rows, LANES, 16 * steps, panels);
        multiply(m, n, (factor_tiles){left, next, TILE_CELLS}, (factor_tiles){panels, next, TILE_CELLS}, steps,
                 (sum_tiles){c, n, 16, 16 * n}, add || k > 0);
    }
}

static MATRIX_TARGET void tiles(const float *a, const float *b, int transposed_b, size_t m, size_t n, size_t inner,
                                float *c, int add, uint32_t *panels) {
    size_t steps = (inner + 31) / 32, next = steps * TILE_CELLS;
    uint32_t *left = panels + n * 16 * steps;
    if (transposed_b)
        pack_turned_panels(b, n, inner, LANES, 16 * steps, panels);
    else
        pack_panels(b, n, inner, LANES, 16 * steps, panels);
    for (size_t i = 0; i < m; i += ROWS) {
        size_t rows = least(m - i, ROWS);
        pack_tile_rows(a + i * inner, rows, inner, steps, left);
        for (size_t k = 0; k < steps; k += DEPTH / 16)
            multiply(rows, n, (factor_tiles){left + k * TILE_CELLS, next, TILE_CELLS},
                     (factor_tiles){panels + k * TILE_CELLS, next, TILE_CELLS}, least(steps - k, DEPTH / 16),
                     (sum_tiles){c + i * n, n, 16, 16 * n}, add || k > 0);
    }
}

static MATRIX_TARGET void tile_product(const float *a, int transposed_a, const float *b, int transposed_b, size_t m,
                                       size_t n, size_t inner, float *c, int add, uint32_t *panels) {
    configure_tiles();
    if (transposed_a)
        turned_tiles(a, b, m, n, inner, c, add, panels);
    else
        tiles(a, b, transposed_b, m, n, inner, c, add, panels);
    _tile_release();
}

void ck_bfloat_product(const float *a, int transposed_a, const float *b, int transposed_b, size_t m, size_t n,
                       size_t inner, float *c, int add, int level, float *scratch) {
    uint32_t *panels = (uint32_t *)scratch;
    if (level >= CK_BFLOAT_TILES)
        tile_product(a, transposed_a, b, transposed_b, m, n, inner, c, add, panels);
    else if (transposed_a)
        turned_vectors(a, b, m, n, inner, c, add, panels);
    else
        vectors(a, b, transposed_b, m, n, inner, c, add, panels);
}

size_t ck_bfloat_product_scratch(int transposed_a, size_t m, size_t n, size_t inner) {
    size_t depth = round_up((inner + 1) / 2, LANES);
    if (transposed_a) return (round_up(n, PANEL) + round_up(m, LANES)) * DEPTH;
    return round_up(n, PANEL) * depth + round_up(least(m, ROWS), LANES) * depth;
}
#else
void ck_bfloat_product(const float *a, int transposed_a, const float *b, int transposed_b, size_t m, size_t n,
                       size_t inner, float *c, int add, int level, float *scratch) {
    (void)a, (void)transposed_a, (void)b, (void)transposed_b, (void)m, (void)n, (void)inner, (void)c, (void)add,
        (void)level, (void)scratch;
}
size_t ck_bfloat_product_scratch(int transposed_a, size_t m, size_t n, size_t inner) {
    (void)transposed_a, (void)m, (void)n, (void)inner;
    return 0;
}
#endif
