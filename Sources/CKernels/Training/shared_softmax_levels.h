// The levels of shared_softmax.h: plain C by lanes, then bf16 with vectors and with the matrix unit.

#define LOG2E 1.44269504f
#define LOG_OF_2 0.69314718055994530942

// The length of a vector. Sixteen sums can be added in vector registers.
INLINE float length(const float *x, size_t d) {
    float sums[16] = {0}, square = 0.0f;
    size_t k = 0;
    for (; k + 16 <= d; k += 16)
        for (size_t l = 0; l < 16; l++) sums[l] += x[k + l] * x[k + l];
    for (; k < d; k++) square += x[k] * x[k];
    for (size_t l = 0; l < 16; l++) square += sums[l];
    return sqrtf(square);
}

// 2^f for |f| <= 1/2, relative error below 1e-7: a minimax polynomial of degree 5 that is exact at 0.
#define POWER_POLYNOMIAL(fused, zero, p, f)                                                                            \
    p = fused((zero) + 1.326472614891827e-3f, f, (zero) + 9.671512991189957e-3f);                                      \
    p = fused(p, f, (zero) + 5.550733581185341e-2f);                                                                   \
    p = fused(p, f, (zero) + 2.402224242687225e-1f);                                                                   \
    p = fused(p, f, (zero) + 6.931470036506653e-1f);                                                                   \
    p = fused(p, f, (zero) + 1.0f)

// MARK: float32 in plain C. `name` is the level's suffix.
#define PLAIN_LEVEL(name, lanes)                                                                                       \
    typedef float vector_##name __attribute__((vector_size(4 * lanes)));                                               \
    typedef uint32_t bits_##name __attribute__((vector_size(4 * lanes)));                                              \
    typedef float cell_##name;                                                                                         \
    INLINE TARGET vector_##name load_##name(const float *p) {                                                          \
        vector_##name v;                                                                                               \
        memcpy(&v, p, sizeof v);                                                                                       \
        return v;                                                                                                      \
    }                                                                                                                  \
    INLINE TARGET void store_##name(float *p, vector_##name v) { memcpy(p, &v, sizeof v); }                            \
    INLINE TARGET vector_##name fused_##name(vector_##name a, vector_##name b, vector_##name c) {                      \
        return FUSED(a, b, c);                                                                                         \
    }                                                                                                                  \
    INLINE TARGET vector_##name add_products_##name(vector_##name sum, float x, vector_##name y) {                     \
        return FUSED((vector_##name){0} + x, y, sum);                                                                  \
    }                                                                                                                  \
    INLINE TARGET float product_##name(float x, float y) { return x * y; }                                             \
    INLINE TARGET void pack_strip_##name(const float *queries, size_t n, size_t d, size_t cells, float *strip) {       \
        (void)cells;                                                                                                   \
        for (size_t i = 0; i < n; i++)                                                                                 \
            for (size_t k = 0; k < d; k++) strip[k * 2 * lanes + i] = queries[i * d + k];                              \
    }                                                                                                                  \
    INLINE TARGET void pack_pair_##name(const float *query, size_t d, const float *factor, size_t n, float *scaled) {  \
        (void)n;                                                                                                       \
        for (size_t k = 0; k < d; k++) scaled[k] = query[k] * *factor;                                                 \
    }

#define PLAIN_POWER(name, lanes)                                                                                       \
    INLINE TARGET vector_##name power_of_two_##name(vector_##name x) {                                                 \
        const vector_##name zero = {0};                                                                                \
        x = __builtin_elementwise_max(x, zero - 126.0f);                                                               \
        vector_##name shifted, rounded, p;                                                                             \
        shifted = x + 12582912.0f;                                                                                     \
        rounded = shifted - 12582912.0f;                                                                               \
        x -= rounded;                                                                                                  \
        POWER_POLYNOMIAL(fused_##name, zero, p, x);                                                                    \
        return p * (vector_##name)((bits_##name)shifted - 0x4b400000u + 127u << 23);                                   \
    }                                                                                                                  \
    INLINE TARGET vector_##name without_##name(vector_##name x, uint32_t lanes_masked) {                               \
        if (__builtin_expect((lanes_masked & ((1u << lanes) - 1)) != 0, 0))                                            \
            for (size_t l = 0; l < lanes; l++) x[l] = lanes_masked >> l & 1 ? 0.0f : x[l];                             \
        return x;                                                                                                      \
    }

