// A dense layer for one vector, for inlining into functions that are compiled per CPU level.
#ifndef CK_DENSE_H
#define CK_DENSE_H

#include "clones.h"
#include <stddef.h>

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

#endif
