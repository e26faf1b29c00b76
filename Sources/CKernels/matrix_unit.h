// Intel's matrix unit (AMX), for inlining into functions that are compiled for it. Its registers are tiles of sixteen
// rows of 64 bytes. One instruction adds the product of a tile of sixteen rows of sixteen bfloat16 cells and a tile of
// sixteen cells of sixteen columns to a tile of sixteen rows of sixteen float32 sums. (bfloat.h explains cells.)
//
// Packed factors are arrays of whole tiles of 1 KiB. Rows of a tile that lie a power of two apart would share few
// places of the cache.
#ifndef CK_MATRIX_UNIT_H
#define CK_MATRIX_UNIT_H

#include "bfloat.h"

#if defined(__x86_64__) && defined(__linux__)

#define MATRIX_TARGET __attribute__((target(WIDE ",avx512bf16,amx-tile,amx-bf16")))

enum { TILE_CELLS = 16 * 16 };

// All eight tiles have sixteen rows of 64 bytes. Each thread configures its own tiles, and releases them as soon as it
// can: while they are in use, the system saves 8 KiB more for each change of threads.
INLINE MATRIX_TARGET void configure_tiles(void) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } shape = {.palette = 1};
    for (size_t tile = 0; tile < 8; tile++) {
        shape.bytes[tile] = 64;
        shape.rows[tile] = 16;
    }
    _tile_loadconfig(&shape);
}

// MARK: Packing.

// The rows of x as tiles [rows / 16][steps] of sixteen rows; `steps` is columns / 32, rounded up, or more.
INLINE BFLOAT_TARGET void pack_tile_rows(const float *x, size_t rows, size_t columns, size_t steps, uint32_t *tiles) {
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < steps; k++)
            _mm512_storeu_si512(tiles + (i / 16 * steps + k) * TILE_CELLS + i % 16 * 16,
                                pairs_of_row(x + i * columns + 32 * k, 32 * k < columns ? columns - 32 * k : 0));
}

// The columns of x [rows, columns] as if they were rows: tiles [columns / 16], `next` cells apart, of [rows / 32],
// `inner` cells apart.
INLINE BFLOAT_TARGET void pack_tile_columns(const float *x, size_t rows, size_t columns, size_t next, size_t inner,
                                            uint32_t *tiles) {
    for (size_t j = 0; j < columns; j += 16)
        for (size_t i = 0; i < rows; i += 32) {
            uint32_t block[TILE_CELLS];
            for (size_t r = 0; r < 16; r++) {
                const float *row = i + 2 * r < rows ? x + (i + 2 * r) * columns + j : NULL;
                const float *following = i + 2 * r + 1 < rows ? row + columns : NULL;
                _mm512_storeu_si512(block + r * 16, pairs_of_rows(row, following, first(columns - j)));
            }
            transpose_tile((const float *)block, 16, (float *)(tiles + j / 16 * next + i / 32 * inner), 16);
        }
}

// MARK: Products.

// The tiles of a factor: the cells from one tile to the next along the result, and along the inner dimension.
typedef struct {
    const uint32_t *start;
    size_t next, inner;
} factor_tiles;

// The tiles of sums: the floats from one row of a tile to the next, from a tile to the one on its right, and below it.
typedef struct {
    float *start;
    size_t row, right, down;
} sum_tiles;

// c [16 R][16 C] (+)= a b, with `steps` tiles along the inner dimension; R and C are 1 or 2. A sum depends on its row of
// a and its column of b alone, and its order is that of the inner dimension.
INLINE MATRIX_TARGET void multiply_tiles(const size_t R, const size_t C, factor_tiles a, factor_tiles b, size_t steps,
                                         sum_tiles c, int add) {
    const size_t bytes = c.row * sizeof(float);
    if (add) {
        _tile_loadd(0, c.start, bytes);
        if (C == 2) _tile_loadd(1, c.start + c.right, bytes);
        if (R == 2) _tile_loadd(2, c.start + c.down, bytes);
        if (R == 2 && C == 2) _tile_loadd(3, c.start + c.down + c.right, bytes);
    } else {
        _tile_zero(0);
        if (C == 2) _tile_zero(1);
        if (R == 2) _tile_zero(2);
        if (R == 2 && C == 2) _tile_zero(3);
    }
    for (size_t k = 0; k < steps; k++) {
        const uint32_t *rows = a.start + k * a.inner, *columns = b.start + k * b.inner;
        _tile_loadd(6, columns, 64);
        _tile_loadd(4, rows, 64);
        _tile_dpbf16ps(0, 4, 6);
        if (C == 2) {
            _tile_loadd(7, columns + b.next, 64);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (R == 2) {
            _tile_loadd(5, rows + a.next, 64);
            _tile_dpbf16ps(2, 5, 6);
            if (C == 2) _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, c.start, bytes);
    if (C == 2) _tile_stored(1, c.start + c.right, bytes);
    if (R == 2) _tile_stored(2, c.start + c.down, bytes);
    if (R == 2 && C == 2) _tile_stored(3, c.start + c.down + c.right, bytes);
}

// The same for 1 to 32 rows and columns of c.
INLINE MATRIX_TARGET void multiply_shape(size_t rows, size_t columns, factor_tiles a, factor_tiles b, size_t steps,
                                         sum_tiles c, int add) {
    if (rows > 16 && columns > 16)
        multiply_tiles(2, 2, a, b, steps, c, add);
    else if (rows > 16)
        multiply_tiles(2, 1, a, b, steps, c, add);
    else if (columns > 16)
        multiply_tiles(1, 2, a, b, steps, c, add);
    else
        multiply_tiles(1, 1, a, b, steps, c, add);
}

// The same for a part of c that has no whole tiles; c lies in rows.
static MATRIX_TARGET __attribute__((noinline)) void multiply_edge(size_t rows, size_t columns, factor_tiles a,
                                                                  factor_tiles b, size_t steps, sum_tiles c, int add) {
    float edge[32 * 32];
    for (size_t r = 0; add && r < rows; r++)
        for (size_t j = 0; j < columns; j++) edge[r * 32 + j] = c.start[r * c.row + j];
    multiply_shape(rows, columns, a, b, steps, (sum_tiles){edge, 32, 16, 16 * 32}, add);
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < columns; j++) c.start[r * c.row + j] = edge[r * 32 + j];
}

// The same for any number of rows and columns. The factors must be readable in whole tiles; what lies beyond the rows
// of a and the columns of b changes nothing.
INLINE MATRIX_TARGET void multiply(size_t rows, size_t columns, factor_tiles a, factor_tiles b, size_t steps,
                                   sum_tiles c, int add) {
    for (size_t r = 0; r < rows; r += 32)
        for (size_t j = 0; j < columns; j += 32) {
            size_t height = least(rows - r, 32), width = least(columns - j, 32);
            factor_tiles x = {a.start + r / 16 * a.next, a.next, a.inner};
            factor_tiles y = {b.start + j / 16 * b.next, b.next, b.inner};
            sum_tiles sums = {c.start + r / 16 * c.down + j / 16 * c.right, c.row, c.right, c.down};
            if (height % 16 == 0 && width % 16 == 0)
                multiply_shape(height, width, x, y, steps, sums, add);
            else
                multiply_edge(height, width, x, y, steps, sums, add);
        }
}
#endif
#endif
