// Branch-free exp, tanh, log and sin/cos that the compiler can put in vector lanes.
#ifndef CK_ELEMENTARY_H
#define CK_ELEMENTARY_H

#include "clones.h"
#include <stdint.h>
#include <string.h>

INLINE float ck_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE uint32_t ck_to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

// exp(x) for x in [-87, 88]; clamped outside this range. Relative error below 2e-7.
// x = k ln 2 + r with |r| <= ln 2 / 2; exp(r) by its Taylor polynomial of degree 7; k goes into the exponent.
INLINE float ck_expf(float x) {
    FAST
    const float magic = 12582912.0f; // 1.5 * 2^23: adding it rounds to an integer
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float rounded;
    int32_t k;
    {
#pragma clang fp reassociate(off)
        float shifted = x * 1.44269504088896341f + magic;
        rounded = shifted - magic;
        k = (int32_t)(ck_to_bits(shifted) - ck_to_bits(magic));
    }
    float r = x - rounded * 0.693359375f;
    r = r + rounded * 2.12194440054690583e-4f;
    float p = 1.0f / 5040.0f;
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return p * ck_from_bits((uint32_t)(k + 127) << 23);
}

// 1 / (1 + exp(-x)).
INLINE float ck_sigmoidf(float x) { return 1.0f / (1.0f + ck_expf(-x)); }

// tanh(x); absolute error below 4e-7, relative error below 3e-7 for |x| < 1. Never beyond -1 or 1.
// x P(x^2) / Q(x^2), fitted on [-8, 8] with an error of 6e-9; clamped outside, where tanh is 1 - 2e-7 at least.
INLINE float ck_tanhf(float x) {
    FAST
    x = x < -8.0f ? -8.0f : x;
    x = x > 8.0f ? 8.0f : x;
    float z = x * x;
    float p = 1.50618605e-8f;
    p = p * z + 2.17733098e-5f;
    p = p * z + 3.56416102e-3f;
    p = p * z + 0.134381956f;
    p = p * z + 0.99999997f;
    float q = 8.45369113e-7f;
    q = q * z + 3.3991867e-4f;
    q = q * z + 0.0261360353f;
    q = q * z + 0.467715164f;
    q = q * z + 1.0f;
    return x * p / q;
}

// log(x) for normal positive x; relative error below 3e-7 away from 1, absolute near it.
// x = 2^k m with m in [sqrt(1/2), sqrt(2)); log m = 2 artanh(s), s = (m - 1) / (m + 1).
INLINE float ck_logf(float x) {
    FAST
    uint32_t bits = ck_to_bits(x);
    int32_t k = (int32_t)((bits - 0x3f3504f3u) >> 23);
    k = k > 127 ? k - 512 : k; // the shift above is logical: bring negative exponents back
    float m = ck_from_bits(bits - ((uint32_t)k << 23));
    float s = (m - 1.0f) / (m + 1.0f);
    float z = s * s;
    float p = 1.0f / 9.0f;
    p = p * z + 1.0f / 7.0f;
    p = p * z + 1.0f / 5.0f;
    p = p * z + 1.0f / 3.0f;
    return (float)k * 0.69314718056f + 2.0f * (s + s * z * p);
}

// cos and sin of 2 pi u for u in [-0.5, 0.5]; absolute error below 1e-6.
// Folded to |u| <= 1/4 by symmetry, then Taylor polynomials in 2 pi u.
INLINE void ck_sincos_turn(float u, float *sine, float *cosine) {
    FAST
    float magnitude = u < 0.0f ? -u : u;
    int flip = magnitude > 0.25f;
    float folded = flip ? 0.5f - magnitude : magnitude;
    float x = folded * 6.28318530717958648f;
    float z = x * x;
    float s = -1.0f / 39916800.0f;
    s = s * z + 1.0f / 362880.0f;
    s = s * z - 1.0f / 5040.0f;
    s = s * z + 1.0f / 120.0f;
    s = s * z - 1.0f / 6.0f;
    s = x + x * z * s;
    float c = 1.0f / 479001600.0f;
    c = c * z - 1.0f / 3628800.0f;
    c = c * z + 1.0f / 40320.0f;
    c = c * z - 1.0f / 720.0f;
    c = c * z + 1.0f / 24.0f;
    c = c * z - 0.5f;
    c = 1.0f + z * c;
    *sine = u < 0.0f ? -s : s;
    *cosine = flip ? -c : c;
}

#endif
