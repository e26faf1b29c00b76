// Inner products and dense layers, for inlining into functions that are compiled per CPU level.
#ifndef CK_DENSE_H
#define CK_DENSE_H

#include "clones.h"
#include <stddef.h>

INLINE float dot(const float *a, const float *b, size_t n) {
    FAST
    float sum = 0.0f;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

// Outputs are taken 64 at a time, so that their sums stay in registers while the inputs stream by.
#define BLOCK 64

INLINE void dense_block(const float *w, const float *bias, const float *x, size_t in, size_t out, float *y) {
    FAST
    float even[BLOCK], odd[BLOCK];
    for (size_t j = 0; j < BLOCK; j++) even[j] = bias[j];
    for (size_t j = 0; j < BLOCK; j++) odd[j] = 0.0f;
    size_t i = 0;
    for (; i + 2 <= in; i += 2) {
        const float *w0 = w + i * out, *w1 = w0 + out;
        float x0 = x[i], x1 = x[i + 1];
        for (size_t j = 0; j < BLOCK; j++) even[j] += x0 * w0[j];
        for (size_t j = 0; j < BLOCK; j++) odd[j] += x1 * w1[j];
    }
    if (i < in)
        for (size_t j = 0; j < BLOCK; j++) even[j] += x[i] * w[i * out + j];
    for (size_t j = 0; j < BLOCK; j++) y[j] = even[j] + odd[j];
}

// y = x W + bias; w is input-major, [in][out].
INLINE void dense_row(const float *w, const float *bias, const float *x, size_t in, size_t out, float *y) {
    FAST
    size_t o = 0;
    for (; o + BLOCK <= out; o += BLOCK) dense_block(w + o, bias + o, x, in, out, y + o);
    if (o == out) return;
    for (size_t j = o; j < out; j++) y[j] = bias[j];
    for (size_t i = 0; i < in; i++)
        for (size_t j = o; j < out; j++) y[j] += x[i] * w[i * out + j];
}


// Four vectors at once, so that each weight is loaded once for all of them; y[v] and bias[v] belong to x[v].
INLINE void dense_four(const float *w, const float *const bias[4], const float *const x[4], size_t in, size_t out,
                       float *const y[4]) {
    FAST
    size_t o = 0;
    for (; o + BLOCK <= out; o += BLOCK) {
        float s0[BLOCK], s1[BLOCK], s2[BLOCK], s3[BLOCK];
        for (size_t j = 0; j < BLOCK; j++) s0[j] = bias[0][o + j];
        for (size_t j = 0; j < BLOCK; j++) s1[j] = bias[1][o + j];
        for (size_t j = 0; j < BLOCK; j++) s2[j] = bias[2][o + j];
        for (size_t j = 0; j < BLOCK; j++) s3[j] = bias[3][o + j];
        for (size_t i = 0; i < in; i++) {
            const float *wi = w + i * out + o;
            float x0 = x[0][i], x1 = x[1][i], x2 = x[2][i], x3 = x[3][i];
            for (size_t j = 0; j < BLOCK; j++) {
                s0[j] += x0 * wi[j];
                s1[j] += x1 * wi[j];
                s2[j] += x2 * wi[j];
                s3[j] += x3 * wi[j];
            }
        }
        for (size_t j = 0; j < BLOCK; j++) y[0][o + j] = s0[j];
        for (size_t j = 0; j < BLOCK; j++) y[1][o + j] = s1[j];
        for (size_t j = 0; j < BLOCK; j++) y[2][o + j] = s2[j];
        for (size_t j = 0; j < BLOCK; j++) y[3][o + j] = s3[j];
    }
    for (; o < out; o++)
        for (size_t v = 0; v < 4; v++) {
            float sum = bias[v][o];
            for (size_t i = 0; i < in; i++) sum += x[v][i] * w[i * out + o];
            y[v][o] = sum;
        }
}

#endif
