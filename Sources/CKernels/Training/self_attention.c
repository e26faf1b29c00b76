// Self-attention over ragged sequences and its gradient, by tiles of sixteen queries. The weights are not stored: the
// gradient computes them again from each row's largest logit and sum (Dao et al., "FlashAttention", 2022).
#include "CKernels.h"
#include "elementary.h"
#include "tiles.h"
#include <math.h>

#define HIDDEN (-1e30f)

// Consecutive sequences that share tiles: one of any length, or several with up to sixteen positions together.
typedef struct {
    size_t first, count, sequences;
} group;

static group next_group(const ck_sequences *s, size_t sequence) {
    group g = {s->offsets[sequence], 0, 0};
    size_t last = s->count;
    while (sequence + g.sequences < last) {
        size_t end = s->offsets[sequence + g.sequences + 1];
        if (g.count > 0 && end - g.first > LANES) break;
        g.count = end - g.first;
        g.sequences++;
    }
    return g;
}

// The stretch of positions, counted from the group's first, that each position of a group sees.
static void stretches(const ck_sequences *s, size_t sequence, group g, int32_t *low, int32_t *high) {
    for (size_t i = sequence; i < sequence + g.sequences; i++)
        for (size_t p = s->offsets[i]; p < s->offsets[i + 1]; p++) {
            low[p - g.first] = (int32_t)(s->offsets[i] - g.first);
            high[p - g.first] = (int32_t)((s->causal ? p + 1 : s->offsets[i + 1]) - g.first);
        }
}

// x = scale x + bias, or HIDDEN outside [low, high); returns the largest.
INLINE float finish_logits(float *x, size_t n, float scale, const float *bias, int32_t low, int32_t high) {
    FAST
    int_lanes index = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    lanes largest = HIDDEN;
    for (size_t j = 0; j < n; j += LANES) {
        lanes y = LOAD(x + j) * scale + LOAD(bias + j);
        y = ((index >= low) & (index < high)) ? y : (lanes)HIDDEN;
        largest = y > largest ? y : largest;
        STORE(x + j, y);
        index += LANES;
    }
    float m = largest[0];
    for (size_t l = 1; l < LANES; l++) m = largest[l] > m ? largest[l] : m;
    return m;
}

// x = exp(x - largest) * factor, 0 for hidden elements; returns the sum.
INLINE float exponentials(float *x, size_t n, float largest, float factor) {
    FAST
    float sum = 0.0f;
    for (size_t j = 0; j < n; j++) {
        float y = ck_expf(x[j] - largest) * factor;
        y = x[j] == HIDDEN ? 0.0f : y;
        x[j] = y;
        sum += y;
    }
    return sum;
}

// x = silu(scale x + bias) share, or 0 outside [low, high).
INLINE void pointwise_weights(float *x, size_t n, float scale, const float *bias, int32_t low, int32_t high,
                              float share) {
    FAST
    for (size_t j = 0; j < n; j++) {
        float y = x[j] * scale + bias[j];
        y = y * ck_sigmoidf(y) * share;
        x[j] = ((int32_t)j >= low) & ((int32_t)j < high) ? y : 0.0f;
    }
}

// As pointwise_weights, and multiplies the weights' slopes by their derivatives by scale x + bias.
INLINE void pointwise_slopes(float *x, float *slope, size_t n, float scale, const float *bias, int32_t low,
                             int32_t high, float share) {
    FAST
    for (size_t j = 0; j < n; j++) {
        float y = x[j] * scale + bias[j], s = ck_sigmoidf(y);
        float inside = ((int32_t)j >= low) & ((int32_t)j < high) ? share : 0.0f;
        x[j] = y * s * inside;
        slope[j] *= s * (1.0f + y * (1.0f - s)) * inside;
    }
}

// A head's biases by rising distance of the key from the query, with room for tiles that reach past both ends.
static void pad_biases(const ck_sequences *s, const float *reversed_bias, size_t head, float *out) {
    size_t distances = s->causal ? s->longest : 2 * s->longest - 1;
    for (size_t i = 0; i < distances + 2 * LANES; i++) out[i] = 0.0f;
    for (size_t i = 0; i < distances; i++) out[LANES + i] = reversed_bias[head * distances + i];
}

