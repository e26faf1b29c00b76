// Passes of the service alone: the files of Inference.
// CKernels.h has the rules for all functions.
#ifndef CK_INFERENCE_H
#define CK_INFERENCE_H

#include <stddef.h>
#include <stdint.h>

// MARK: The reverse chain (method, section 6.2).
enum ck_residual { CK_RESIDUAL_NONE = 0, CK_RESIDUAL_NOISED = 1, CK_RESIDUAL_GUIDANCE = 2 };
// The denoiser: h = act(x noised + guidance + step_terms[t]); h = act(h middle + middle_bias) if there is a middle
// layer; y = h output + output_bias + residual, normalised or not. Weights are packed.
typedef struct {
    const float *noised, *middle, *middle_bias, *output, *output_bias, *step_terms;
    size_t d, hidden;
    int activation, residual, normalise;
} ck_denoiser;
// Row `row` of step_terms enters the denoiser; x = normalise(clean * predicted + noisy * x + deviation * noise).
typedef struct {
    int32_t row;
    float clean, noisy, deviation;
} ck_reverse_step;
// Runs all `count` steps for each user, starting from the user's noise [count, d]; users' noise is noise_stride apart.
// out [users, d] receives the last step's prediction. guidance: [users, hidden]; residual: [users, d], read only for
// CK_RESIDUAL_GUIDANCE. scratch: 4 * (3 * hidden + d) floats. A user's result does not depend on the other users.
void ck_reverse_chain(const ck_denoiser *net, const ck_reverse_step *steps, size_t count, size_t users,
                      const float *guidance, const float *residual, const float *noise, size_t noise_stride,
                      float *scratch, float *out);

// MARK: Causal attention of the newest positions.
// Causal attention of only the last `newest` positions over all n: q, out [newest, d]; k, v [n, d]. pointwise: as in
// ck_sequences. scratch: (d / heads + 1) * (n rounded up to 16) floats.
void ck_newest_attention(const float *q, const float *k, const float *v, const float *reversed_bias, size_t n,
                         size_t newest, size_t longest, size_t d, size_t heads, int pointwise, float *scratch,
                         float *out);

#endif
