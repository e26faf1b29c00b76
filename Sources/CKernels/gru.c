#include "CKernels.h"
#include "clones.h"
#include "elementary.h"

INLINE float sigmoid(float x) { return 1.0f / (1.0f + ck_expf(-x)); }

// a = h U, U [d, 3 d].
INLINE void recur(const float *h, const float *u, size_t d, float *restrict a) {
    FAST
    for (size_t j = 0; j < 3 * d; j++) a[j] = 0.0f;
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < 3 * d; j++) a[j] += h[i] * u[i * 3 * d + j];
}

CLONES void ck_gru(const float *x, const float *u, const float *bias, size_t n, size_t d, float *gates, float *states,
                   float *scratch) {
    FAST
    float *zero = scratch, *a = scratch + d;
    for (size_t j = 0; j < d; j++) zero[j] = 0.0f;
    for (size_t p = 0; p < n; p++) {
        const float *h = p == 0 ? zero : states + (p - 1) * d, *xp = x + p * 3 * d;
        float *restrict r = gates + p * 4 * d, *restrict z = r + d, *restrict c = z + d, *restrict an = c + d;
        float *restrict out = states + p * d;
        recur(h, u, d, a);
        for (size_t j = 0; j < d; j++) r[j] = sigmoid(xp[j] + a[j] + bias[j]);
        for (size_t j = 0; j < d; j++) z[j] = sigmoid(xp[d + j] + a[d + j] + bias[d + j]);
        for (size_t j = 0; j < d; j++) an[j] = a[2 * d + j] + bias[2 * d + j];
        for (size_t j = 0; j < d; j++) c[j] = ck_tanhf(xp[2 * d + j] + r[j] * an[j]);
        for (size_t j = 0; j < d; j++) out[j] = (1.0f - z[j]) * c[j] + z[j] * h[j];
    }
}

CLONES void ck_gru_gradient(const float *transposed_u, const float *gates, const float *states, const float *gradient,
                            size_t n, size_t d, float *grad_x, float *grad_a, float *scratch) {
    FAST
    float *zero = scratch, *g = scratch + d;
    for (size_t j = 0; j < 2 * d; j++) scratch[j] = 0.0f;
    for (size_t p = n; p-- > 0;) {
        const float *h = p == 0 ? zero : states + (p - 1) * d;
        const float *r = gates + p * 4 * d, *z = r + d, *c = z + d, *an = c + d, *from = gradient + p * d;
        float *restrict gx = grad_x + p * 3 * d, *restrict ga = grad_a + p * 3 * d;
        for (size_t j = 0; j < d; j++) {
            float slope = g[j] + from[j];
            float candidate = slope * (1.0f - z[j]) * (1.0f - c[j] * c[j]);
            float reset = candidate * an[j] * r[j] * (1.0f - r[j]);
            float update = slope * (h[j] - c[j]) * z[j] * (1.0f - z[j]);
            gx[j] = ga[j] = reset;
            gx[d + j] = ga[d + j] = update;
            gx[2 * d + j] = candidate;
            ga[2 * d + j] = candidate * r[j];
            g[j] = slope * z[j];
        }
        for (size_t i = 0; i < 3 * d; i++)
            for (size_t j = 0; j < d; j++) g[j] += ga[i] * transposed_u[i * d + j];
    }
}
