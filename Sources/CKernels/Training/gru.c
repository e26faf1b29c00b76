// Gated recurrent units over ragged sequences: one step of all sequences at a time, so that a step is a matrix product.
#include "CKernels.h"
#include "elementary.h"
#include "tiles.h"

// Iterations are independent: such a loop reads and writes distinct rows, or one row in place.
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")

size_t ck_gru_scratch(const ck_steps *s, size_t d) {
    size_t most = round_up(s->count > 0 ? s->starts[1] : 0, 4);
    return (round_up(d, LANES) + most) * (round_up(3 * d, LANES) + LANES) + (most + 1) * round_up(d, LANES);
}

INLINE void gru(const tile_shape tiles, const ck_steps *s, const float *x, const float *u, const float *bias, size_t d,
                float *gates, float *states, float *out, float *scratch) {
    FAST
    size_t width = round_up(3 * d, LANES);
    float *products = scratch, *padded = products + round_up(s->count > 0 ? s->starts[1] : 0, 4) * width;
    if (width != 3 * d) { // the columns of a tile must exist
        pack(u, 3 * d, d, 3 * d, d, width, padded);
        u = padded;
    }
    for (size_t t = 0; t < s->count; t++) {
        size_t start = s->starts[t], rows = s->starts[t + 1] - start;
        const float *former = t > 0 ? states + s->starts[t - 1] * d : NULL;
        if (former) product(tiles, former, d, 1, u, width, round_up(rows, 4), d, width, products, width, 0);
        for (size_t i = 0; i < rows; i++) {
            size_t position = (size_t)s->positions[start + i];
            const float *xp = x + position * 3 * d, *a = products + i * width;
            float *r = gates + (start + i) * 4 * d, *z = r + d, *c = z + d, *an = c + d,
                  *h = states + (start + i) * d, *o = out + position * d;
            if (former) {
                const float *before = former + i * d;
                INDEPENDENT
                for (size_t j = 0; j < 2 * d; j++) r[j] = ck_sigmoidf(xp[j] + a[j] + bias[j]);
                INDEPENDENT
                for (size_t j = 0; j < d; j++) {
                    an[j] = a[2 * d + j] + bias[2 * d + j];
                    c[j] = ck_tanhf(xp[2 * d + j] + r[j] * an[j]);
                    h[j] = o[j] = (1.0f - z[j]) * c[j] + z[j] * before[j];
                }
            } else {
                INDEPENDENT
                for (size_t j = 0; j < 2 * d; j++) r[j] = ck_sigmoidf(xp[j] + bias[j]);
                INDEPENDENT
                for (size_t j = 0; j < d; j++) {
                    an[j] = bias[2 * d + j];
                    c[j] = ck_tanhf(xp[2 * d + j] + r[j] * an[j]);
                    h[j] = o[j] = (1.0f - z[j]) * c[j];
                }
            }
        }
    }
}

INLINE void gru_gradient(const tile_shape tiles, const ck_steps *s, const float *u, size_t d, const float *gates,
                         const float *states, const float *gradient, float *grad_x, float *grad_products,
                         float *former_states, float *scratch) {
    FAST
    size_t width = round_up(d, LANES), most = s->count > 0 ? s->starts[1] : 0;
    float *transposed = scratch, *zero = transposed + 3 * d * width, *running = zero + width;
    for (size_t j = 0; j < d; j++) zero[j] = 0.0f;
    if (width == d) {
        transpose(u, d, 3 * d, transposed);
    } else {
        for (size_t j = 0; j < 3 * d; j++)
            for (size_t i = 0; i < width; i++) transposed[j * width + i] = i < d ? u[i * 3 * d + j] : 0.0f;
    }
    for (size_t i = 0; i < round_up(most, 4) * width; i++) running[i] = 0.0f;
    for (size_t t = s->count; t-- > 0;) {
        size_t start = s->starts[t], rows = s->starts[t + 1] - start;
        for (size_t i = 0; i < rows; i++) {
            size_t position = (size_t)s->positions[start + i];
            const float *r = gates + (start + i) * 4 * d, *z = r + d, *c = z + d, *an = c + d,
                        *from = gradient + position * d;
            float *restrict g = running + i * width, *restrict gx = grad_x + position * 3 * d,
                            *restrict ga = grad_products + (start + i) * 3 * d;
            const float *before = t > 0 ? states + (s->starts[t - 1] + i) * d : zero;
            if (t > 0) memcpy(former_states + (start - most + i) * d, before, d * sizeof *before);
            INDEPENDENT
            for (size_t j = 0; j < d; j++) {
                float slope = g[j] + from[j], h = before[j];
                float candidate = slope * (1.0f - z[j]) * (1.0f - c[j] * c[j]);
                float reset = candidate * an[j] * r[j] * (1.0f - r[j]);
                float update = slope * (h - c[j]) * z[j] * (1.0f - z[j]);
                gx[j] = ga[j] = reset;
                gx[d + j] = ga[d + j] = update;
                gx[2 * d + j] = candidate;
                ga[2 * d + j] = candidate * r[j];
                g[j] = slope * z[j];
            }
        }
        if (t == 0) continue;
        product(tiles, grad_products + start * 3 * d, 3 * d, 1, transposed, width, round_up(rows, 4), 3 * d, width,
                running, width, 1);
        // The sequences that fill the last tile end later in this loop: their gradient starts at zero.
        for (size_t i = rows * width; i < round_up(rows, 4) * width; i++) running[i] = 0.0f;
    }
}

LEVELS(gru,
       (const ck_steps *s, const float *x, const float *u, const float *bias, size_t d, float *gates, float *states,
        float *out, float *scratch, int level),
       s, x, u, bias, d, gates, states, out, scratch)

LEVELS(gru_gradient,
       (const ck_steps *s, const float *u, size_t d, const float *gates, const float *states, const float *gradient,
        float *grad_x, float *grad_products, float *former_states, float *scratch, int level),
       s, u, d, gates, states, gradient, grad_x, grad_products, former_states, scratch)