INLINE void self_attention(const tile_shape tiles, const ck_sequences *s, const float *q, const float *k,
                           const float *v, const float *reversed_bias, float *largest, float *sums, float *out,
                           float *scratch) {
    size_t d = s->d, width = d / s->heads, padded = round_up(width, LANES), rows = round_up(s->longest, LANES);
    if (rows < LANES) rows = LANES;
    size_t positions = s->offsets[s->count];
    float scale = 1.0f / sqrtf((float)width);
    float *values = scratch, *keys = values + rows * padded, *packed = keys + rows * padded,
          *queries = packed + rows * padded, *result = queries + LANES * padded, *logits = result + LANES * padded,
          *bias = logits + LANES * rows;
    int32_t *low = (int32_t *)(bias + round_up(2 * s->longest + 2 * LANES, LANES)), *high = low + rows;
    for (size_t h = 0; h < s->heads; h++) {
        pad_biases(s, reversed_bias, h, bias);
        const float *zero_distance = bias + LANES + s->longest - 1;
        group g;
        for (size_t sequence = 0; sequence < s->count; sequence += g.sequences) {
            g = next_group(s, sequence);
            if (g.count == 0) continue;
            stretches(s, sequence, g, low, high);
            size_t n = round_up(g.count, LANES), first = g.first * d + h * width;
            pack(k + first, d, g.count, width, n, padded, packed);
            transpose(packed, n, padded, keys);
            pack(v + first, d, g.count, width, n, padded, values);
            for (size_t start = 0; start < g.count; start += LANES) {
                size_t real = g.count - start < LANES ? g.count - start : LANES;
                size_t seen = s->causal ? start + LANES : n, tile_rows = round_up(real, 8);
                const float *x = q + first + start * d;
                size_t stride = d;
                if (real < tile_rows) {
                    pack(x, d, real, width, tile_rows, padded, queries);
                    x = queries;
                    stride = padded;
                }
                product(tiles, x, stride, 1, keys, n, tile_rows, width, seen, logits, n, 0);
                for (size_t r = 0; r < real; r++) {
                    size_t p = start + r, at = h * positions + g.first + p;
                    float *row = logits + r * n;
                    if (s->pointwise) {
                        pointwise_weights(row, seen, scale, zero_distance - p, low[p], high[p],
                                          1.0f / (float)(high[p] - low[p]));
                        continue;
                    }
                    largest[at] = finish_logits(row, seen, scale, zero_distance - p, low[p], high[p]);
                    sums[at] = exponentials(row, seen, largest[at], 1.0f);
                }
                product(tiles, logits, n, 1, values, padded, tile_rows, seen, padded, result, padded, 0);
                for (size_t r = 0; r < real; r++) {
                    size_t p = start + r;
                    float factor = s->pointwise ? 1.0f : 1.0f / sums[h * positions + g.first + p];
                    float *o = out + first + p * d;
                    for (size_t c = 0; c < width; c++) o[c] = result[r * padded + c] * factor;
                }
            }
        }
    }
}