#define PLAIN_KEEP(name, lanes)                                                                                        \
    INLINE TARGET void keep_##name(size_t classes, vector_##name sums[][2], float *exponentials, float *tile,          \
                                   size_t block) {                                                                     \
        (void)tile;                                                                                                    \
        for (size_t c = 0; c < classes; c++) {                                                                         \
            store_##name(exponentials + c * block, sums[c][0]);                                                        \
            store_##name(exponentials + c * block + lanes, sums[c][1]);                                                \
        }                                                                                                              \
    }

#define ROWS(shared) (shared)->rows
#define CROSSES(shared) (shared)->rows
#define UNIT 1
#define PRODUCTS "shared_softmax_vectors.h"
#define TILE 96 // even, and a multiple of every GROUP

// Every level rounds a product and sum the same way everywhere, so a row has the same bytes in every lane. Left to
// itself, the compiler contracts some products and not others.
#if defined(__x86_64__)
#define FUSED(a, b, c) ((a) * (b) + (c))
#define TARGET
#define LANES 4
#define GROUP 6
#define SPAN 4
#else
#define FUSED(a, b, c) __builtin_elementwise_fma(a, b, c)
#define TARGET
#define LANES 4
#define GROUP 12
#define SPAN 8
#endif
PLAIN_LEVEL(baseline, 4)
PLAIN_POWER(baseline, 4)
PLAIN_KEEP(baseline, 4)
#define LEVEL(name) name##_baseline
#include "shared_softmax.h"
#undef LEVEL
#undef TARGET
#undef LANES
#undef GROUP
#undef SPAN

#if defined(__x86_64__) && defined(__linux__)
#include <immintrin.h>

#undef FUSED
#define FUSED(a, b, c) __builtin_elementwise_fma(a, b, c)
#define TARGET __attribute__((target("avx2,fma,bmi2")))
#define LANES 8
#define GROUP 6
#define SPAN 6
PLAIN_LEVEL(v3, 8)
PLAIN_POWER(v3, 8)
PLAIN_KEEP(v3, 8)
#define LEVEL(name) name##_v3
#include "shared_softmax.h"
#undef LEVEL
#undef TARGET
#undef LANES
#undef GROUP
#undef SPAN

#define WIDE_POWER(name)                                                                                               \
    INLINE TARGET vector_##name power_of_two_##name(vector_##name x) {                                                 \
        const __m512 zero = _mm512_setzero_ps();                                                                       \
        x = _mm512_max_ps(x, _mm512_set1_ps(-126.0f));                                                                 \
        vector_##name rounded = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), p;             \
        x -= rounded;                                                                                                  \
        POWER_POLYNOMIAL(fused_##name, zero, p, x);                                                                    \
        return _mm512_scalef_ps(p, rounded);                                                                           \
    }                                                                                                                  \
    INLINE TARGET vector_##name without_##name(vector_##name x, uint32_t lanes_masked) {                               \
        return _mm512_maskz_mov_ps((__mmask16)~lanes_masked, x);                                                       \
    }

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2")))
#define LANES 16
#define GROUP 12
#define SPAN 8
PLAIN_LEVEL(v4, 16)
WIDE_POWER(v4)
PLAIN_KEEP(v4, 16)
#define LEVEL(name) name##_v4
#include "shared_softmax.h"
#undef LEVEL
#undef TARGET
#undef TARGET
#undef UNIT
#undef ROWS
#undef CROSSES

// MARK: bf16. A cell is a pair of numbers, the first in the lower half.
#define TARGET BFLOAT_TARGET
#define UNIT 2
#define ROWS(shared) (shared)->pairs
#define CROSSES(shared) (shared)->crosses
typedef __m512 vector_bf16;
typedef uint32_t cell_bf16;

INLINE TARGET __m512 load_bf16(const uint32_t *p) { return _mm512_loadu_ps((const float *)p); }

INLINE TARGET void store_bf16(float *p, __m512 v) { _mm512_storeu_ps(p, v); }

