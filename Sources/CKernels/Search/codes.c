// Quantised vectors for the partitioned index: encoding, and scans by integer inner products.
//
// A block holds sixteen vectors. Four consecutive bytes belong to one vector, so that one VNNI instruction adds four
// products to each of sixteen sums. Integer sums are exact: every CPU level gives the same codes. Scores agree up to
// the last bits of one multiplication and addition.
#include "CKernels.h"
#include "clones.h"
#include <math.h>
#include <string.h>

enum { LANES = 16 };

typedef void products(const uint8_t *block, size_t groups, const int8_t *query, int32_t *sums);

// sums[l] = <bytes of vector l, query>; a group is 4 dimensions, 64 bytes.
INLINE void byte_products(const uint8_t *block, size_t groups, const int8_t *query, int32_t *sums) {
    for (size_t l = 0; l < LANES; l++) sums[l] = 0;
    for (size_t g = 0; g < groups; g++)
        for (size_t l = 0; l < LANES; l++) {
            const uint8_t *c = block + g * 64 + l * 4;
            const int8_t *q = query + g * 4;
            sums[l] += c[0] * q[0] + c[1] * q[1] + c[2] * q[2] + c[3] * q[3];
        }
}

// The same for 4-bit codes: a group is 8 dimensions, the first 4 in the low halves of its bytes.
INLINE void nibble_products(const uint8_t *block, size_t groups, const int8_t *query, int32_t *sums) {
    for (size_t l = 0; l < LANES; l++) sums[l] = 0;
    for (size_t g = 0; g < groups; g++)
        for (size_t l = 0; l < LANES; l++) {
            const uint8_t *c = block + g * 64 + l * 4;
            const int8_t *q = query + g * 8;
            sums[l] += (c[0] & 15) * q[0] + (c[1] & 15) * q[1] + (c[2] & 15) * q[2] + (c[3] & 15) * q[3] +
                       (c[0] >> 4) * q[4] + (c[1] >> 4) * q[5] + (c[2] >> 4) * q[6] + (c[3] >> 4) * q[7];
        }
}

INLINE float bounds_of(products *multiply, const uint8_t *codes, const float *scales, const float *spreads,
                       size_t blocks, size_t groups, const int8_t *query, int32_t sum, float step, float width,
                       float *scores, float *bounds) {
    float lanes[LANES];
    for (size_t l = 0; l < LANES; l++) lanes[l] = -INFINITY;
    for (size_t b = 0; b < blocks; b++) {
        int32_t sums[LANES];
        multiply(codes + b * groups * 64, groups, query, sums);
        for (size_t l = 0; l < LANES; l++) {
            size_t i = b * LANES + l;
            scores[i] = step * scales[i] * (float)(sums[l] - 128 * sum);
            bounds[i] = scores[i] + width * spreads[i];
            lanes[l] = bounds[i] > lanes[l] ? bounds[i] : lanes[l];
        }
    }
    float largest = -INFINITY;
    for (size_t l = 0; l < LANES; l++) largest = lanes[l] > largest ? lanes[l] : largest;
    return largest;
}

INLINE size_t scan(products *multiply, const uint8_t *codes, const float *factors, size_t blocks, size_t groups,
                   const int8_t *query, int32_t sum, float step, float base, float threshold, int32_t first,
                   const int32_t *items, float *scores, int32_t *positions) {
    enum { AHEAD = 4 }; // blocks
    size_t count = 0;
    for (size_t b = 0; b < blocks; b++) {
        const uint8_t *block = codes + b * groups * 64;
        for (size_t g = 0; g < groups; g++) __builtin_prefetch(block + (AHEAD * groups + g) * 64);
        __builtin_prefetch(factors + (b + AHEAD) * LANES);
        int32_t sums[LANES];
        multiply(block, groups, query, sums);
        float estimates[LANES];
        int any = 0;
        for (size_t l = 0; l < LANES; l++) {
            estimates[l] = base + step * factors[b * LANES + l] * (float)(2 * sums[l] - 15 * sum);
            any |= estimates[l] >= threshold;
        }
        if (!any) continue;
        __builtin_prefetch(items + first + b * LANES); // the caller maps candidates to items next
        for (size_t l = 0; l < LANES; l++) {
            scores[count] = estimates[l];
            positions[count] = first + (int32_t)(b * LANES + l);
            count += estimates[l] >= threshold;
        }
    }
    return count;
}

