// Selection by score: candidates above a running threshold, and the order of the remaining few.
#include "CKernels.h"
#include "clones.h"
#include <math.h>
#include <string.h>

INLINE int has_bit(const uint64_t *words, int32_t i) { return words[i >> 6] >> (i & 63) & 1; }

void ck_start_threshold(ck_threshold *threshold, uint32_t k) {
    memset(threshold, 0, sizeof *threshold);
    threshold->k = k;
    threshold->lowest = CK_SCORE_BINS;
}

float ck_current_threshold(const ck_threshold *threshold) {
    if (threshold->above < threshold->k) return -INFINITY;
    return CK_LOWEST_SCORE + (float)threshold->bin * CK_SCORE_BIN;
}

size_t ck_admit(float *scores, int32_t *positions, size_t from, size_t to, const int32_t *items,
                const uint64_t *allowed, int32_t allowed_bound, const uint64_t *excluded, const uint64_t *removed,
                float margin, ck_threshold *threshold) {
    uint32_t *counts = threshold->counts, above = threshold->above, k = threshold->k;
    int32_t best_bin = threshold->bin, lowest = threshold->lowest;
    size_t kept = from;
    for (size_t i = from; i < to; i++) {
        int32_t item = items[positions[i]];
        if (item < 0 || item >= allowed_bound) continue;
        if ((allowed && !has_bit(allowed, item)) || (excluded && has_bit(excluded, item))) continue;
        if (removed && has_bit(removed, item)) continue;
        float score = scores[i];
        scores[kept] = score + margin;
        positions[kept++] = item;
        float place = (score - CK_LOWEST_SCORE) * (1 / CK_SCORE_BIN);
        // NaN fails every comparison, and its conversion to an integer is undefined: it counts as the lowest score.
        int32_t bin = !(place > 0) ? 0 : place >= CK_SCORE_BINS ? CK_SCORE_BINS - 1 : (int32_t)place;
        if (bin < best_bin) continue; // the k-th best score is already higher
        counts[bin]++;
        above++;
        lowest = bin < lowest ? bin : lowest;
    }
    if (above >= k) {
        if (best_bin < lowest) best_bin = lowest; // lower bins are empty
        for (; above >= k + counts[best_bin]; best_bin++) above -= counts[best_bin];
    }
    threshold->above = above;
    threshold->bin = best_bin;
    threshold->lowest = lowest;
    return kept;
}

CLONES size_t ck_keep_at_least(float threshold, float *scores, int32_t *items, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        float score = scores[i];
        scores[kept] = score;
        items[kept] = items[i];
        kept += score >= threshold;
    }
    return kept;
}

CLONES size_t ck_select(const float *values, size_t n, float low, float high, float *found, int32_t *positions) {
    size_t count = 0, i = 0;
    for (; i + 32 <= n; i += 32) {
        int any = 0;
        for (size_t j = 0; j < 32; j++) any |= (values[i + j] >= low) & (values[i + j] < high);
        if (!any) continue;
        for (size_t j = i; j < i + 32; j++) {
            found[count] = values[j];
            positions[count] = (int32_t)j;
            count += (values[j] >= low) & (values[j] < high);
        }
    }
    for (; i < n; i++) {
        found[count] = values[i];
        positions[count] = (int32_t)i;
        count += (values[i] >= low) & (values[i] < high);
    }
    return count;
}

INLINE void rank_sort(const float *scores, const int32_t *ids, size_t n, float *sorted_scores,
                      int32_t *sorted_ids) {
    for (size_t i = 0; i < n; i++) {
        float score = scores[i];
        int32_t better = 0, equal = 0;
        for (size_t j = 0; j < n; j++) {
            better += scores[j] > score;
            equal += scores[j] == score;
        }
        size_t rank = (size_t)better;
        if (equal > 1) // ties are rare, so the loop above does not compare ids
            for (size_t j = 0; j < n; j++) rank += (scores[j] == score) & (ids[j] < ids[i]);
        sorted_scores[rank] = score;
        sorted_ids[rank] = ids[i];
    }
}

enum { BINS = 256 };

// The bin of a score, from 0 to 255 for any float: infinity and NaN must not become an index.
INLINE int32_t bin_of(float score, float low, float factor) {
    float place = (score - low) * factor;
    return !(place > 0) ? 0 : place >= BINS - 1 ? BINS - 1 : (int32_t)place;
}

// Moves the entries of the k-th best score's bin and of all higher bins to the front; the best k are among them. Keeps
// all entries if the scores are too close or too far apart for bins.
INLINE size_t keep_best(float *scores, int32_t *ids, size_t n, size_t k) {
    float low = scores[0], high = scores[0];
    for (size_t i = 1; i < n; i++) {
        low = scores[i] < low ? scores[i] : low;
        high = scores[i] > high ? scores[i] : high;
    }
    float factor = (BINS - 1) / (high - low);
    if (!(factor > 0 && isfinite(factor))) return n;
    uint16_t counts[BINS] = {0};
    for (size_t i = 0; i < n; i++) counts[bin_of(scores[i], low, factor)]++;
    int32_t bin = BINS;
    for (size_t above = 0; above < k && bin > 0;) above += counts[--bin];
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        float score = scores[i];
        scores[kept] = score;
        ids[kept] = ids[i];
        kept += bin_of(score, low, factor) >= bin;
    }
    return kept;
}

CLONES size_t ck_best_sorted(float *scores, int32_t *ids, size_t *n, size_t k, size_t limit, float *sorted_scores,
                             int32_t *sorted_ids) {
    // NaN compares with nothing, so it would leave a place unwritten. It ranks with the worst instead.
    for (size_t i = 0; i < *n; i++) scores[i] = scores[i] == scores[i] ? scores[i] : -INFINITY;
    if (*n > 48 && k < *n) *n = keep_best(scores, ids, *n, k);
    if (*n > limit) return 0;
    rank_sort(scores, ids, *n, sorted_scores, sorted_ids);
    return *n < k ? *n : k;
}

CLONES void ck_rank_sort(const float *scores, const int32_t *ids, size_t n, float *sorted_scores,
                         int32_t *sorted_ids) {
    rank_sort(scores, ids, n, sorted_scores, sorted_ids);
}
