#include "CKernels.h"
#include "clones.h"
#include "dense.h"
#include "elementary.h"

// hidden = tanh(projection + position).
INLINE void hidden_row(const float *projection, const float *position, size_t a, float *hidden) {
    for (size_t j = 0; j < a; j++) hidden[j] = ck_tanhf(projection[j] + position[j]);
}

INLINE void softmax(float *x, size_t n) {
    FAST
    float m = x[0], sum = 0.0f;
    for (size_t j = 1; j < n; j++) m = x[j] > m ? x[j] : m;
    for (size_t j = 0; j < n; j++) {
        x[j] = ck_expf(x[j] - m);
        sum += x[j];
    }
    for (size_t j = 0; j < n; j++) x[j] /= sum;
}

// The sums of four groups of sixteen lanes, stored n floats apart.
INLINE void store_sums(const float *s0, const float *s1, const float *s2, const float *s3, size_t n, float *out) {
    FAST
    float l0 = 0.0f, l1 = 0.0f, l2 = 0.0f, l3 = 0.0f;
    for (size_t j = 0; j < 16; j++) l0 += s0[j];
    for (size_t j = 0; j < 16; j++) l1 += s1[j];
    for (size_t j = 0; j < 16; j++) l2 += s2[j];
    for (size_t j = 0; j < 16; j++) l3 += s3[j];
    out[0] = l0;
    out[n] = l1;
    out[2 * n] = l2;
    out[3 * n] = l3;
}

// The logits <hidden, head> of one position for four heads, n floats apart; a is a multiple of 16.
INLINE void hidden_logits(const float *projection, const float *position, const float *heads, size_t a, size_t n,
                          float *out) {
    FAST
    float s0[16] = {0}, s1[16] = {0}, s2[16] = {0}, s3[16] = {0};
    const float *h0 = heads, *h1 = heads + a, *h2 = heads + 2 * a, *h3 = heads + 3 * a;
    for (size_t g = 0; g < a; g += 16)
        for (size_t j = 0; j < 16; j++) {
            float hidden = ck_tanhf(projection[g + j] + position[g + j]);
            s0[j] += hidden * h0[g + j];
            s1[j] += hidden * h1[g + j];
            s2[j] += hidden * h2[g + j];
            s3[j] += hidden * h3[g + j];
        }
    store_sums(s0, s1, s2, s3, n, out);
}

CLONES void ck_attention(const float *items, const float *projection, const int32_t *ids, size_t n,
                         const float *position, const float *heads, size_t K, size_t a, size_t d, float *weights,
                         float *interests, float *hidden) {
    FAST
    for (size_t p = 0; p < n; p++) {
        if (p + 1 < n) prefetch_row(projection + (size_t)ids[p + 1] * a, a);
        const float *z = projection + (size_t)ids[p] * a, *q = position + p * a;
        if (K == 4 && a % 16 == 0) {
            hidden_logits(z, q, heads, a, n, weights + p);
            continue;
        }
        hidden_row(z, q, a, hidden);
        for (size_t k = 0; k < K; k++) weights[k * n + p] = dot(hidden, heads + k * a, a);
    }
    for (size_t k = 0; k < K; k++) {
        softmax(weights + k * n, n);
        weighted_rows(items, ids, n, d, d, weights + k * n, interests + k * d);
    }
}

