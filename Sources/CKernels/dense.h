// Inner products and dense layers, for inlining into functions that are compiled per CPU level.
#ifndef CK_DENSE_H
#define CK_DENSE_H

#include "clones.h"
#include <stddef.h>
#include <stdint.h>

// Prefetches a row that is needed later: the CPU cannot predict the random order in which rows are read.
INLINE void prefetch_row(const float *row, size_t n) {
    for (size_t j = 0; j < n; j += 16) __builtin_prefetch(row + j);
    __builtin_prefetch(row + n - 1); // rows need not start at a cache line
}

INLINE float dot(const float *a, const float *b, size_t n) {
    FAST
    float sum = 0.0f;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

// Packed weights (ck_pack): outputs lie in blocks of 64. A block holds 64 weights for the first input, then 64 for the
// second, and so on. The 64 sums of a block stay in registers while its weights are read once, from whole cache lines.
//
// Every sum has one fixed order: bias, first half of the inputs one by one, odd last input; then the sum over the
// second half is added. So a vector gets the same bytes alone and in a batch.
#define BLOCK 64

// One vector: both halves run at once, which keeps enough sums in flight to hide the latency of a multiply-add.
INLINE void block_one(const float *w, const float *bias, const float *x, size_t in, float *y) {
    FAST
    float first[BLOCK], second[BLOCK];
    size_t half = in / 2;
    const float *w2 = w + half * BLOCK;
    for (size_t j = 0; j < BLOCK; j++) first[j] = bias[j];
    for (size_t j = 0; j < BLOCK; j++) second[j] = 0.0f;
    for (size_t i = 0; i < half; i++) {
        float a = x[i], b = x[half + i];
        for (size_t j = 0; j < BLOCK; j++) first[j] += a * w[i * BLOCK + j];
        for (size_t j = 0; j < BLOCK; j++) second[j] += b * w2[i * BLOCK + j];
    }
    if (in % 2)
        for (size_t j = 0; j < BLOCK; j++) first[j] += x[in - 1] * w[(in - 1) * BLOCK + j];
    for (size_t j = 0; j < BLOCK; j++) y[j] = first[j] + second[j];
}

// Four vectors: each weight is loaded once for all of them. The halves run in turn, for lack of registers for both.
INLINE void block_four(const float *w, const float *const bias[4], const float *const x[4], size_t in,
                       float *const y[4]) {
    FAST
    float s0[BLOCK], s1[BLOCK], s2[BLOCK], s3[BLOCK];
    size_t half = in / 2;
    for (size_t j = 0; j < BLOCK; j++) s0[j] = bias[0][j];
    for (size_t j = 0; j < BLOCK; j++) s1[j] = bias[1][j];
    for (size_t j = 0; j < BLOCK; j++) s2[j] = bias[2][j];
    for (size_t j = 0; j < BLOCK; j++) s3[j] = bias[3][j];
#define ADD(i)                                                                                                         \
    {                                                                                                                  \
        const float *wi = w + (i) * BLOCK;                                                                             \
        float x0 = x[0][i], x1 = x[1][i], x2 = x[2][i], x3 = x[3][i];                                                  \
        for (size_t j = 0; j < BLOCK; j++) {                                                                           \
            s0[j] += x0 * wi[j];                                                                                       \
            s1[j] += x1 * wi[j];                                                                                       \
            s2[j] += x2 * wi[j];                                                                                       \
            s3[j] += x3 * wi[j];                                                                                       \
        }                                                                                                              \
    }
    for (size_t i = 0; i < half; i++) ADD(i)
    if (in % 2) ADD(in - 1)
    for (size_t j = 0; j < BLOCK; j++) y[0][j] = s0[j];
    for (size_t j = 0; j < BLOCK; j++) y[1][j] = s1[j];
    for (size_t j = 0; j < BLOCK; j++) y[2][j] = s2[j];
    for (size_t j = 0; j < BLOCK; j++) y[3][j] = s3[j];
    for (size_t j = 0; j < BLOCK; j++) s0[j] = s1[j] = s2[j] = s3[j] = 0.0f;
    for (size_t i = half; i < 2 * half; i++) ADD(i)
#undef ADD
    for (size_t j = 0; j < BLOCK; j++) y[0][j] += s0[j];
    for (size_t j = 0; j < BLOCK; j++) y[1][j] += s1[j];
    for (size_t j = 0; j < BLOCK; j++) y[2][j] += s2[j];
    for (size_t j = 0; j < BLOCK; j++) y[3][j] += s3[j];
}

// out[j] = sum over p of weights[p] * rows[ids[p] * stride + j], j < width <= BLOCK; ids NULL: row p.
INLINE void weighted_block(const float *rows, const int32_t *ids, size_t n, size_t stride, size_t width,
                           const float *weights, float *out) {
    FAST
    float sums[BLOCK] = {0};
    for (size_t p = 0; p < n; p++) {
        const float *x = rows + (ids ? (size_t)ids[p] : p) * stride;
        for (size_t j = 0; j < width; j++) sums[j] += weights[p] * x[j];
    }
    for (size_t j = 0; j < width; j++) out[j] = sums[j];
}

// The same for any width. Blocks of constant width keep their sums in registers.
INLINE void weighted_rows(const float *rows, const int32_t *ids, size_t n, size_t stride, size_t width,
                          const float *weights, float *out) {
    size_t j = 0;
    for (; j + BLOCK <= width; j += BLOCK) weighted_block(rows + j, ids, n, stride, BLOCK, weights, out + j);
    for (; j + 32 <= width; j += 32) weighted_block(rows + j, ids, n, stride, 32, weights, out + j);
    for (; j + 16 <= width; j += 16) weighted_block(rows + j, ids, n, stride, 16, weights, out + j);
    if (j < width) weighted_block(rows + j, ids, n, stride, width - j, weights, out + j);
}

// y[v] = x[v] W + bias[v] for `vectors` (1 or 4) vectors; no y is an x or a bias.
INLINE void dense(const float *packed, size_t in, size_t out, size_t vectors, const float *const *bias,
                  const float *const *x, float *const *y) {
    size_t o = 0;
    for (; o + BLOCK <= out; o += BLOCK) {
        if (vectors == 1) {
            block_one(packed + o * in, bias[0] + o, x[0], in, y[0] + o);
        } else {
            const float *b[4] = {bias[0] + o, bias[1] + o, bias[2] + o, bias[3] + o};
            float *out[4] = {y[0] + o, y[1] + o, y[2] + o, y[3] + o};
            block_four(packed + o * in, b, x, in, out);
        }
    }
    if (o == out) return;
    // The last block is padded in the weights but not in the vectors.
    for (size_t v = 0; v < vectors; v++) {
        float b[BLOCK] = {0}, sums[BLOCK];
        for (size_t j = 0; j < out - o; j++) b[j] = bias[v][o + j];
        block_one(packed + o * in, b, x[v], in, sums);
        for (size_t j = 0; j < out - o; j++) y[v][o + j] = sums[j];
    }
}

#endif
