#include "CKernels.h"
#include "clones.h"
#include "dense.h"
#include "elementary.h"
#include <math.h>

INLINE void softmax_in_place(float *x, size_t n) {
    FAST
    float m = x[0], sum = 0.0f;
    for (size_t j = 1; j < n; j++) m = x[j] > m ? x[j] : m;
    for (size_t j = 0; j < n; j++) {
        x[j] = ck_expf(x[j] - m);
        sum += x[j];
    }
    float inverse = 1.0f / sum;
    for (size_t j = 0; j < n; j++) x[j] *= inverse;
}

// silu(x) / n.
INLINE void silu_in_place(float *x, size_t n) {
    FAST
    float share = 1.0f / (float)n;
    for (size_t j = 0; j < n; j++) x[j] = x[j] * ck_sigmoidf(x[j]) * share;
}

CLONES void ck_newest_attention(const float *q, const float *k, const float *v, const float *reversed_bias, size_t n,
                                size_t newest, size_t longest, size_t d, size_t heads, int pointwise, float *scratch,
                                float *out) {
    FAST
    size_t width = d / heads, stride = (n + 15) / 16 * 16;
    float scale = 1.0f / sqrtf((float)width);
    float *features = scratch, *weights = scratch + width * stride;
    for (size_t h = 0; h < heads; h++) {
        // A head's keys, transposed, so that one query is multiplied with sixteen keys at once.
        for (size_t c = 0; c < width; c++)
            for (size_t p = 0; p < stride; p++) features[c * stride + p] = p < n ? k[p * d + h * width + c] : 0.0f;
        const float *bias = reversed_bias + h * longest + longest - 1;
        for (size_t i = 0; i < newest; i++) {
            size_t p = n - newest + i;
            weighted_rows(features, NULL, width, stride, (p + 16) / 16 * 16, q + i * d + h * width, weights);
            for (size_t j = 0; j <= p; j++) weights[j] = weights[j] * scale + *(bias - p + j);
            if (pointwise)
                silu_in_place(weights, p + 1);
            else
                softmax_in_place(weights, p + 1);
            weighted_rows(v + h * width, NULL, p + 1, d, width, weights, out + i * d + h * width);
        }
    }
}
