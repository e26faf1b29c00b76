// Small matrix products whose sums stay in vector registers, for inlining into functions compiled per CPU level.
#ifndef CK_TILES_H
#define CK_TILES_H

#include "clones.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Sixteen floats: one AVX-512 register, two AVX registers, four SSE registers.
enum { LANES = 16 };
typedef float lanes __attribute__((ext_vector_type(16)));
typedef int32_t int_lanes __attribute__((ext_vector_type(16)));

#define LOAD(pointer) ({ lanes loaded_; memcpy(&loaded_, pointer, sizeof loaded_); loaded_; })
#define STORE(pointer, value) ({ lanes stored_ = (value); memcpy(pointer, &stored_, sizeof stored_); })

// c[r][j] (+)= sum over k of a[r * row + k * step] * b[k * b_stride + j], r < R, j < 16 C.
// Each sum has one fixed order, whatever the tile's size.
INLINE void tile(const size_t R, const size_t C, const float *a, size_t row, size_t step, const float *b,
                 size_t b_stride, size_t inner, float *c, size_t c_stride, int add) {
    lanes sums[8][2];
#pragma clang loop unroll(full)
    for (size_t r = 0; r < R; r++)
#pragma clang loop unroll(full)
        for (size_t v = 0; v < C; v++) sums[r][v] = add ? LOAD(c + r * c_stride + v * LANES) : (lanes){0};
    for (size_t k = 0; k < inner; k++) {
        lanes x[2];
#pragma clang loop unroll(full)
        for (size_t v = 0; v < C; v++) x[v] = LOAD(b + k * b_stride + v * LANES);
#pragma clang loop unroll(full)
        for (size_t r = 0; r < R; r++) {
            float factor = a[r * row + k * step];
#pragma clang loop unroll(full)
            for (size_t v = 0; v < C; v++) {
                _Pragma("clang fp contract(fast)") sums[r][v] += factor * x[v];
            }
        }
    }
#pragma clang loop unroll(full)
    for (size_t r = 0; r < R; r++)
#pragma clang loop unroll(full)
        for (size_t v = 0; v < C; v++) STORE(c + r * c_stride + v * LANES, sums[r][v]);
}

// The rows and sixteen-lane columns of a tile whose sums fit into the registers of a CPU level.
typedef struct {
    size_t rows, columns;
} tile_shape;

// The same for `rows` (a multiple of 4) and `columns` (a multiple of 16).
INLINE void product(const tile_shape t, const float *a, size_t row, size_t step, const float *b, size_t b_stride,
                    size_t rows, size_t inner, size_t columns, float *c, size_t c_stride, int add) {
    size_t j = 0;
    for (; t.columns == 2 && j + 2 * LANES <= columns; j += 2 * LANES) {
        size_t r = 0;
        for (; r + t.rows <= rows; r += t.rows)
            tile(t.rows, 2, a + r * row, row, step, b + j, b_stride, inner, c + r * c_stride + j, c_stride, add);
        if (r < rows) tile(4, 2, a + r * row, row, step, b + j, b_stride, inner, c + r * c_stride + j, c_stride, add);
    }
    for (; j < columns; j += LANES) {
        size_t r = 0;
        for (; r + t.rows <= rows; r += t.rows)
            tile(t.rows, 1, a + r * row, row, step, b + j, b_stride, inner, c + r * c_stride + j, c_stride, add);
        if (t.rows > 4 && r < rows)
            tile(4, 1, a + r * row, row, step, b + j, b_stride, inner, c + r * c_stride + j, c_stride, add);
    }
}

// The features of x86-64-v4 one by one: with the name of the level, clang uses registers of half the width.
#define WIDE "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2,lzcnt,movbe"

// Defines ck_NAME, which calls NAME for the CPU level `level` or a lower one that the CPU has: 2 AVX-512, 1 AVX2.
#if defined(__x86_64__) && defined(__linux__)
#define LEVELS(name, parameters, ...)                                                                                  \
    __attribute__((target(WIDE))) static void name##_wide parameters {                                                 \
        (void)level;                                                                                                   \
        name((tile_shape){8, 2}, __VA_ARGS__);                                                                         \
    }                                                                                                                  \
    __attribute__((target("arch=x86-64-v3"))) static void name##_medium parameters {                                   \
        (void)level;                                                                                                   \
        name((tile_shape){4, 1}, __VA_ARGS__);                                                                         \
    }                                                                                                                  \
    void ck_##name parameters {                                                                                        \
        if (level >= 2 && __builtin_cpu_supports("x86-64-v4"))                                                         \
            name##_wide(__VA_ARGS__, level);                                                                           \
        else if (level >= 1 && __builtin_cpu_supports("x86-64-v3"))                                                    \
            name##_medium(__VA_ARGS__, level);                                                                         \
        else                                                                                                           \
            name((tile_shape){2, 1}, __VA_ARGS__);                                                                     \
    }
#else
#define LEVELS(name, parameters, ...)                                                                                  \
    void ck_##name parameters {                                                                                        \
        (void)level;                                                                                                   \
        name((tile_shape){4, 1}, __VA_ARGS__);                                                                         \
    }
#endif

#define MERGE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)

// out[j][i] = in[i][j] for sixteen rows and columns.
INLINE void transpose_tile(const float *in, size_t in_stride, float *out, size_t out_stride) {
    lanes x[16], y[16];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < 16; i++) x[i] = LOAD(in + i * in_stride);
    // Pairs of elements, then of 2 x 2, 4 x 4 and 8 x 8 blocks, change places.
#pragma clang loop unroll(full)
    for (size_t i = 0; i < 16; i += 2) {
        y[i] = MERGE(x[i], x[i + 1], 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
        y[i + 1] = MERGE(x[i], x[i + 1], 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
    }
#pragma clang loop unroll(full)
    for (size_t i = 0; i < 16; i++)
        if ((i & 2) == 0) {
            x[i] = MERGE(y[i], y[i + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
            x[i + 2] = MERGE(y[i], y[i + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
        }
#pragma clang loop unroll(full)
    for (size_t i = 0; i < 16; i++)
        if ((i & 4) == 0) {
            y[i] = MERGE(x[i], x[i + 4], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
            y[i + 4] = MERGE(x[i], x[i + 4], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
        }
#pragma clang loop unroll(full)
    for (size_t i = 0; i < 8; i++) {
        x[i] = MERGE(y[i], y[i + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
        x[i + 8] = MERGE(y[i], y[i + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    }
#pragma clang loop unroll(full)
    for (size_t i = 0; i < 16; i++) STORE(out + i * out_stride, x[i]);
}

// out [columns, rows] = x^T; rows and columns are multiples of sixteen.
INLINE void transpose(const float *x, size_t rows, size_t columns, float *out) {
    for (size_t i = 0; i < rows; i += LANES)
        for (size_t j = 0; j < columns; j += LANES)
            transpose_tile(x + i * columns + j, columns, out + j * rows + i, rows);
}

// out [padded_rows, padded] = x [rows, width], then zeros.
INLINE void pack(const float *x, size_t stride, size_t rows, size_t width, size_t padded_rows, size_t padded,
                 float *out) {
    for (size_t i = 0; i < rows; i++) {
        size_t j = 0;
        for (; j + LANES <= width; j += LANES) STORE(out + i * padded + j, LOAD(x + i * stride + j));
        for (; j < width; j++) out[i * padded + j] = x[i * stride + j];
        for (; j < padded; j++) out[i * padded + j] = 0.0f;
    }
    for (size_t i = rows * padded; i < padded_rows * padded; i++) out[i] = 0.0f;
}

#endif
