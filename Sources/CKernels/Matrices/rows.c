#include "CKernels.h"
#include "clones.h"
#include "dense.h"
#include "elementary.h"
#include <math.h>

// Both score functions sum in the same order, so that an approximate index returns the same scores as the exact index.
INLINE float score(const float *row, const float *query, size_t d) { return d == 64 ? dot(row, query, 64) : dot(row, query, d); }

CLONES void ck_scores(const float *rows, size_t count, size_t d, const float *query, float *out) {
    for (size_t i = 0; i < count; i++) out[i] = score(rows + i * d, query, d);
}

// Rows that are read in random order are prefetched this many rows ahead.
enum { AHEAD = 12 };

CLONES void ck_gathered_scores(const float *rows, const int32_t *ids, size_t count, size_t d, const float *query,
                               float *out) {
    for (size_t i = 0; i < count && i < AHEAD; i++) prefetch_row(rows + (size_t)ids[i] * d, d);
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count) prefetch_row(rows + (size_t)ids[i + AHEAD] * d, d);
        out[i] = score(rows + (size_t)ids[i] * d, query, d);
    }
}

CLONES void ck_normalise_rows(const float *in, float *out, float *norms, size_t rows, size_t d, float epsilon) {
    FAST
    for (size_t i = 0; i < rows; i++) {
        const float *x = in + i * d;
        float *y = out + i * d;
        float norm = __builtin_elementwise_sqrt(dot(x, x, d));
        float factor = 1.0f / (norm > epsilon ? norm : epsilon);
        for (size_t j = 0; j < d; j++) y[j] = x[j] * factor;
        norms[i] = norm;
    }
}

CLONES void ck_normalise_rows_gradient(const float *y, const float *norms, const float *grad_out, float *grad_in,
                                       size_t rows, size_t d, float epsilon) {
    FAST
    for (size_t i = 0; i < rows; i++) {
        const float *yi = y + i * d, *g = grad_out + i * d;
        float *out = grad_in + i * d;
        int guarded = norms[i] <= epsilon; // then y = x / epsilon, which is linear
        float factor = 1.0f / (guarded ? epsilon : norms[i]);
        float along = guarded ? 0.0f : dot(yi, g, d);
        for (size_t j = 0; j < d; j++) out[j] += (g[j] - along * yi[j]) * factor;
    }
}

INLINE float row_max(const float *x, size_t n) {
    float m = x[0];
    for (size_t j = 1; j < n; j++) m = x[j] > m ? x[j] : m;
    return m;
}

// Maximum over lanes first: the compiler does not re-associate a float maximum by itself.
INLINE float lane_max(const float *x, size_t n) {
    if (n < 32) return row_max(x, n);
    float lanes[32];
    for (size_t l = 0; l < 32; l++) lanes[l] = x[l];
    size_t j = 32;
    for (; j + 32 <= n; j += 32)
        for (size_t l = 0; l < 32; l++) lanes[l] = x[j + l] > lanes[l] ? x[j + l] : lanes[l];
    float m = row_max(lanes, 32);
    for (; j < n; j++) m = x[j] > m ? x[j] : m;
    return m;
}

CLONES void ck_softmax_rows(const float *in, float *out, size_t rows, size_t d) {
    FAST
    if (d == 0) return;
    for (size_t i = 0; i < rows; i++) {
        const float *x = in + i * d;
        float *y = out + i * d;
        float m = lane_max(x, d), sum = 0.0f;
        for (size_t j = 0; j < d; j++) {
            float e = ck_expf(x[j] - m);
            y[j] = e;
            sum += e;
        }
        float factor = 1.0f / sum;
        for (size_t j = 0; j < d; j++) y[j] *= factor;
    }
}

CLONES void ck_softmax_rows_gradient(const float *y, const float *grad_out, float *grad_in, size_t rows, size_t d) {
    FAST
    for (size_t i = 0; i < rows; i++) {
        const float *yi = y + i * d, *g = grad_out + i * d;
        float mean = dot(yi, g, d);
        for (size_t j = 0; j < d; j++) grad_in[i * d + j] += yi[j] * (g[j] - mean);
    }
}

CLONES void ck_gather_rows(const float *table, const int32_t *ids, size_t count, size_t d, float *out) {
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count) prefetch_row(table + (size_t)ids[i + AHEAD] * d, d);
        const float *row = table + (size_t)ids[i] * d;
        for (size_t j = 0; j < d; j++) out[i * d + j] = row[j];
    }
}

