#include "CKernels.h"
#include "activations.h"
#include "clones.h"
#include "dense.h"

void ck_pack(const float *weights, size_t in, size_t out, float *packed) {
    for (size_t o = 0; o < out; o += BLOCK)
        for (size_t i = 0; i < in; i++)
            for (size_t j = 0; j < BLOCK; j++) packed[o * in + i * BLOCK + j] = o + j < out ? weights[i * out + o + j] : 0.0f;
}

CLONES void ck_dense(const float *packed, size_t in, size_t out, const float *bias, size_t bias_stride, const float *x,
                     size_t vectors, int activation, float *y) {
    size_t v = 0;
    for (; v + 4 <= vectors; v += 4) {
        const float *b[4], *from[4];
        float *to[4];
        for (size_t i = 0; i < 4; i++) {
            b[i] = bias + (v + i) * bias_stride;
            from[i] = x + (v + i) * in;
            to[i] = y + (v + i) * out;
        }
        dense(packed, in, out, 4, b, from, to);
    }
    for (; v < vectors; v++) {
        const float *b = bias + v * bias_stride, *from = x + v * in;
        float *to = y + v * out;
        dense(packed, in, out, 1, &b, &from, &to);
    }
    if (activation == CK_IDENTITY) return;
    for (v = 0; v < vectors; v++) activate(activation, y + v * out, y + v * out, out);
}