CLONES float ck_portable_bounds(const uint8_t *codes, const float *scales, const float *spreads, size_t blocks,
                                size_t groups, const int8_t *query, int32_t sum, float step, float width,
                                float *scores, float *bounds) {
    return bounds_of(byte_products, codes, scales, spreads, blocks, groups, query, sum, step, width, scores, bounds);
}

CLONES size_t ck_portable_scan(const uint8_t *codes, const float *factors, size_t blocks, size_t groups,
                               const int8_t *query, int32_t sum, float step, float base, float threshold,
                               int32_t first, const int32_t *items, float *scores, int32_t *positions) {
    return scan(nibble_products, codes, factors, blocks, groups, query, sum, step, base, threshold, first, items,
                scores, positions);
}

#if defined(__x86_64__) && defined(__linux__)
// The compiler does not use the byte product instruction for plain loops, so these two inner loops name it.
#include <immintrin.h>
#define VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,bmi2")))

INLINE VNNI __m512i four(const int8_t *query) {
    int32_t bytes;
    memcpy(&bytes, query, 4);
    return _mm512_set1_epi32(bytes);
}

INLINE VNNI void vnni_byte_products(const uint8_t *block, size_t groups, const int8_t *query, int32_t *sums) {
    __m512i even = _mm512_setzero_si512(), odd = even;
    for (size_t g = 0; g + 2 <= groups; g += 2) {
        even = _mm512_dpbusd_epi32(even, _mm512_loadu_si512(block + g * 64), four(query + g * 4));
        odd = _mm512_dpbusd_epi32(odd, _mm512_loadu_si512(block + g * 64 + 64), four(query + g * 4 + 4));
    }
    if (groups % 2)
        even = _mm512_dpbusd_epi32(even, _mm512_loadu_si512(block + (groups - 1) * 64), four(query + groups * 4 - 4));
    _mm512_storeu_si512(sums, _mm512_add_epi32(even, odd));
}

INLINE VNNI void vnni_nibble_products(const uint8_t *block, size_t groups, const int8_t *query, int32_t *sums) {
    __m512i low = _mm512_setzero_si512(), high = low;
    const __m512i mask = _mm512_set1_epi8(15);
    for (size_t g = 0; g < groups; g++) {
        __m512i bytes = _mm512_loadu_si512(block + g * 64);
        low = _mm512_dpbusd_epi32(low, _mm512_and_si512(bytes, mask), four(query + g * 8));
        high = _mm512_dpbusd_epi32(high, _mm512_and_si512(_mm512_srli_epi16(bytes, 4), mask), four(query + g * 8 + 4));
    }
    _mm512_storeu_si512(sums, _mm512_add_epi32(low, high));
}

static VNNI float vnni_bounds(const uint8_t *codes, const float *scales, const float *spreads, size_t blocks,
                              size_t groups, const int8_t *query, int32_t sum, float step, float width, float *scores,
                              float *bounds) {
    return bounds_of(vnni_byte_products, codes, scales, spreads, blocks, groups, query, sum, step, width, scores,
                     bounds);
}

static VNNI size_t vnni_scan(const uint8_t *codes, const float *factors, size_t blocks, size_t groups,
                             const int8_t *query, int32_t sum, float step, float base, float threshold, int32_t first,
                             const int32_t *items, float *scores, int32_t *positions) {
    return scan(vnni_nibble_products, codes, factors, blocks, groups, query, sum, step, base, threshold, first, items,
                scores, positions);
}

