// Packs float32 matrices as cells of two bfloat16 numbers, for inlining into functions that are compiled for AVX-512
// BF16. A cell holds two neighbours along the inner dimension of a product, the first in the lower half.
#ifndef CK_BFLOAT_H
#define CK_BFLOAT_H

#include "tiles.h"

#if defined(__x86_64__) && defined(__linux__)
#include <immintrin.h>

#define BFLOAT_TARGET __attribute__((target(WIDE ",avx512bf16")))

// The first `count` of sixteen elements.
INLINE __mmask16 first(size_t count) { return count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1); }

// Sixteen cells of two rows: cell j holds low[j] and high[j].
INLINE BFLOAT_TARGET __m512i cells_of(__m512 low, __m512 high) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

// Sixteen cells of two rows: row[j] and next[j]; NULL is a row of zeros.
INLINE BFLOAT_TARGET __m512i pairs_of_rows(const float *row, const float *next, __mmask16 mask) {
    return cells_of(row ? _mm512_maskz_loadu_ps(mask, row) : _mm512_setzero_ps(),
                    next ? _mm512_maskz_loadu_ps(mask, next) : _mm512_setzero_ps());
}

// Sixteen cells of one row: row[2 k] and row[2 k + 1], of which `count` elements exist; zeros behind them.
INLINE BFLOAT_TARGET __m512i pairs_of_row(const float *row, size_t count) {
    __m512 low = _mm512_maskz_loadu_ps(first(count), row);
    __m512 high = count > 16 ? _mm512_maskz_loadu_ps(first(count - 16), row + 16) : _mm512_setzero_ps();
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

// cells [ceil(rows / 2)][stride], stride a multiple of 16 >= columns: each cell has two elements of one column of x.
INLINE BFLOAT_TARGET void pack_columns(const float *x, size_t rows, size_t columns, uint32_t *cells, size_t stride) {
    for (size_t i = 0; i < rows; i += 2)
        for (size_t j = 0; j < columns; j += LANES) {
            const float *row = x + i * columns + j;
            _mm512_storeu_si512(cells + i / 2 * stride + j,
                                pairs_of_rows(row, i + 1 < rows ? row + columns : NULL, first(columns - j)));
        }
}

// cells [rows][stride], stride a multiple of 16 >= ceil(columns / 2): each cell has two elements of one row of x.
INLINE BFLOAT_TARGET void pack_rows(const float *x, size_t rows, size_t columns, uint32_t *cells, size_t stride) {
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < stride; k += LANES)
            _mm512_storeu_si512(cells + i * stride + k,
                                pairs_of_row(x + i * columns + 2 * k, 2 * k < columns ? columns - 2 * k : 0));
}

// The transpose of up to sixteen rows, `stride` apart: cells [depth][16], depth a multiple of 16. Rows and columns that x
// lacks become zeros.
INLINE BFLOAT_TARGET void pack_turned_rows(const float *x, size_t stride, size_t rows, size_t columns, size_t depth,
                                           uint32_t *cells) {
    for (size_t k = 0; k < depth; k += LANES) {
        uint32_t block[LANES * LANES];
        for (size_t r = 0; r < LANES; r++)
            _mm512_storeu_si512(
                block + r * LANES,
                pairs_of_row(x + r * stride + 2 * k, r < rows && 2 * k < columns ? columns - 2 * k : 0));
        transpose_tile((const float *)block, LANES, (float *)(cells + k * LANES), LANES);
    }
}
#endif
#endif
