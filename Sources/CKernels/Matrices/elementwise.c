#include "CKernels.h"
#include "activations.h"
#include "clones.h"
#include "dense.h"
#include "elementary.h"
#include <math.h>

INLINE float activation_slope(int activation, float x) {
    FAST
    switch (activation) {
    case CK_TANH: {
        float y = ck_tanhf(x);
        return 1.0f - y * y;
    }
    case CK_GELU: {
        // Beyond 10 the slope is 0 or 1 to the last bit. Without this bound a large x^2 would amplify the rounding
        // error of s (1 - s).
        x = x < -10.0f ? -10.0f : x;
        x = x > 10.0f ? 10.0f : x;
        float s = ck_sigmoidf(GELU_SCALE * (x + GELU_CUBIC * x * x * x));
        return s + x * s * (1.0f - s) * GELU_SCALE * (1.0f + 3.0f * GELU_CUBIC * x * x);
    }
    case CK_SILU: {
        float s = ck_sigmoidf(x);
        return s + x * s * (1.0f - s);
    }
    case CK_RELU: return x > 0.0f ? 1.0f : 0.0f;
    default: return 1.0f;
    }
}

CLONES void ck_activate(int activation, const float *in, float *out, size_t n) { activate(activation, in, out, n); }

CLONES void ck_activate_gradient(int activation, const float *in, const float *grad_out, float *grad_in, size_t n) {
#define LOOP(kind)                                                                                                     \
    for (size_t i = 0; i < n; i++) grad_in[i] += activation_slope(kind, in[i]) * grad_out[i]
    FOR_EACH_KIND(LOOP)
#undef LOOP
}

CLONES void ck_biased_activate(int activation, const float *bias, float *sums, float *out, size_t rows,
                               size_t columns) {
    for (size_t i = 0; i < rows; i++) {
        float *y = sums + i * columns;
        for (size_t j = 0; j < columns; j++) y[j] += bias[j];
        activate(activation, y, out + i * columns, columns);
    }
}

CLONES void ck_biased_activate_gradient(int activation, const float *sums, const float *grad_out, float *grad_sums,
                                        float *grad_bias, size_t rows, size_t columns) {
    for (size_t i = 0; i < rows; i++) {
        const float *x = sums + i * columns, *g = grad_out + i * columns;
        float *restrict slopes = grad_sums + i * columns;
#define LOOP(kind)                                                                                                     \
    for (size_t j = 0; j < columns; j++) slopes[j] = activation_slope(kind, x[j]) * g[j]
        FOR_EACH_KIND(LOOP)
#undef LOOP
        for (size_t j = 0; j < columns; j++) grad_bias[j] += slopes[j];
    }
}

CLONES void ck_fill(float value, float *y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = value;
}

CLONES void ck_sum_into(const float *a, float factor, const float *b, float *out, size_t n) {
    FAST
    for (size_t i = 0; i < n; i++) out[i] = a[i] + factor * b[i];
}

CLONES void ck_exp(const float *in, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = ck_expf(in[i]);
}

CLONES float ck_dot(const float *a, const float *b, size_t n) {
    FAST
    float sum = 0.0f;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

CLONES double ck_sum(const float *a, size_t n) {
    FAST
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i];
    return sum;
}

CLONES double ck_sum_of_squares(const float *a, size_t n) {
    FAST
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)a[i];
    return sum;
}

CLONES void ck_scale(float factor, float *y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] *= factor;
}

CLONES void ck_axpy(float factor, const float *x, float *y, size_t n) {
    FAST
    for (size_t i = 0; i < n; i++) y[i] += factor * x[i];
}

CLONES void ck_multiply(const float *a, const float *b, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = a[i] * b[i];
}

CLONES size_t ck_first_non_finite(const float *a, size_t n) {
    // Each block is tested as a whole, so that the common case (all finite) is vectorised.
    const size_t block = 256;
    for (size_t start = 0; start < n; start += block) {
        size_t end = start + block < n ? start + block : n;
        uint32_t bad = 0;
        for (size_t i = start; i < end; i++) bad |= (uint32_t)((ck_to_bits(a[i]) & 0x7f800000u) == 0x7f800000u);
        if (!bad) continue;
        for (size_t i = start; i < end; i++)
            if ((ck_to_bits(a[i]) & 0x7f800000u) == 0x7f800000u) return i;
    }
    return n;
}

INLINE void adam(float *w, float *m, float *v, const float *g, size_t n, const ck_adam_step *step) {
    FAST
    float b1 = step->beta1, b2 = step->beta2, size = step->step_size, correction = step->v_correction,
          epsilon = step->epsilon;
    for (size_t i = 0; i < n; i++) {
        m[i] = b1 * m[i] + (1.0f - b1) * g[i];
        v[i] = b2 * v[i] + (1.0f - b2) * g[i] * g[i];
        w[i] -= size * m[i] / (__builtin_elementwise_sqrt(v[i] * correction) + epsilon);
    }
}

CLONES void ck_adam(float *w, float *m, float *v, const float *g, size_t n, const ck_adam_step *step) {
    adam(w, m, v, g, n, step);
}

CLONES void ck_adam_rows(float *w, float *m, float *v, const float *g, const int32_t *ids, size_t count, size_t d,
                         const ck_adam_step *step) {
    enum { AHEAD = 6 };
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count) {
            size_t later = (size_t)ids[i + AHEAD] * d;
            prefetch_row(w + later, d);
            prefetch_row(m + later, d);
            prefetch_row(v + later, d);
        }
        size_t at = (size_t)ids[i] * d;
        adam(w + at, m + at, v + at, g + i * d, d, step);
    }
}
