// Activations, for inlining into functions that are compiled per CPU level.
#ifndef CK_ACTIVATIONS_H
#define CK_ACTIVATIONS_H

#include "CKernels.h"
#include "elementary.h"

// GELU in its tanh form equals x * sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3).
#define GELU_SCALE 1.5957691216057308f
#define GELU_CUBIC 0.044715f

INLINE float activation_value(int activation, float x) {
    FAST
    switch (activation) {
    case CK_TANH: return ck_tanhf(x);
    case CK_GELU: return x * ck_sigmoidf(GELU_SCALE * (x + GELU_CUBIC * x * x * x));
    case CK_SILU: return x * ck_sigmoidf(x);
    case CK_RELU: return x > 0.0f ? x : 0.0f;
    default: return x;
    }
}

// The switch on the kind stays outside the loop, so that each loop vectorises.
#define FOR_EACH_KIND(LOOP)                                                                                            \
    switch (activation) {                                                                                              \
    case CK_TANH: LOOP(CK_TANH); break;                                                                                \
    case CK_GELU: LOOP(CK_GELU); break;                                                                                \
    case CK_SILU: LOOP(CK_SILU); break;                                                                                \
    case CK_RELU: LOOP(CK_RELU); break;                                                                                \
    default: LOOP(CK_IDENTITY); break;                                                                                 \
    }

// out[i] = f(in[i]); may run in place.
INLINE void activate(int activation, const float *in, float *out, size_t n) {
#define LOOP(kind)                                                                                                     \
    for (size_t i = 0; i < n; i++) out[i] = activation_value(kind, in[i])
    FOR_EACH_KIND(LOOP)
#undef LOOP
}

#endif
