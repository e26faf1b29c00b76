#include "CKernels.h"
#include "clones.h"
#include "dense.h"
#include <math.h>

_Static_assert(CK_PANEL == BLOCK, "a panel is a block of dense_block");

CLONES void ck_gather_panels(const float *rows, const int32_t *ids, size_t count, size_t d, float *panels) {
    enum { AHEAD = 8 };
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            for (size_t j = 0; j < d; j += 16) __builtin_prefetch(rows + (size_t)ids[i + AHEAD] * d + j);
        const float *row = rows + (size_t)ids[i] * d;
        float *column = panels + i / CK_PANEL * CK_PANEL * d + i % CK_PANEL;
        for (size_t j = 0; j < d; j++) column[j * CK_PANEL] = row[j];
    }
}

// The mean of the cosine and Jaccard's index of the categories, or the cosine alone where a candidate has no category.
INLINE float similarity_with(float cosine, float shared, float theirs, float own) {
    float both = 0.5f * (cosine + shared / (own + theirs - shared));
    return theirs > 0.0f ? both : cosine;
}

CLONES size_t ck_marginal_choice(const float *panels, size_t count, size_t d, const float *query,
                                 const float *relevance, float diversity, const float *categories,
                                 const float *shared, float own, float *nearest) {
    const float zero[CK_PANEL] = {0};
    size_t best = 0;
    float best_value = -INFINITY;
    for (size_t start = 0; start < count; start += CK_PANEL) {
        float similarity[CK_PANEL], value[CK_PANEL];
        block_one(panels + start * d, zero, query, d, similarity);
        if (own > 0.0f)
            for (size_t l = 0; l < CK_PANEL; l++)
                similarity[l] = similarity_with(similarity[l], shared[start + l], categories[start + l], own);
        for (size_t l = 0; l < CK_PANEL; l++) {
            float n = nearest[start + l];
            n = similarity[l] > n ? similarity[l] : n;
            nearest[start + l] = n;
            value[l] = (1.0f - diversity) * relevance[start + l] - diversity * n;
        }
        // Most panels hold no better candidate. This test needs no maximum across lanes.
        uint32_t any = 0;
        for (size_t l = 0; l < CK_PANEL; l++) any |= value[l] > best_value;
        if (!any) continue;
        for (size_t l = 0; l < CK_PANEL; l++) {
            if (!(value[l] > best_value)) continue; // a tie goes to the earlier candidate
            best = start + l;
            best_value = value[l];
        }
    }
    return best;
}