static int has_vnni(void) { return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw"); }
#else
#define vnni_bounds ck_portable_bounds
#define vnni_scan ck_portable_scan
static int has_vnni(void) { return 0; }
#endif

float ck_bounds(const uint8_t *codes, const float *scales, const float *spreads, size_t blocks, size_t groups,
                const int8_t *query, int32_t sum, float step, float width, float *scores, float *bounds) {
    return (has_vnni() ? vnni_bounds : ck_portable_bounds)(codes, scales, spreads, blocks, groups, query, sum, step,
                                                           width, scores, bounds);
}

size_t ck_scan(const uint8_t *codes, const float *factors, size_t blocks, size_t groups, const int8_t *query,
               int32_t sum, float step, float base, float threshold, int32_t first, const int32_t *items,
               float *scores, int32_t *positions) {
    return (has_vnni() ? vnni_scan : ck_portable_scan)(codes, factors, blocks, groups, query, sum, step, base,
                                                       threshold, first, items, scores, positions);
}

void ck_prefetch(const void *memory, size_t bytes) {
    for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch((const char *)memory + i);
}

INLINE float largest_magnitude(const float *x, size_t n) {
    float largest = 0.0f;
    for (size_t j = 0; j < n; j++) {
        float magnitude = x[j] < 0 ? -x[j] : x[j];
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

CLONES float ck_quantise(const float *x, size_t n, int8_t *codes, int32_t *sum) {
    float largest = largest_magnitude(x, n);
    float factor = largest > 0 ? 127.0f / largest : 0.0f;
    int32_t total = 0;
    for (size_t j = 0; j < n; j++) {
        float scaled = x[j] * factor;
        int32_t code = (int32_t)(scaled + (scaled < 0 ? -0.5f : 0.5f));
        codes[j] = (int8_t)code;
        total += code;
    }
    *sum = total;
    return largest / 127.0f;
}

CLONES void ck_encode_bytes(const float *rows, size_t count, size_t stride, size_t d, size_t groups, uint8_t *codes,
                            float *scales) {
    for (size_t i = 0; i < count; i++) {
        const float *x = rows + i * stride;
        float largest = largest_magnitude(x, d);
        float factor = largest > 0 ? 127.0f / largest : 0.0f;
        scales[i] = largest / 127.0f;
        uint8_t *vector = codes + i / LANES * groups * 64 + i % LANES * 4;
        for (size_t j = 0; j < groups * 4; j++) {
            float scaled = j < d ? x[j] * factor : 0.0f;
            vector[j / 4 * 64 + j % 4] = (uint8_t)(128 + (int32_t)(scaled + (scaled < 0 ? -0.5f : 0.5f)));
        }
    }
}

// The code of x: the index 0 to 15 of the nearest odd multiple of half the step, from -15 to 15 halves.
INLINE int32_t level(float x, float inverse_step) {
    float scaled = x * inverse_step + 8.0f;
    int32_t code = (int32_t)scaled - (scaled < 0);
    return code < 0 ? 0 : code > 15 ? 15 : code;
}

CLONES void ck_encode_nibbles(const float *rows, size_t count, size_t stride, size_t kept, uint8_t *codes,
                              float *factors) {
    FAST
    enum { TRIALS = 16 };
    for (size_t i = 0; i < count; i++) {
        const float *x = rows + i * stride;
        float largest = largest_magnitude(x, kept), length = 0.0f;
        for (size_t j = 0; j < kept; j++) length += x[j] * x[j];
        uint8_t *vector = codes + i / LANES * kept * 8 + i % LANES * 4;
        factors[i] = 0.0f;
        if (!(largest > 0)) continue; // the vector equals its centroid: code and factor stay zero
        float best = -1.0f, best_step = 0.0f;
        for (size_t trial = 0; trial < TRIALS; trial++) {
            float step = largest * (0.5f + 0.5f * (float)trial / (TRIALS - 1)) / 7.5f, inverse = 1.0f / step;
            float along = 0.0f, squares = 0.0f;
            for (size_t j = 0; j < kept; j++) {
                float value = (float)(2 * level(x[j], inverse) - 15);
                along += value * x[j];
                squares += value * value;
            }
            float cosine = along * along / squares;
            if (cosine > best) {
                best = cosine;
                best_step = step;
                factors[i] = length / along; // makes <factor * code, x> = <x, x>: the estimate has no bias along x
            }
        }
        for (size_t j = 0; j < kept; j++)
            vector[j / 8 * 64 + j % 4] |= (uint8_t)(level(x[j], 1.0f / best_step) << (j % 8 < 4 ? 0 : 4));
    }
}
