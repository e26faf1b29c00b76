#include "CKernels.h"
#include "activations.h"
#include "clones.h"
#include "dense.h"

INLINE float sum_of_squares(const float *x, size_t n) {
    FAST
    float sum = 0.0f;
    for (size_t j = 0; j < n; j++) sum += x[j] * x[j];
    return sum;
}

INLINE float inverse_length(const float *x, size_t n) {
    float norm = __builtin_elementwise_sqrt(sum_of_squares(x, n));
    return 1.0f / (norm > 1e-6f ? norm : 1e-6f);
}

INLINE void scale(float factor, const float *from, float *to, size_t n) {
    for (size_t j = 0; j < n; j++) to[j] = factor * from[j];
}

// The chain's start: noise on the sphere.
CLONES static void start(const float *noise, size_t d, float *x) { scale(inverse_length(noise, d), noise, x, d); }

// Adds the residual to the denoiser's output y, normalises it, and overwrites x with a draw from the posterior. The
// last step stores the prediction instead. Batches of one and of four users share this function to give the same bytes.
CLONES static void finish_step(const ck_denoiser *net, const ck_reverse_step *step, int is_last, const float *residual,
                               const float *noise, float *y, float *x) {
    FAST
    size_t d = net->d;
    if (net->residual == CK_RESIDUAL_NOISED)
        for (size_t j = 0; j < d; j++) y[j] += x[j];
    if (net->residual == CK_RESIDUAL_GUIDANCE)
        for (size_t j = 0; j < d; j++) y[j] += residual[j];
    float factor = net->normalise ? inverse_length(y, d) : 1.0f;
    if (is_last) {
        scale(factor, y, x, d);
        return;
    }
    float clean = step->clean * factor, noisy = step->noisy, deviation = step->deviation;
    for (size_t j = 0; j < d; j++) x[j] = clean * y[j] + noisy * x[j] + deviation * noise[j];
    scale(inverse_length(x, d), x, x, d);
}

INLINE void chain(const ck_denoiser *net, const ck_reverse_step *steps, size_t count, size_t users,
                  const float *guidance, const float *residual, const float *noise, size_t noise_stride,
                  float *scratch, float *out) {
    size_t d = net->d, hidden = net->hidden;
    float *offset = scratch, *first = offset + users * hidden, *second = first + users * hidden,
          *y = second + users * hidden;
    const float *offsets[4], *inputs[4], *activated[4], *middle_bias[4], *output_bias[4];
    float *firsts[4], *seconds[4], *predicted[4];
    for (size_t v = 0; v < users; v++) {
        start(noise + v * noise_stride, d, out + v * d);
        offsets[v] = offset + v * hidden;
        inputs[v] = out + v * d;
        firsts[v] = first + v * hidden;
        seconds[v] = second + v * hidden;
        activated[v] = net->middle ? seconds[v] : firsts[v];
        predicted[v] = y + v * d;
        middle_bias[v] = net->middle_bias;
        output_bias[v] = net->output_bias;
    }
    for (size_t s = 0; s < count; s++) {
        const float *term = net->step_terms + (size_t)steps[s].row * hidden;
        for (size_t v = 0; v < users; v++)
            for (size_t j = 0; j < hidden; j++) offset[v * hidden + j] = guidance[v * hidden + j] + term[j];
        dense(net->noised, d, hidden, users, offsets, inputs, firsts);
        for (size_t v = 0; v < users; v++) activate(net->activation, firsts[v], firsts[v], hidden);
        if (net->middle) {
            dense(net->middle, hidden, hidden, users, middle_bias, (const float *const *)firsts, seconds);
            for (size_t v = 0; v < users; v++) activate(net->activation, seconds[v], seconds[v], hidden);
        }
        dense(net->output, hidden, d, users, output_bias, activated, predicted);
        for (size_t v = 0; v < users; v++)
            finish_step(net, steps + s, s + 1 == count, residual + v * d, noise + v * noise_stride + (s + 1) * d, predicted[v],
                        out + v * d);
    }
}

CLONES void ck_reverse_chain(const ck_denoiser *net, const ck_reverse_step *steps, size_t count, size_t users,
                             const float *guidance, const float *residual, const float *noise, size_t noise_stride,
                             float *scratch, float *out) {
    size_t v = 0;
    for (; v + 4 <= users; v += 4)
        chain(net, steps, count, 4, guidance + v * net->hidden, residual + v * net->d, noise + v * noise_stride,
              noise_stride, scratch, out + v * net->d);
    for (; v < users; v++)
        chain(net, steps, count, 1, guidance + v * net->hidden, residual + v * net->d, noise + v * noise_stride,
              noise_stride, scratch, out + v * net->d);
}
