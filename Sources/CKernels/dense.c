#include "CKernels.h"
#include "clones.h"
#include "dense.h"

CLONES static void dense(const float *w, const float *bias, const float *x, size_t in, size_t out, float *y) {
    dense_row(w, bias, x, in, out, y);
}

void ck_dense(const float *weights, const float *bias, const float *x, size_t in, size_t out, int activation,
              float *y) {
    dense(weights, bias, x, in, out, y);
    if (activation != CK_IDENTITY) ck_activate(activation, y, y, out);
}

CLONES void ck_posterior_step(const float *predicted, const float *noise, float clean, float noisy, float deviation,
                              size_t d, float *x) {
    FAST
    float square = 0.0f;
    for (size_t j = 0; j < d; j++) {
        x[j] = clean * predicted[j] + noisy * x[j] + deviation * noise[j];
        square += x[j] * x[j];
    }
    float norm = __builtin_elementwise_sqrt(square);
    float factor = 1.0f / (norm > 1e-6f ? norm : 1e-6f);
    for (size_t j = 0; j < d; j++) x[j] *= factor;
}

CLONES void ck_add(const float *a, const float *b, float *out, size_t n) {
    for (size_t j = 0; j < n; j++) out[j] = a[j] + b[j];
}
