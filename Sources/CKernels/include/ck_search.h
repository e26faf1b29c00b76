// Coded vectors, selection and re-ranking: the files of Search.
// CKernels.h has the rules for all functions.
#ifndef CK_SEARCH_H
#define CK_SEARCH_H

#include <stddef.h>
#include <stdint.h>

// MARK: Greedy re-ranking. Candidates lie in panels of CK_PANEL, each [d][CK_PANEL]; the last panel is padded.
enum { CK_PANEL = 64 };
// Candidate i is row ids[i]. Places beyond `count` are not written.
void ck_gather_panels(const float *rows, const int32_t *ids, size_t count, size_t d, float *panels);
// Call this when the item `query` joins the answer. Raises nearest[i] to the item's similarity with candidate i.
// Returns the first i with the largest (1 - diversity) relevance[i] - diversity nearest[i]. The similarity is the
// cosine <query, i>. If the item has own > 0 categories and the candidate categories[i] > 0, it is the mean of the
// cosine and Jaccard's index, with shared[i] common categories. own = 0: `categories` and `shared` are not read.
// `count` is a multiple of CK_PANEL. Candidates with an infinite `nearest` are never chosen.
size_t ck_marginal_choice(const float *panels, size_t count, size_t d, const float *query, const float *relevance,
                          float diversity, const float *categories, const float *shared, float own, float *nearest);

// MARK: Quantised vectors (codes.c). A block of 16 vectors takes 64 bytes for each group of dimensions. Query codes are
// padded with zeros to whole groups.
// codes[j] = round(x[j] / step), -127...127; *sum is their sum; returns the step.
float ck_quantise(const float *x, size_t n, int8_t *codes, int32_t *sum);
// Bytes 128 + round(x / scale) of `count` rows, zero beyond d; groups of 4 dimensions.
void ck_encode_bytes(const float *rows, size_t count, size_t stride, size_t d, size_t groups, uint8_t *codes,
                     float *scales);
// 4-bit codes c of the first `kept` elements of each row, in groups of 8: x is about factor * (2 c - 15). `codes` must
// be zero on entry.
void ck_encode_nibbles(const float *rows, size_t count, size_t stride, size_t kept, uint8_t *codes, float *factors);
// For byte-coded vectors: scores[i] = <vector i, query>, bounds[i] = scores[i] + width * spreads[i]. Returns the
// largest bound. `sum` and `step` come from ck_quantise(query).
float ck_bounds(const uint8_t *codes, const float *scales, const float *spreads, size_t blocks, size_t groups,
                const int8_t *query, int32_t sum, float step, float width, float *scores, float *bounds);
// For 4-bit coded vectors: stores base + <vector, query> and the position (`first` + number) of each vector that
// reaches the threshold, and returns their number. Needs room for all vectors. Prefetches codes up to 4 blocks ahead,
// and the entries of `items` at the stored positions.
size_t ck_scan(const uint8_t *codes, const float *factors, size_t blocks, size_t groups, const int8_t *query,
               int32_t sum, float step, float base, float threshold, int32_t first, const int32_t *items,
               float *scores, int32_t *positions);
// Prefetches memory into the cache.
void ck_prefetch(const void *memory, size_t bytes);
// ck_bounds and ck_scan without VNNI, for CPUs without it and for tests.
float ck_portable_bounds(const uint8_t *codes, const float *scales, const float *spreads, size_t blocks,
                         size_t groups, const int8_t *query, int32_t sum, float step, float width, float *scores,
                         float *bounds);
size_t ck_portable_scan(const uint8_t *codes, const float *factors, size_t blocks, size_t groups,
                        const int8_t *query, int32_t sum, float step, float base, float threshold, int32_t first,
                        const int32_t *items, float *scores, int32_t *positions);

// MARK: Sets of rows, one bit each (sets.c). Each changes the first set and returns its number of elements.
size_t ck_unite(uint64_t *words, const uint64_t *others, size_t n);
size_t ck_intersect(uint64_t *words, const uint64_t *others, size_t n);
size_t ck_subtract(uint64_t *words, const uint64_t *others, size_t n);

// MARK: Selection (selection.c).
#define CK_SCORE_BINS 2048
#define CK_LOWEST_SCORE -1.05f
#define CK_SCORE_BIN (2.1f / CK_SCORE_BINS)
// The k-th best score so far, to a bin's width. `above` counts the scores in `bin` and in higher bins; `bin` is the
// highest bin with above >= k.
typedef struct {
    uint32_t counts[CK_SCORE_BINS];
    uint32_t k, above;
    int32_t bin, lowest; // lowest: all lower bins are empty
} ck_threshold;
void ck_start_threshold(ck_threshold *threshold, uint32_t k);
// The lower edge of the k-th best score's bin; minus infinity while there are fewer than k scores.
float ck_current_threshold(const ck_threshold *threshold);
// Maps the candidates' positions [from, to) to items. Drops items that are negative, not allowed, excluded or removed
// (bit sets over items; NULL: no such rule), and items from `allowed_bound` on. Counts the scores of the others in
// the threshold, then adds `margin` to them. Returns the new end.
size_t ck_admit(float *scores, int32_t *positions, size_t from, size_t to, const int32_t *items,
                const uint64_t *allowed, int32_t allowed_bound, const uint64_t *excluded, const uint64_t *removed,
                float margin, ck_threshold *threshold);
// Moves the entries whose score reaches the threshold to the front, in order. Returns their number.
size_t ck_keep_at_least(float threshold, float *scores, int32_t *items, size_t count);
// Stores the values in [low, high) and their positions, by rising position. Returns their number. Needs room for n + 1.
size_t ck_select(const float *values, size_t n, float low, float high, float *found, int32_t *positions);
// Sorts n entries of distinct ids by falling score, ties by rising id. It counts for each entry the entries before it:
// O(n^2), but 16 comparisons per instruction. No score may be NaN.
void ck_rank_sort(const float *scores, const int32_t *ids, size_t n, float *sorted_scores, int32_t *sorted_ids);
// The best k of *n < 65536 entries, in the order of ck_rank_sort. Moves the entries that compete for the k places to
// the front and sets *n to their number. Returns the smaller of k and *n, or 0 without sorting if *n exceeds the limit.
size_t ck_best_sorted(float *scores, int32_t *ids, size_t *n, size_t k, size_t limit, float *sorted_scores,
                      int32_t *sorted_ids);

#endif