INLINE void self_attention_gradient(const tile_shape tiles, const ck_sequences *s, const float *q, const float *k,
                                    const float *v, const float *reversed_bias, const float *largest,
                                    const float *sums, const float *out, const float *grad_out, float *grad_q,
                                    float *grad_k, float *grad_v, float *grad_reversed_bias, float *scratch) {
    FAST
    size_t d = s->d, width = d / s->heads, padded = round_up(width, LANES), rows = round_up(s->longest, LANES);
    if (rows < LANES) rows = LANES;
    size_t positions = s->offsets[s->count], distances = s->causal ? s->longest : 2 * s->longest - 1;
    float scale = 1.0f / sqrtf((float)width);
    float *values = scratch, *keys = values + rows * padded, *packed = keys + rows * padded,
          *slope_keys = packed + rows * padded, *slope_values = slope_keys + rows * padded,
          *queries = slope_values + rows * padded, *slopes = queries + LANES * padded,
          *result = slopes + LANES * padded, *weights = result + LANES * padded, *logits = weights + LANES * rows,
          *bias = logits + LANES * rows;
    size_t bias_room = round_up(2 * s->longest + 2 * LANES, LANES);
    float *grad_bias = bias + bias_room; // four, in turn for successive rows: no row waits for the one before
    int32_t *low = (int32_t *)(grad_bias + 4 * bias_room), *high = low + rows;
    for (size_t h = 0; h < s->heads; h++) {
        pad_biases(s, reversed_bias, h, bias);
        for (size_t i = 0; i < 4 * bias_room; i++) grad_bias[i] = 0.0f;
        size_t zero = LANES + s->longest - 1;
        group g;
        for (size_t sequence = 0; sequence < s->count; sequence += g.sequences) {
            g = next_group(s, sequence);
            if (g.count == 0) continue;
            stretches(s, sequence, g, low, high);
            size_t n = round_up(g.count, LANES), first = g.first * d + h * width;
            pack(v + first, d, g.count, width, n, padded, packed);
            transpose(packed, n, padded, values);
            pack(k + first, d, g.count, width, n, padded, packed);
            transpose(packed, n, padded, keys);
            for (size_t i = 0; i < n * padded; i++) slope_keys[i] = slope_values[i] = 0.0f;
            for (size_t start = 0; start < g.count; start += LANES) {
                size_t real = g.count - start < LANES ? g.count - start : LANES;
                size_t seen = s->causal ? start + LANES : n, tile_rows = round_up(real, 8), from = first + start * d;
                pack(q + from, d, real, width, tile_rows, padded, queries);
                pack(grad_out + from, d, real, width, tile_rows, padded, slopes);
                product(tiles, queries, padded, 1, keys, n, tile_rows, width, seen, weights, n, 0);
                product(tiles, slopes, padded, 1, values, n, tile_rows, width, seen, logits, n, 0);
                for (size_t r = 0; r < real; r++) {
                    size_t p = start + r, at = h * positions + g.first + p;
                    float *w = weights + r * n, *slope = logits + r * n;
                    float *gb = grad_bias + (r % 4) * bias_room + zero - p;
                    float mean = 0.0f;
                    if (s->pointwise) {
                        pointwise_slopes(w, slope, seen, scale, bias + zero - p, low[p], high[p],
                                         1.0f / (float)(high[p] - low[p]));
                    } else {
                        finish_logits(w, seen, scale, bias + zero - p, low[p], high[p]);
                        exponentials(w, seen, largest[at], 1.0f / sums[at]);
                        for (size_t c = 0; c < width; c++) mean += out[from + r * d + c] * slopes[r * padded + c];
                    }
                    for (size_t j = 0; j < seen; j += LANES) {
                        lanes x = s->pointwise ? LOAD(slope + j) : LOAD(w + j) * (LOAD(slope + j) - mean);
                        STORE(gb + j, LOAD(gb + j) + x);
                        STORE(slope + j, x * scale);
                    }
                }
                product(tiles, logits, n, 1, packed, padded, tile_rows, seen, padded, result, padded, 0);
                for (size_t r = 0; r < real; r++)
                    for (size_t c = 0; c < width; c++) grad_q[from + r * d + c] = result[r * padded + c];
                product(tiles, weights, 1, n, slopes, padded, seen, tile_rows, padded, slope_values, padded, 1);
                product(tiles, logits, 1, n, queries, padded, seen, tile_rows, padded, slope_keys, padded, 1);
            }
            for (size_t p = 0; p < g.count; p++)
                for (size_t c = 0; c < width; c++) {
                    grad_k[first + p * d + c] = slope_keys[p * padded + c];
                    grad_v[first + p * d + c] = slope_values[p * padded + c];
                }
        }
        for (size_t i = 0; i < distances; i++) {
            const float *x = grad_bias + LANES + i;
            grad_reversed_bias[h * distances + i] =
                (x[0] + x[bias_room]) + (x[2 * bias_room] + x[3 * bias_room]);
        }
    }
}

size_t ck_self_attention_scratch(const ck_sequences *s) {
    size_t padded = round_up(s->d / s->heads, LANES), rows = round_up(s->longest > 0 ? s->longest : 1, LANES);
    return 5 * rows * padded + 3 * LANES * padded + 2 * LANES * rows +
           5 * round_up(2 * s->longest + 2 * LANES, LANES) + 2 * rows;
}

LEVELS(self_attention,
       (const ck_sequences *s, const float *q, const float *k, const float *v, const float *reversed_bias,
        float *largest, float *sums, float *out, float *scratch, int level),
       s, q, k, v, reversed_bias, largest, sums, out, scratch)

LEVELS(self_attention_gradient,
       (const ck_sequences *s, const float *q, const float *k, const float *v, const float *reversed_bias,
        const float *largest, const float *sums, const float *out, const float *grad_out, float *grad_q, float *grad_k,
        float *grad_v, float *grad_reversed_bias, float *scratch, int level),
       s, q, k, v, reversed_bias, largest, sums, out, grad_out, grad_q, grad_k, grad_v, grad_reversed_bias, scratch)
