#include "CKernels.h"
#include "clones.h"
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
