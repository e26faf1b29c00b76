#include "CKernels.h"
#include "clones.h"
#include "dense.h"
#include "elementary.h"
#include <math.h>

// y = (x - mean) / deviation; returns one over the deviation.
INLINE float standardise(const float *x, size_t d, float *restrict y) {
    FAST
    float mean = 0.0f, variance = 0.0f;
    for (size_t j = 0; j < d; j++) mean += x[j];
    mean /= (float)d;
    for (size_t j = 0; j < d; j++) variance += (x[j] - mean) * (x[j] - mean);
    float inverse = 1.0f / sqrtf(variance / (float)d + 1e-6f);
    for (size_t j = 0; j < d; j++) y[j] = (x[j] - mean) * inverse;
    return inverse;
}

CLONES void ck_layer_norm(const float *x, const float *gain, const float *bias, float *out, float *standardised,
                          float *inverse_deviations, size_t rows, size_t d) {
    FAST
    for (size_t i = 0; i < rows; i++) {
        float *restrict y = standardised + i * d, *restrict o = out + i * d;
        inverse_deviations[i] = standardise(x + i * d, d, y);
        for (size_t j = 0; j < d; j++) o[j] = y[j] * gain[j] + bias[j];
    }
}

CLONES void ck_apply_layer_norm(const float *x, const float *gain, const float *bias, float *out, size_t rows,
                                size_t d) {
    FAST
    for (size_t i = 0; i < rows; i++) {
        float *restrict y = out + i * d;
        standardise(x + i * d, d, y);
        for (size_t j = 0; j < d; j++) y[j] = y[j] * gain[j] + bias[j];
    }
}

CLONES void ck_layer_norm_gradient(const float *standardised, const float *inverse_deviations, const float *gain,
                                   const float *gradient, float *grad_x, float *grad_gain, float *grad_bias,
                                   size_t rows, size_t d) {
    FAST
    for (size_t i = 0; i < rows; i++) {
        const float *y = standardised + i * d, *g = gradient + i * d;
        float *restrict gx = grad_x + i * d;
        float sum = 0.0f, product = 0.0f;
        for (size_t j = 0; j < d; j++) {
            sum += g[j] * gain[j];
            product += g[j] * gain[j] * y[j];
        }
        sum /= (float)d;
        product /= (float)d;
        for (size_t j = 0; j < d; j++) gx[j] = (g[j] * gain[j] - sum - y[j] * product) * inverse_deviations[i];
        for (size_t j = 0; j < d; j++) {
            grad_gain[j] += g[j] * y[j];
            grad_bias[j] += g[j];
        }
    }
}

// MARK: One sequence at a time, for serving.

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

CLONES void ck_newest_attention(const float *q, const float *k, const float *v, const float *reversed_bias, size_t n,
                                size_t newest, size_t longest, size_t d, size_t heads, float *scratch, float *out) {
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
            softmax_in_place(weights, p + 1);
            weighted_rows(v + h * width, NULL, p + 1, d, width, weights, out + i * d + h * width);
        }
    }
}
