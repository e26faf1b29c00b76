#include "CKernels.h"
#include "clones.h"
#include "elementary.h"
#include <math.h>

// Blocks are always generated LANES at a time, so that a number depends on its counter alone.
#define LANES 16

INLINE void philox_lanes(uint64_t key, uint32_t domain, uint64_t stream, uint32_t first, uint32_t out[4][LANES]) {
    uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES];
    for (int l = 0; l < LANES; l++) {
        c0[l] = first + (uint32_t)l;
        c1[l] = (uint32_t)stream;
        c2[l] = (uint32_t)(stream >> 32);
        c3[l] = domain;
    }
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        for (int l = 0; l < LANES; l++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c0[l];
            uint64_t p1 = (uint64_t)0xCD9E8D57u * c2[l];
            uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1[l] ^ k0;
            uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3[l] ^ k1;
            c1[l] = (uint32_t)p1;
            c3[l] = (uint32_t)p0;
            c0[l] = n0;
            c2[l] = n2;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int l = 0; l < LANES; l++) {
        out[0][l] = c0[l];
        out[1][l] = c1[l];
        out[2][l] = c2[l];
        out[3][l] = c3[l];
    }
}

CLONES void ck_philox(uint64_t key, uint32_t domain, uint64_t stream, uint32_t first_block, size_t blocks,
                      uint32_t *out) {
    uint32_t words[4][LANES];
    for (size_t b = 0; b < blocks; b += LANES) {
        philox_lanes(key, domain, stream, first_block + (uint32_t)b, words);
        size_t count = blocks - b < LANES ? blocks - b : LANES;
        for (size_t l = 0; l < count; l++)
            for (int w = 0; w < 4; w++) out[(b + l) * 4 + w] = words[w][l];
    }
}

// u1 in (0, 1] from 24 bits, u2 in [-0.5, 0.5) from 24 bits.
INLINE void box_muller(const uint32_t *a, const uint32_t *b, float *x, float *y) {
    for (int l = 0; l < LANES; l++) {
        float u1 = (float)(int32_t)((a[l] >> 8) + 1) * 0x1p-24f;
        float u2 = (float)((int32_t)b[l] >> 8) * 0x1p-24f;
        float square = -2.0f * ck_logf(u1); // slightly negative where the polynomial rounds log(1)
        float radius = __builtin_elementwise_sqrt(square > 0.0f ? square : 0.0f);
        float sine, cosine;
        ck_sincos_turn(u2, &sine, &cosine);
        x[l] = radius * cosine;
        y[l] = radius * sine;
    }
}

INLINE void normals(uint64_t key, uint32_t domain, uint64_t stream, float *out, size_t n) {
    uint32_t words[4][LANES];
    float block[4][LANES];
    size_t blocks = (n + 3) / 4;
    for (size_t b = 0; b < blocks; b += LANES) {
        philox_lanes(key, domain, stream, (uint32_t)b, words);
        box_muller(words[0], words[1], block[0], block[1]);
        box_muller(words[2], words[3], block[2], block[3]);
        // Lane-major within a group of LANES blocks: no transpose, and still a function of the counter alone.
        size_t start = b * 4, left = n - start < 4 * LANES ? n - start : 4 * LANES;
        const float *flat = &block[0][0];
        for (size_t i = 0; i < left; i++) out[start + i] = flat[i];
    }
}

CLONES void ck_normals(uint64_t key, uint32_t domain, uint64_t stream, float *out, size_t n) {
    normals(key, domain, stream, out, n);
}

CLONES void ck_normals_from(uint64_t key, uint32_t domain, uint64_t stream, uint64_t first, float *out, size_t n) {
    uint32_t words[4][LANES];
    float block[4][LANES];
    size_t skipped = first % (4 * LANES);
    for (size_t done = 0; done < n; skipped = 0) {
        philox_lanes(key, domain, stream, (uint32_t)((first + done - skipped) / 4), words);
        box_muller(words[0], words[1], block[0], block[1]);
        box_muller(words[2], words[3], block[2], block[3]);
        size_t left = n - done < 4 * LANES - skipped ? n - done : 4 * LANES - skipped;
        const float *flat = &block[0][0];
        for (size_t i = 0; i < left; i++) out[done + i] = flat[skipped + i];
        done += left;
    }
}

CLONES void ck_normal_rows(uint64_t key, uint32_t domain, const uint64_t *streams, size_t rows, size_t d, float *out) {
    for (size_t r = 0; r < rows; r++) normals(key, domain, streams[r], out + r * d, d);
}
