#include "CKernels.h"
#include "clones.h"
#include "dense.h"
#include "elementary.h"

// Rounds of routing. The weights of the last round are the result.
enum { ROUNDS = 3 };

// Squashing multiplies a vector of squared length s by this factor. Short vectors shrink to almost 0; long vectors get
// a length just below 1.
INLINE float squash_factor(float s) { return s / ((1.0f + s) * __builtin_elementwise_sqrt(s + 1e-9f)); }

CLONES void ck_squash_rows(const float *in, float *out, size_t rows, size_t d) {
    for (size_t i = 0; i < rows; i++) {
        float factor = squash_factor(dot(in + i * d, in + i * d, d));
        for (size_t j = 0; j < d; j++) out[i * d + j] = factor * in[i * d + j];
    }
}

CLONES void ck_squash_rows_gradient(const float *in, const float *grad_out, float *grad_in, size_t rows, size_t d) {
    FAST
    for (size_t i = 0; i < rows; i++) {
        const float *x = in + i * d, *g = grad_out + i * d;
        float s = dot(x, x, d), length = __builtin_elementwise_sqrt(s + 1e-9f);
        // The factor's derivative by s, times 2 <x, g>.
        float slope = 1.0f / ((1.0f + s) * (1.0f + s) * length) - 0.5f * s / ((1.0f + s) * length * length * length);
        float along = 2.0f * slope * dot(x, g, d), factor = squash_factor(s);
        for (size_t j = 0; j < d; j++) grad_in[i * d + j] += factor * g[j] + along * x[j];
    }
}

CLONES void ck_weighted_sums(const float *rows, const int32_t *ids, size_t n, size_t K, size_t d, const float *weights,
                             float *out) {
    for (size_t k = 0; k < K; k++) weighted_rows(rows + k * d, ids, n, K * d, d, weights + k * n, out + k * d);
}

CLONES void ck_weighted_sums_gradient(const int32_t *ids, size_t n, size_t K, size_t d, const float *weights,
                                      const float *grad_out, float *grad_rows) {
    FAST
    for (size_t p = 0; p < n; p++)
        for (size_t k = 0; k < K; k++) {
            const float *g = grad_out + k * d;
            float *row = grad_rows + ((size_t)ids[p] * K + k) * d, w = weights[k * n + p];
            for (size_t j = 0; j < d; j++) row[j] += w * g[j];
        }
}

// weights[k][p] = softmax over k of logits[k][p]. scratch: 2 * n floats.
INLINE void softmax_over_interests(const float *logits, size_t n, size_t K, float *weights, float *scratch) {
    FAST
    float *largest = scratch, *sum = scratch + n;
    for (size_t p = 0; p < n; p++) largest[p] = logits[p];
    for (size_t k = 1; k < K; k++)
        for (size_t p = 0; p < n; p++) largest[p] = logits[k * n + p] > largest[p] ? logits[k * n + p] : largest[p];
    for (size_t p = 0; p < n; p++) sum[p] = 0.0f;
    for (size_t k = 0; k < K; k++)
        for (size_t p = 0; p < n; p++) {
            float e = ck_expf(logits[k * n + p] - largest[p]);
            weights[k * n + p] = e;
            sum[p] += e;
        }
    for (size_t k = 0; k < K; k++)
        for (size_t p = 0; p < n; p++) weights[k * n + p] /= sum[p];
}

INLINE void routing_weights(const float *votes, const int32_t *ids, size_t n, size_t K, size_t d, const float *start,
                            size_t stride, float *weights, float *scratch) {
    float *logits = scratch, *rest = logits + K * n, *interest = rest + 2 * n;
    for (size_t k = 0; k < K; k++)
        for (size_t p = 0; p < n; p++) logits[k * n + p] = start[k * stride + p];
    softmax_over_interests(logits, n, K, weights, rest);
    for (int round = 1; round < ROUNDS; round++) {
        for (size_t k = 0; k < K; k++) {
            weighted_rows(votes + k * d, ids, n, K * d, d, weights + k * n, interest);
            float factor = squash_factor(dot(interest, interest, d));
            for (size_t p = 0; p < n; p++) {
                const float *vote = votes + ((ids ? (size_t)ids[p] : p) * K + k) * d;
                logits[k * n + p] += factor * dot(vote, interest, d);
            }
        }
        softmax_over_interests(logits, n, K, weights, rest);
    }
}

CLONES void ck_routing_weights(const float *votes, const int32_t *ids, size_t n, size_t K, size_t d,
                               const float *start, size_t stride, float *weights, float *scratch) {
    routing_weights(votes, ids, n, K, d, start, stride, weights, scratch);
}

CLONES void ck_history_routing(const float *items, const int32_t *ids, size_t n, const float *packed, size_t block,
                               size_t K, size_t d, const float *start, size_t stride, float *scratch,
                               float *interests) {
    size_t width = K * d;
    float *zero = scratch, *votes = zero + width, *weights = votes + n * width, *rest = weights + K * n;
    for (size_t j = 0; j < width; j++) zero[j] = 0.0f;
    for (size_t p = 0; p < n; p++) {
        if (p + 1 < n) prefetch_row(items + (size_t)ids[p + 1] * d, d);
        const float *bias = zero, *x = items + (size_t)ids[p] * d;
        float *vote = votes + p * width;
        dense(packed + p * block, d, width, 1, &bias, &x, &vote);
    }
    routing_weights(votes, NULL, n, K, d, start, stride, weights, rest);
    for (size_t k = 0; k < K; k++) {
        float *out = interests + k * d;
        weighted_rows(votes + k * d, NULL, n, width, d, weights + k * n, out);
        float factor = squash_factor(dot(out, out, d));
        for (size_t j = 0; j < d; j++) out[j] *= factor;
    }
}