CLONES void ck_scatter_add_rows(const float *rows, const int32_t *ids, size_t count, size_t d, float *table) {
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count) prefetch_row(table + (size_t)ids[i + AHEAD] * d, d);
        float *row = table + (size_t)ids[i] * d;
        for (size_t j = 0; j < d; j++) row[j] += rows[i * d + j];
    }
}

CLONES void ck_scatter_add_rows_between(const float *rows, const int32_t *ids, size_t count, size_t d, int32_t first,
                                        int32_t end, float *table) {
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < first || ids[i] >= end) continue;
        float *row = table + (size_t)ids[i] * d;
        for (size_t j = 0; j < d; j++) row[j] += rows[i * d + j];
    }
}

CLONES void ck_add_bias(const float *bias, float *rows, size_t count, size_t d) {
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < d; j++) rows[i * d + j] += bias[j];
}

CLONES void ck_sum_rows(const float *rows, size_t count, size_t d, float *out) {
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < d; j++) out[j] += rows[i * d + j];
}

CLONES void ck_scale_rows(const float *in, const float *factors, float *out, size_t rows, size_t d) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < d; j++) out[i * d + j] = in[i * d + j] * factors[i];
}

CLONES void ck_row_dots(const float *a, const float *b, size_t rows, size_t d, float *out) {
    for (size_t i = 0; i < rows; i++) out[i] = dot(a + i * d, b + i * d, d);
}

CLONES void ck_block_scores(const float *queries, const float *blocks, size_t rows, size_t n, size_t d, float *out) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++) out[i * n + j] = dot(queries + i * d, blocks + (i * n + j) * d, d);
}

CLONES void ck_block_scores_gradient(const float *queries, const float *blocks, const float *grad_out, size_t rows,
                                     size_t n, size_t d, float *grad_queries, float *grad_blocks) {
    FAST
    for (size_t i = 0; i < rows; i++) {
        const float *q = queries + i * d;
        float *gq = grad_queries + i * d;
        for (size_t j = 0; j < n; j++) {
            const float *b = blocks + (i * n + j) * d;
            float *gb = grad_blocks + (i * n + j) * d;
            float g = grad_out[i * n + j];
            for (size_t e = 0; e < d; e++) {
                gq[e] += g * b[e];
                gb[e] += g * q[e];
            }
        }
    }
}

CLONES void ck_group_maximum(const float *rows, size_t groups, size_t size, size_t d, float *out) {
    for (size_t g = 0; g < groups; g++) {
        const float *first = rows + g * size * d;
        float *y = out + g * d;
        for (size_t j = 0; j < d; j++) y[j] = first[j];
        for (size_t r = 1; r < size; r++)
            for (size_t j = 0; j < d; j++) y[j] = first[r * d + j] > y[j] ? first[r * d + j] : y[j];
    }
}

CLONES size_t ck_rank_above(const float *scores, size_t n, size_t target) {
    float s = scores[target];
    uint32_t above = 0, ties = 0;
    for (size_t j = 0; j < n; j++) above += scores[j] > s;
    for (size_t j = 0; j < target; j++) ties += scores[j] == s;
    return (size_t)above + ties;
}

CLONES size_t ck_filter_above(const float *scores, size_t from, size_t n, float threshold, int32_t *found,
                              size_t capacity, size_t *found_count) {
    size_t count = 0, i = from;
    for (; i + 64 <= n && count + 64 <= capacity; i += 64) {
        uint32_t any = 0;
        for (size_t j = 0; j < 64; j++) any |= scores[i + j] >= threshold;
        if (!any) continue;
        for (size_t j = 0; j < 64; j++) {
            found[count] = (int32_t)(i + j);
            count += scores[i + j] >= threshold;
        }
    }
    for (; i < n && count < capacity; i++)
        if (scores[i] >= threshold) found[count++] = (int32_t)i;
    *found_count = count;
    return i;
}

CLONES float ck_cross_entropy(float *row, size_t n, float positive, float *positive_probability) {
    FAST
    float m = positive;
    if (n > 0) {
        float largest = lane_max(row, n);
        m = largest > m ? largest : m;
    }
    float sum = 0.0f;
    for (size_t j = 0; j < n; j++) {
        float e = ck_expf(row[j] - m);
        e = row[j] < -1e8f ? 0.0f : e; // masked entries get probability 0
        row[j] = e;
        sum += e;
    }
    float e = ck_expf(positive - m);
    sum += e;
    float factor = 1.0f / sum;
    for (size_t j = 0; j < n; j++) row[j] *= factor;
    *positive_probability = e * factor;
    return m + logf(sum) - positive;
}