INLINE TARGET __m512 fused_bf16(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }

INLINE TARGET __m512 add_products_bf16(__m512 sum, uint32_t x, __m512 y) {
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_set1_epi32((int)x), (__m512bh)y);
}

INLINE float from_bf16(uint16_t bits) { return ck_from_bits((uint32_t)bits << 16); }

INLINE TARGET float product_bf16(uint32_t x, uint32_t y) {
    return from_bf16((uint16_t)x) * from_bf16((uint16_t)y) +
           from_bf16((uint16_t)(x >> 16)) * from_bf16((uint16_t)(y >> 16));
}

INLINE TARGET void pack_strip_bf16(const float *queries, size_t n, size_t d, size_t cells, uint32_t *strip) {
    for (size_t i = 0; i < n; i += LANES)
        for (size_t k = 0; k < cells; k += LANES) {
            uint32_t turned[LANES * LANES];
            size_t columns = 2 * k < d ? d - 2 * k : 0;
            pack_turned_rows(queries + i * d + 2 * k, d, least(n - i, LANES), columns, LANES, turned);
            for (size_t r = 0; r < LANES && k + r < cells; r++)
                memcpy(strip + (k + r) * 2 * LANES + i, turned + r * LANES, LANES * sizeof *turned);
        }
}

// Sixteen cells of two neighbouring queries [., d] times their factors; n queries are left.
INLINE TARGET __m512i scaled_pairs(const float *query, size_t d, const float *factors, size_t n, __mmask16 mask) {
    __m512 low = _mm512_maskz_loadu_ps(mask, query) * _mm512_set1_ps(factors[0]), high = _mm512_setzero_ps();
    if (n > 1) high = _mm512_maskz_loadu_ps(mask, query + d) * _mm512_set1_ps(factors[1]);
    return cells_of(low, high);
}

INLINE TARGET void pack_pair_bf16(const float *query, size_t d, const float *factors, size_t n, uint32_t *scaled) {
    for (size_t k = 0; k < d; k += LANES)
        _mm512_storeu_si512(scaled + k, scaled_pairs(query + k, d, factors, n, first(d - k)));
}

WIDE_POWER(bf16)

INLINE TARGET void keep_bf16(size_t classes, __m512 sums[][2], uint32_t *exponentials, uint32_t *tile, size_t block) {
    const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37,
                                         5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
    for (size_t c = 0; c < classes; c += 2) {
        __m512i first = (__m512i)_mm512_cvtne2ps_pbh(sums[c][1], sums[c][0]), second = _mm512_setzero_si512();
        _mm512_storeu_si512(exponentials + c * (block / 2), first);
        if (c + 1 < classes) {
            second = (__m512i)_mm512_cvtne2ps_pbh(sums[c + 1][1], sums[c + 1][0]);
            _mm512_storeu_si512(exponentials + (c + 1) * (block / 2), second);
        }
        _mm512_storeu_si512(tile + c / 2 * block, _mm512_permutex2var_epi16(first, low, second));
        _mm512_storeu_si512(tile + c / 2 * block + 16, _mm512_permutex2var_epi16(first, high, second));
    }
}

#define GROUP 12
#define SPAN 8
#define LEVEL(name) name##_bf16
#include "shared_softmax.h"
#undef LEVEL
#undef GROUP
#undef SPAN
#undef PRODUCTS
#undef TILE
#undef TARGET

// The same with the matrix unit.
#define PRODUCTS "shared_softmax_tiles.h"
#define TILE 128
#define TARGET MATRIX_TARGET
typedef __m512 vector_amx;
typedef uint32_t cell_amx;
#define load_amx load_bf16
#define fused_amx fused_bf16
#define product_amx product_bf16
#define power_of_two_amx power_of_two_bf16
#define without_amx without_bf16
#define LEVEL(name) name##_amx
#include "shared_softmax.h"
#undef LEVEL
#undef TARGET
#else
#define shared_softmax_v3 shared_softmax_baseline
#define shared_softmax_v4 shared_softmax_baseline
#define shared_softmax_bf16 shared_softmax_baseline
#define shared_softmax_amx shared_softmax_baseline
#endif
