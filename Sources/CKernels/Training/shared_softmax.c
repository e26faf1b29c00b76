#include "CKernels.h"
#include "bfloat.h"
#include "elementary.h"
#include "matrix_unit.h"
#include <math.h>

enum { LARGEST_TILE = 128 }; // classes

#include "shared_softmax_levels.h"

int ck_shared_softmax_level(void) {
    if (ck_cpu_level() < 2) return ck_cpu_level() == 1 ? CK_SHARED_V3 : CK_SHARED_BASELINE;
    switch (ck_bfloat_level()) {
    case CK_BFLOAT_TILES: return CK_SHARED_AMX;
    case CK_BFLOAT_VECTORS: return CK_SHARED_BF16;
    default: return CK_SHARED_V4;
    }
}

CLONES static float longest_class(const float *classes, size_t count, size_t d) {
    FAST
    float largest = 0.0f;
    for (size_t j = 0; j < count; j++) {
        float square = 0.0f;
        for (size_t k = 0; k < d; k++) square += classes[j * d + k] * classes[j * d + k];
        largest = square > largest || square != square ? square : largest; // keeps a NaN
    }
    return sqrtf(largest);
}

size_t ck_class_stride(size_t d, int level) { return round_up(d, level == CK_SHARED_AMX ? 32 : 16); }

float ck_pack_float_classes(const float *classes, size_t count, size_t d, float *rows) {
    size_t stride = round_up(d, 16);
    for (size_t j = 0; j < count; j++)
        for (size_t k = 0; k < stride; k++) rows[j * stride + k] = k < d ? classes[j * d + k] : 0.0f;
    return longest_class(classes, count, d);
}

#if defined(__x86_64__) && defined(__linux__)
static BFLOAT_TARGET void pack_pairs(const float *classes, size_t count, size_t d, size_t stride, uint32_t *pairs) {
    for (size_t j = 0; j < count; j++)
        for (size_t k = 0; k < stride; k += 16) {
            __m512i cells = pairs_of_row(classes + j * d + k, k < d ? least(d - k, 16) : 0);
            _mm256_storeu_si256((__m256i *)(pairs + (j * stride + k) / 2), _mm512_castsi512_si256(cells));
        }
}

static BFLOAT_TARGET void pack_bfloat_classes(const float *classes, size_t count, size_t d, int level, uint32_t *pairs,
                                              uint32_t *crosses) {
    size_t stride = ck_class_stride(d, level);
    if (level == CK_SHARED_AMX) {
        pack_tile_rows(classes, count, d, stride / 32, pairs);
        pack_tile_columns(classes, count, d, TILE_CELLS, stride / 16 * TILE_CELLS, crosses);
    } else {
        pack_pairs(classes, count, d, stride, pairs);
        pack_columns(classes, count, d, crosses, stride);
    }
}
#else
static void pack_bfloat_classes(const float *classes, size_t count, size_t d, int level, uint32_t *pairs,
                                uint32_t *crosses) {
    (void)classes, (void)count, (void)d, (void)level, (void)pairs, (void)crosses;
}
#endif

float ck_pack_bfloat_classes(const float *classes, size_t count, size_t d, int level, uint32_t *pairs,
                             uint32_t *crosses) {
    pack_bfloat_classes(classes, count, d, level, pairs, crosses);
    return longest_class(classes, count, d);
}

// Queries in a block: as many as fill 256 bytes with their exponentials of one class. Fewer read the classes and their
// gradients more often; more push a pool's exponentials out of the cache.
static size_t block_size(size_t queries, int level) {
    size_t block = level >= CK_SHARED_BF16 ? 128 : 64, needed = round_up(queries, 32);
    return needed < block ? needed : block;
}

size_t ck_shared_softmax_scratch(const ck_shared_classes *classes, const ck_shared_queries *queries, int level) {
    size_t block = block_size(queries->count, level), unit = level >= CK_SHARED_BF16 ? 2 : 1;
    size_t kept = queries->query_gradients ? round_up(classes->count, 32) : LARGEST_TILE;
    size_t cells = (kept + LARGEST_TILE) * block / unit + 4 * block * classes->stride + classes->count * block / 32 +
                   4 * block;
    return cells * sizeof(float) + 10 * 64; // ten arrays, each rounded up to 64 bytes
}

void ck_shared_softmax(const ck_shared_classes *classes, const ck_shared_queries *queries, int level, void *scratch) {
    size_t block = block_size(queries->count, level);
    (level == CK_SHARED_AMX    ? shared_softmax_amx
     : level == CK_SHARED_BF16 ? shared_softmax_bf16
     : level == CK_SHARED_V4   ? shared_softmax_v4
     : level == CK_SHARED_V3   ? shared_softmax_v3
                               : shared_softmax_baseline)(classes, queries, block, scratch);
}