// From the gradients of four interests: those of the logits [4, n], and those of the items.
INLINE void item_gradients(const float *items, const int32_t *ids, size_t n, size_t d, const float *weights,
                           const float *grad_interests, float *grad_items, float *grad_logits) {
    FAST
    const float *g0 = grad_interests, *g1 = g0 + d, *g2 = g1 + d, *g3 = g2 + d;
    const float *w0 = weights, *w1 = w0 + n, *w2 = w1 + n, *w3 = w2 + n;
    float means[4] = {0};
    for (size_t p = 0; p < n; p++) {
        const float *x = items + (size_t)ids[p] * d;
        float *gx = grad_items + (size_t)ids[p] * d;
        for (size_t k = 0; k < 4; k++) {
            grad_logits[k * n + p] = dot(grad_interests + k * d, x, d);
            means[k] += weights[k * n + p] * grad_logits[k * n + p];
        }
        for (size_t j = 0; j < d; j++) gx[j] += (w0[p] * g0[j] + w1[p] * g1[j]) + (w2[p] * g2[j] + w3[p] * g3[j]);
    }
    for (size_t k = 0; k < 4; k++)
        for (size_t p = 0; p < n; p++) grad_logits[k * n + p] = weights[k * n + p] * (grad_logits[k * n + p] - means[k]);
}

// One position of four heads: adds the gradients of the heads, the projection and the position.
INLINE void hidden_gradients(const float *projection, const float *position, const float *heads, size_t a,
                             const float *grad_logits, size_t n, float *restrict grad_projection,
                             float *restrict grad_position, float *restrict grad_heads) {
    FAST
    const float *restrict h0 = heads, *restrict h1 = h0 + a, *restrict h2 = h1 + a, *restrict h3 = h2 + a;
    float *restrict g0 = grad_heads, *restrict g1 = g0 + a, *restrict g2 = g1 + a, *restrict g3 = g2 + a;
    float l0 = grad_logits[0], l1 = grad_logits[n], l2 = grad_logits[2 * n], l3 = grad_logits[3 * n];
    for (size_t j = 0; j < a; j++) {
        float h = ck_tanhf(projection[j] + position[j]);
        float slope = ((l0 * h0[j] + l1 * h1[j]) + (l2 * h2[j] + l3 * h3[j])) * (1.0f - h * h);
        g0[j] += l0 * h;
        g1[j] += l1 * h;
        g2[j] += l2 * h;
        g3[j] += l3 * h;
        grad_projection[j] += slope;
        grad_position[j] += slope;
    }
}

INLINE void prefetch_projection(const float *projection, const float *grad_projection, int32_t id, size_t a) {
    prefetch_row(projection + (size_t)id * a, a);
    prefetch_row(grad_projection + (size_t)id * a, a);
}

CLONES void ck_attention_gradient(const float *items, const float *projection, const int32_t *ids, size_t n,
                                  const float *position, const float *heads, size_t K, size_t a, size_t d,
                                  const float *weights, const float *grad_interests, float *grad_items,
                                  float *grad_projection, float *grad_position, float *grad_heads, float *scratch) {
    FAST
    float *hidden = scratch, *grad_logits = scratch + a;
    if (K == 4) {
        item_gradients(items, ids, n, d, weights, grad_interests, grad_items, grad_logits);
        for (size_t p = 0; p < n; p++) {
            if (p + 1 < n) prefetch_projection(projection, grad_projection, ids[p + 1], a);
            hidden_gradients(projection + (size_t)ids[p] * a, position + p * a, heads, a, grad_logits + p, n,
                             grad_projection + (size_t)ids[p] * a, grad_position + p * a, grad_heads);
        }
        return;
    }
    for (size_t k = 0; k < K; k++) {
        const float *w = weights + k * n, *g = grad_interests + k * d;
        float *gl = grad_logits + k * n;
        float mean = 0.0f;
        for (size_t p = 0; p < n; p++) {
            gl[p] = dot(g, items + (size_t)ids[p] * d, d);
            mean += w[p] * gl[p];
        }
        for (size_t p = 0; p < n; p++) gl[p] = w[p] * (gl[p] - mean);
        for (size_t p = 0; p < n; p++) {
            float *gx = grad_items + (size_t)ids[p] * d;
            for (size_t j = 0; j < d; j++) gx[j] += w[p] * g[j];
        }
    }
    for (size_t p = 0; p < n; p++) {
        if (p + 1 < n) prefetch_projection(projection, grad_projection, ids[p + 1], a);
        hidden_row(projection + (size_t)ids[p] * a, position + p * a, a, hidden);
        float *restrict gp = grad_projection + (size_t)ids[p] * a, *restrict gq = grad_position + p * a;
        for (size_t k = 0; k < K; k++) {
            float l = grad_logits[k * n + p];
            const float *h = heads + k * a;
            float *gh = grad_heads + k * a;
            for (size_t j = 0; j < a; j++) {
                float slope = l * h[j] * (1.0f - hidden[j] * hidden[j]);
                gh[j] += l * hidden[j];
                gp[j] += slope;
                gq[j] += slope;
            }
        }
    }
}

