// Matrix products of bfloat16 numbers with float32 sums.
#include "CKernels.h"
#include "tiles.h"

#if defined(__x86_64__) && defined(__linux__)
#include <immintrin.h>

#define TARGET __attribute__((target(WIDE ",avx512bf16")))

// A cell holds two neighbours along the inner dimension as bfloat16, the first in the lower half.
enum {
    DEPTH = 128, // cells of a sum that are added before the next ones: a panel of the right factor stays in the cache
    PANEL = 2 * LANES,
    ROWS = 256, // rows of the left factor that are packed at a time
};

// Sixteen cells of two rows: row[j] and next[j].
INLINE TARGET __m512i pairs_of_rows(const float *row, const float *next, __mmask16 mask) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    __m512 low = _mm512_maskz_loadu_ps(mask, row);
    __m512 high = next ? _mm512_maskz_loadu_ps(mask, next) : _mm512_setzero_ps();
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

// The first `count` of sixteen elements.
INLINE __mmask16 first(size_t count) { return count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1); }

// Sixteen cells of one row: row[2 k] and row[2 k + 1], of which `count` elements exist; zeros behind them.
INLINE TARGET __m512i pairs_of_row(const float *row, size_t count) {
    __m512 low = _mm512_maskz_loadu_ps(first(count), row);
    __m512 high = count > 16 ? _mm512_maskz_loadu_ps(first(count - 16), row + 16) : _mm512_setzero_ps();
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

// cells [ceil(rows / 2)][stride], stride a multiple of 16 >= columns: each cell has two elements of one column of x.
INLINE TARGET void pack_columns(const float *x, size_t rows, size_t columns, uint32_t *cells, size_t stride) {
    for (size_t i = 0; i < rows; i += 2)
        for (size_t j = 0; j < columns; j += LANES) {
            const float *row = x + i * columns + j;
            _mm512_storeu_si512(cells + i / 2 * stride + j,
                                pairs_of_rows(row, i + 1 < rows ? row + columns : NULL, first(columns - j)));
        }
}

// cells [rows][stride], stride a multiple of 16 >= ceil(columns / 2): each cell has two elements of one row of x.
INLINE TARGET void pack_rows(const float *x, size_t rows, size_t columns, uint32_t *cells, size_t stride) {
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < stride; k += LANES)
            _mm512_storeu_si512(cells + i * stride + k,
                                pairs_of_row(x + i * columns + 2 * k, 2 * k < columns ? columns - 2 * k : 0));
}

// `inner` rows of b [., n] as panels of 32 columns, each [ceil(inner / 2)][32] cells; n is a multiple of 16.
INLINE TARGET void pack_panels(const float *b, size_t n, size_t inner, uint32_t *panels) {
    size_t depth = (inner + 1) / 2;
    for (size_t k = 0; k < depth; k++) {
        const float *row = b + 2 * k * n, *next = 2 * k + 1 < inner ? row + n : NULL;
        for (size_t j = 0; j < n; j += LANES)
            _mm512_storeu_si512(panels + (j / PANEL * depth + k) * PANEL + j % PANEL,
                                pairs_of_rows(row + j, next ? next + j : NULL, 0xffff));
    }
}

// The transpose of b [n, inner] as panels of 32 columns, each [ceil(inner / 2)][32] cells; n is a multiple of 16.
INLINE TARGET void pack_turned_panels(const float *b, size_t n, size_t inner, uint32_t *panels) {
    size_t depth = (inner + 1) / 2;
    for (size_t j = 0; j < n; j += LANES) {
        uint32_t *panel = panels + j / PANEL * depth * PANEL + j % PANEL;
        for (size_t k = 0; k < depth; k += LANES) {
            uint32_t rows[LANES * LANES], turned[LANES * LANES];
            for (size_t r = 0; r < LANES; r++)
                _mm512_storeu_si512(rows + r * LANES,
                                    pairs_of_row(b + (j + r) * inner + 2 * k, 2 * k < inner ? inner - 2 * k : 0));
            transpose_tile((const float *)rows, LANES, (float *)turned, LANES);
            size_t last = depth - k < LANES ? depth - k : LANES;
            for (size_t r = 0; r < last; r++)
                memcpy(panel + (k + r) * PANEL, turned + r * LANES, LANES * sizeof *turned);
        }
    }
}

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

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

// a^T b of a [inner, m] and b [inner, n]. Both factors are packed block by block: a gradient of weights has thousands
// of inner rows, and its packed factors would not fit the cache.
INLINE TARGET void turned_product(const float *a, const float *b, size_t m, size_t n, size_t inner, float *c, int add,
                                  uint32_t *panels) {
    size_t stride = round_up(m, LANES);
    uint32_t *left = panels + round_up(n, PANEL) * DEPTH;
    for (size_t k = 0; k < inner; k += 2 * DEPTH) {
        size_t rows = least(inner - k, 2 * DEPTH), cells = (rows + 1) / 2;
        pack_columns(a + k * m, rows, m, left, stride);
        pack_panels(b + k * n, n, rows, panels);
        bfloat_panels(left, 1, stride, panels, m, n, cells, 0, cells, c, add || k > 0);
    }
}

TARGET void ck_bfloat_product(const float *a, int transposed_a, const float *b, int transposed_b, size_t m, size_t n,
                              size_t inner, float *c, int add, float *scratch) {
    uint32_t *panels = (uint32_t *)scratch;
    if (transposed_a) {
        turned_product(a, b, m, n, inner, c, add, panels);
        return;
    }
    size_t depth = (inner + 1) / 2, stride = round_up(depth, LANES);
    uint32_t *left = panels + round_up(n, PANEL) * depth;
    if (transposed_b)
        pack_turned_panels(b, n, inner, panels);
    else
        pack_panels(b, n, inner, panels);
    for (size_t i = 0; i < m; i += ROWS) {
        size_t rows = least(m - i, ROWS);
        pack_rows(a + i * inner, rows, inner, left, stride);
        for (size_t k = 0; k < depth; k += DEPTH)
            bfloat_panels(left + k, stride, 1, panels, rows, n, depth, k, least(depth - k, DEPTH), c + i * n,
                          add || k > 0);
    }
}

size_t ck_bfloat_product_scratch(int transposed_a, size_t m, size_t n, size_t inner) {
    size_t depth = (inner + 1) / 2;
    if (transposed_a) return (round_up(n, PANEL) + round_up(m, LANES)) * DEPTH;
    return round_up(n, PANEL) * depth + least(m, ROWS) * round_up(depth, LANES);
}

int ck_has_bfloat_products(void) {
    return __builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512bf16");
}
#else
void ck_bfloat_product(const float *a, int transposed_a, const float *b, int transposed_b, size_t m, size_t n,
                       size_t inner, float *c, int add, float *scratch) {
    (void)a, (void)transposed_a, (void)b, (void)transposed_b, (void)m, (void)n, (void)inner, (void)c, (void)add,
        (void)scratch;
}
size_t ck_bfloat_product_scratch(int transposed_a, size_t m, size_t n, size_t inner) {
    (void)transposed_a, (void)m, (void)n, (void)inner;
    return 0;
}
int ck_has_bfloat_products(void) { return 0; }
#endif