// MARK: One history at a time, for serving.

// Keys are prefetched this many items ahead: one row takes about 40 ns to compute and 100 ns to arrive from memory.
enum { AHEAD = 8 };

CLONES void ck_attention_keys(const float *items, const int32_t *ids, size_t n, const float *w1, size_t a, size_t d,
                              size_t stride, float *scratch, float *keys) {
    for (size_t j = 0; j < a; j++) scratch[4 * a + j] = 0.0f;
    const float *zero = scratch + 4 * a, *bias[4] = {zero, zero, zero, zero};
    for (size_t p = 0; p < n; p += 4) {
        const float *x[4];
        float *z[4];
        for (size_t v = 0; v < 4; v++) {
            size_t q = p + v < n ? p + v : p; // a short last group repeats its first item
            x[v] = items + (ids ? (size_t)ids[q] : q) * d;
            z[v] = scratch + v * a;
        }
        dense(w1, d, a, 4, bias, x, z);
        for (size_t v = 0; v < 4 && p + v < n; v++) {
            float *key = keys + (p + v) * stride;
            for (size_t j = 0; j < a; j++) key[j] = ck_expf(2.0f * z[v][j]);
            for (size_t j = a; j < stride; j++) key[j] = 1.0f;
        }
    }
}

// The logits <tanh(z + q), head> of one item for four heads. They are stored n floats apart.
INLINE void four_logits(const float *key, const float *position, const float *heads, size_t stride, size_t n, float *out) {
    FAST
    float s0[16] = {0}, s1[16] = {0}, s2[16] = {0}, s3[16] = {0};
    const float *h0 = heads, *h1 = heads + stride, *h2 = heads + 2 * stride, *h3 = heads + 3 * stride;
    for (size_t g = 0; g < stride; g += 16)
        for (size_t j = 0; j < 16; j++) {
            float tanh = 1.0f - 2.0f / (key[g + j] * position[g + j] + 1.0f);
            s0[j] += tanh * h0[g + j];
            s1[j] += tanh * h1[g + j];
            s2[j] += tanh * h2[g + j];
            s3[j] += tanh * h3[g + j];
        }
    store_sums(s0, s1, s2, s3, n, out);
}

CLONES void ck_history_attention(const float *items, const int32_t *ids, size_t n, const float *keys, int gathered,
                                 const float *positions, const float *heads, size_t K, size_t stride, size_t d,
                                 float *weights, float *interests) {
    if (!gathered)
        for (size_t p = 0; p < n && p < AHEAD; p++) prefetch_row(keys + (size_t)ids[p] * stride, stride);
    for (size_t p = 0; p < n; p++) {
        if (!gathered && p + AHEAD < n) prefetch_row(keys + (size_t)ids[p + AHEAD] * stride, stride);
        if (!gathered) prefetch_row(items + (size_t)ids[p] * d, d);
        const float *key = keys + (gathered ? p : (size_t)ids[p]) * stride;
        for (size_t k = 0; k < K; k += 4)
            four_logits(key, positions + p * stride, heads + k * stride, stride, n, weights + k * n + p);
    }
    for (size_t k = 0; k < K; k++) {
        softmax(weights + k * n, n);
        weighted_rows(items, ids, n, d, d, weights + k * n, interests + k * d);
    }
}
