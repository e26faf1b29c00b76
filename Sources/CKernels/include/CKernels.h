// The hot loops, compiled once per CPU level (x86-64-v4, x86-64-v3, baseline) and chosen at run time.
// Every pointer is borrowed for the call; every matrix is row-major with a dense stride; sizes are element counts.
// Nothing here allocates, and no function reads or writes past the sizes given.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

// MARK: Activations. Names are shared with Kernels.Activation.
enum ck_activation { CK_IDENTITY = 0, CK_TANH = 1, CK_GELU = 2, CK_SILU = 3, CK_RELU = 4 };

// out[i] = f(in[i]); may run in place.
void ck_activate(int activation, const float *in, float *out, size_t n);
// grad_in[i] += f'(in[i]) * grad_out[i].
void ck_activate_gradient(int activation, const float *in, const float *grad_out, float *grad_in, size_t n);
// sums += bias on each row, out = f(sums).
void ck_biased_activate(int activation, const float *bias, float *sums, float *out, size_t rows, size_t columns);
// grad_sums = f'(sums) * grad_out; adds its rows to grad_bias.
void ck_biased_activate_gradient(int activation, const float *sums, const float *grad_out, float *grad_sums,
                                 float *grad_bias, size_t rows, size_t columns);
void ck_exp(const float *in, float *out, size_t n);

// MARK: Vectors.
float ck_dot(const float *a, const float *b, size_t n);
double ck_sum(const float *a, size_t n);
double ck_sum_of_squares(const float *a, size_t n);
void ck_scale(float factor, float *y, size_t n);
void ck_axpy(float factor, const float *x, float *y, size_t n);
void ck_multiply(const float *a, const float *b, float *out, size_t n);
// y = value everywhere.
void ck_fill(float value, float *y, size_t n);
// out = a + factor * b.
void ck_sum_into(const float *a, float factor, const float *b, float *out, size_t n);
// The index of the first value that is NaN or infinite; n if there is none.
size_t ck_first_non_finite(const float *a, size_t n);

// MARK: Rows.
// out[i] = <rows[i], query>.
void ck_scores(const float *rows, size_t count, size_t d, const float *query, float *out);
// out[i] = <rows[ids[i]], query>.
void ck_gathered_scores(const float *rows, const int32_t *ids, size_t count, size_t d, const float *query, float *out);
// out[i] = in[i] / max(|in[i]|, epsilon); norms[i] = |in[i]|. May run in place.
void ck_normalise_rows(const float *in, float *out, float *norms, size_t rows, size_t d, float epsilon);
// grad_in += d/d in of the above, with y the normalised rows.
void ck_normalise_rows_gradient(const float *y, const float *norms, const float *grad_out, float *grad_in, size_t rows,
                                size_t d, float epsilon);
void ck_softmax_rows(const float *in, float *out, size_t rows, size_t d);
void ck_softmax_rows_gradient(const float *y, const float *grad_out, float *grad_in, size_t rows, size_t d);
void ck_gather_rows(const float *table, const int32_t *ids, size_t count, size_t d, float *out);
void ck_scatter_add_rows(const float *rows, const int32_t *ids, size_t count, size_t d, float *table);
// The same, only for ids in [first, end).
void ck_scatter_add_rows_between(const float *rows, const int32_t *ids, size_t count, size_t d, int32_t first,
                                 int32_t end, float *table);
void ck_add_bias(const float *bias, float *rows, size_t count, size_t d);
void ck_sum_rows(const float *rows, size_t count, size_t d, float *out);
void ck_scale_rows(const float *in, const float *factors, float *out, size_t rows, size_t d);
// out[g] = element-by-element maximum of the group's `size` rows.
void ck_group_maximum(const float *rows, size_t groups, size_t size, size_t d, float *out);
// Number of j with scores[j] > scores[target], plus the number of ties at j < target.
size_t ck_rank_above(const float *scores, size_t n, size_t target);
// Stores the indices in [from, n) whose score is >= threshold in `found`, at most `capacity`. Returns the index at
// which to continue.
size_t ck_filter_above(const float *scores, size_t from, size_t n, float threshold, int32_t *found, size_t capacity,
                       size_t *found_count);

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

// MARK: Softmax cross-entropy over one row of logits.
// On entry `row` holds the logits of the negatives and `positive` the target's logit. Returns -log p(positive). Writes
// the softmax probabilities: the negatives' into `row`, the target's into *positive_probability.
float ck_cross_entropy(float *row, size_t n, float positive, float *positive_probability);

// MARK: Softmax cross-entropy over classes that all queries share (shared_softmax.c).
// Instruction sets; CK_SHARED_BF16 computes products of bf16 numbers, the others of floats.
enum { CK_SHARED_BASELINE = 0, CK_SHARED_V3 = 1, CK_SHARED_V4 = 2, CK_SHARED_BF16 = 3 };
// `count` classes of d numbers, each padded with zeros to `stride` numbers, d rounded up to 16. Either floats
// [count, stride], or
// bf16 numbers twice: in pairs of dimensions [count, stride / 2] and in pairs of classes [(count + 1) / 2, stride].
// Offsets are added to the logits. Their unit is the bit: nats times log2(e).
typedef struct {
    const float *rows;
    const uint32_t *pairs, *crosses;
    const float *offsets;
    size_t count, d, stride;
    float longest, highest_offset; // the largest length of a class and the largest offset
} ck_shared_classes;
// Queries [count, d], their positives' logits in nats and their weights. The masked classes of query i are
// masked[p], mask_starts[i] <= p < mask_starts[i + 1]; NULL: none.
// Receives losses in nats, and the gradients of weight * loss; those of the classes [., d] are added. query_gradients
// NULL: no gradients.
typedef struct {
    const float *queries, *positives, *weights;
    const int32_t *masked;
    const intptr_t *mask_starts;
    size_t count;
    float *losses, *positive_gradients, *query_gradients, *class_gradients;
} ck_shared_queries;
// The best of the levels on this CPU.
int ck_shared_softmax_level(void);
// Packs classes [count, d] as floats or, if `rows` is NULL, as bf16. Returns the largest length of a class.
float ck_pack_classes(const float *classes, size_t count, size_t d, float *rows, uint32_t *pairs, uint32_t *crosses);
// The bytes of scratch, which starts at a multiple of 64.
size_t ck_shared_softmax_scratch(const ck_shared_classes *classes, const ck_shared_queries *queries, int level);
// `level` is at most that of the CPU, and CK_SHARED_BF16 if and only if the classes are packed as bf16.
void ck_shared_softmax(const ck_shared_classes *classes, const ck_shared_queries *queries, int level, void *scratch);

// MARK: Row-by-row products.
// out[i] = <a[i], b[i]>.
void ck_row_dots(const float *a, const float *b, size_t rows, size_t d, float *out);
// out[i, j] = <queries[i], blocks[i * n + j]>, j < n.
void ck_block_scores(const float *queries, const float *blocks, size_t rows, size_t n, size_t d, float *out);
// Adds the gradients of ck_block_scores.
void ck_block_scores_gradient(const float *queries, const float *blocks, const float *grad_out, size_t rows, size_t n,
                              size_t d, float *grad_queries, float *grad_blocks);

// MARK: Dense layers.
// Packs weights [in][out] in blocks of 64 outputs, with zeros beyond `out`. packed: in * (out rounded up to 64) floats.
void ck_pack(const float *weights, size_t in, size_t out, float *packed);
// y[v] = activation(x[v] W + bias[v]), x [vectors, in], y [vectors, out], W packed. bias_stride 0: all vectors share
// one bias. A vector's result does not depend on the other vectors.
void ck_dense(const float *packed, size_t in, size_t out, const float *bias, size_t bias_stride, const float *x,
              size_t vectors, int activation, float *y);

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

// MARK: Additive attention over one ragged history (method, equations 16-17).
// A history is n rows `ids` of `items` [., d] and `projection` [., a]; `position` is [N, a]; `heads` is [K, a].
// weights [K, n] receives the softmax, interests [K, d] the weighted sums. scratch: a floats.
void ck_attention(const float *items, const float *projection, const int32_t *ids, size_t n, const float *position,
                  const float *heads, size_t K, size_t a, size_t d, float *weights, float *interests, float *scratch);
// Adds to all four gradients. A row of grad_items and grad_projection is set to zero before the first addition, if
// `cleared` of its number is 0, and `cleared` becomes 1. scratch: a + K * n floats.
void ck_attention_gradient(const float *items, const float *projection, const int32_t *ids, size_t n,
                           const float *position, const float *heads, size_t K, size_t a, size_t d,
                           const float *weights, const float *grad_interests, float *grad_items,
                           float *grad_projection, float *grad_position, float *grad_heads, uint8_t *cleared,
                           float *scratch);

// The same for serving, with keys exp(2 z) in place of projections z: tanh(z + q) = 1 - 2 / (exp(2 z) exp(2 q) + 1).
// Rows of keys, positions and heads are `stride` floats, a multiple of 16; the padding beyond a is ones (heads: zeros).
// keys[i] = exp(2 items[ids[i]] W1) with W1 packed; ids NULL: items [n, d] in order. scratch: 5 * a floats.
void ck_attention_keys(const float *items, const int32_t *ids, size_t n, const float *w1, size_t a, size_t d,
                       size_t stride, float *scratch, float *keys);
// One history. The key of item ids[p] is row ids[p] of keys, or row p if `gathered`. heads: [K rounded up to 4,
// stride]; weights: [K rounded up to 4, n]; interests: [K, d].
void ck_history_attention(const float *items, const int32_t *ids, size_t n, const float *keys, int gathered,
                          const float *positions, const float *heads, size_t K, size_t stride, size_t d,
                          float *weights, float *interests);

// MARK: Counter-based random numbers (Philox4x32-10; Salmon et al., SC 2011).
// Block b of a stream is the four words of counter (b, stream low, stream high, domain) under `key`.
void ck_philox(uint64_t key, uint32_t domain, uint64_t stream, uint32_t first_block, size_t blocks, uint32_t *out);
// Standard normals, four per block (Box-Muller on both word pairs), starting at block 0 of the stream.
void ck_normals(uint64_t key, uint32_t domain, uint64_t stream, float *out, size_t n);
// The same from number `first` of the stream on.
void ck_normals_from(uint64_t key, uint32_t domain, uint64_t stream, uint64_t first, float *out, size_t n);
// d normals from each of the `rows` streams whose numbers are in `streams`, one stream after another.
void ck_normal_rows(uint64_t key, uint32_t domain, const uint64_t *streams, size_t rows, size_t d, float *out);

// MARK: Adam (Kingma and Ba, 2015). step_size = lr / (1 - b1^t); v_correction = 1 / (1 - b2^t).
typedef struct {
    float beta1, beta2, step_size, v_correction, epsilon;
} ck_adam_step;
void ck_adam(float *w, float *m, float *v, const float *g, size_t n, const ck_adam_step *step);
// The same for row ids[i] of w, m and v and row i of g; all ids differ.
void ck_adam_rows(float *w, float *m, float *v, const float *g, const int32_t *ids, size_t count, size_t d,
                  const ck_adam_step *step);

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

// MARK: Memory.
// Zeroed memory, aligned to a cache line; large blocks use large pages. Returns NULL when there is no memory.
void *ck_allocate(size_t bytes);
void ck_free(void *memory);

// MARK: The C library's allocator.
// Makes the allocator keep freed blocks for reuse: one arena, no mmap below 32 MiB, no memory returned to the system.
void ck_keep_freed_memory(void);

// MARK: The process.
// Restarts this process (exec) with one more environment variable. Returns only when the restart fails.
void ck_restart_with(const char *name, const char *value);
// The CPU level whose clones run on this CPU: 0 the architecture's baseline, 1 x86-64-v3, 2 x86-64-v4.
int ck_cpu_level(void);
// Takes the calling thread out of a real-time policy and sets its nice value. Linux keeps both per thread. No effect on
// other systems.
void ck_lower_thread_priority(int nice);
// The number of cores that the calling thread may run on; 0 where the system does not say.
size_t ck_cores(void);
// Lets the calling thread, and all threads that it starts, run only on one of `shares` equal parts of the cores. Returns 1
// when it did, 0 when the thread was confined to some cores before, or the system cannot do it.
int ck_take_share_of_cores(size_t share, size_t shares);

// MARK: Causal Transformer blocks over ragged sequences.

// Standardises each row to mean 0 and variance 1 (epsilon 1e-6), then applies gain and bias. Stores `standardised` and
// `inverse_deviations` for the gradient.
void ck_layer_norm(const float *x, const float *gain, const float *bias, float *out, float *standardised,
                   float *inverse_deviations, size_t rows, size_t d);
// Overwrites grad_x; adds to the other two gradients.
void ck_layer_norm_gradient(const float *standardised, const float *inverse_deviations, const float *gain,
                            const float *gradient, float *grad_x, float *grad_gain, float *grad_bias, size_t rows,
                            size_t d);
// Layer normalisation for inference: stores nothing for the gradient.
void ck_apply_layer_norm(const float *x, const float *gain, const float *bias, float *out, size_t rows, size_t d);
// Causal attention of only the last `newest` positions over all n: q, out [newest, d]; k, v [n, d]. pointwise: as in
// ck_sequences. scratch: (d / heads + 1) * (n rounded up to 16) floats.
void ck_newest_attention(const float *q, const float *k, const float *v, const float *reversed_bias, size_t n,
                         size_t newest, size_t longest, size_t d, size_t heads, int pointwise, float *scratch,
                         float *out);

// MARK: Self-attention over ragged sequences (self_attention.c), for training.

// Sequence i is the positions from offsets[i] up to offsets[i + 1]; offsets has count + 1 elements and starts with 0.
typedef struct {
    const size_t *offsets;
    size_t count, longest, d, heads;
    int causal;
    // 0: the weights of a position are a softmax. 1: each is silu(logit) / positions seen, by itself.
    int pointwise;
} ck_sequences;
// Scratch floats, aligned to 64 bytes, of the two functions below.
size_t ck_self_attention_scratch(const ck_sequences *sequences);
// q, k, v, out [P, d]. Causal: reversed_bias [heads, longest] with distance 0 last. Otherwise: [heads, 2 longest - 1]
// with distance 0 in the middle. largest, sums [heads, P]: for each row of logits, its largest logit and the sum of
// exp(logit - largest); without use if pointwise. level: see tiles.h.
void ck_self_attention(const ck_sequences *sequences, const float *q, const float *k, const float *v,
                       const float *reversed_bias, float *largest, float *sums, float *out, float *scratch, int level);
// Overwrites all four gradients.
void ck_self_attention_gradient(const ck_sequences *sequences, const float *q, const float *k, const float *v,
                                const float *reversed_bias, const float *largest, const float *sums, const float *out,
                                const float *grad_out, float *grad_q, float *grad_k, float *grad_v,
                                float *grad_reversed_bias, float *scratch, int level);

// MARK: Products with a factor that fits into the cache (product.c).

// c [m, n] = (add ? c : 0) + op(a) op(b), where op transposes if requested, but not both. n is a multiple of 16; with
// transposed_a, m is a multiple of 4; with transposed_b, inner is a multiple of 16 and positive. On x86 the
// caller makes sure that the CPU has AVX-512.
void ck_tiled_product(const float *a, int transposed_a, const float *b, int transposed_b, size_t m, size_t n,
                      size_t inner, float *c, int add, float *scratch);
// Scratch floats, aligned to 64 bytes.
size_t ck_tiled_product_scratch(int transposed_a, int transposed_b, size_t n, size_t inner);

// The same, with factors rounded to bfloat16 and float32 sums (bfloat_product.c). n is a multiple of 16; op transposes
// one factor at most. The caller makes sure that the CPU has the instructions.
void ck_bfloat_product(const float *a, int transposed_a, const float *b, int transposed_b, size_t m, size_t n,
                       size_t inner, float *c, int add, float *scratch);
// Scratch floats, aligned to 64 bytes.
size_t ck_bfloat_product_scratch(int transposed_a, size_t m, size_t n, size_t inner);
int ck_has_bfloat_products(void);

// MARK: Dynamic routing (routing.c). Each row of votes is [K, d]. A history is the n rows `ids`, or the first n rows.
// out = squash(in), row by row: s / (1 + s) / sqrt(s + 1e-9) times the row, s its squared length.
void ck_squash_rows(const float *in, float *out, size_t rows, size_t d);
void ck_squash_rows_gradient(const float *in, const float *grad_out, float *grad_in, size_t rows, size_t d);
// out[k] = sum over p of weights[k][p] * rows[ids[p]][k]; rows [., K, d], weights [K, n], out [K, d].
void ck_weighted_sums(const float *rows, const int32_t *ids, size_t n, size_t K, size_t d, const float *weights,
                      float *out);
// Adds to grad_rows.
void ck_weighted_sums_gradient(const int32_t *ids, size_t n, size_t K, size_t d, const float *weights,
                               const float *grad_out, float *grad_rows);
// weights [K, n] of the third round of routing, which starts from the logits start[k * stride + p].
// scratch: K * n + 2 * n + d floats.
void ck_routing_weights(const float *votes, const int32_t *ids, size_t n, size_t K, size_t d, const float *start,
                        size_t stride, float *weights, float *scratch);
// One history, from votes to squashed interests [K, d]. The matrix [d, K d] for the votes of item ids[p] is packed at
// packed + p * block. scratch: n * K * (d + 2) + K * d + 2 * n + d floats.
void ck_history_routing(const float *items, const int32_t *ids, size_t n, const float *packed, size_t block, size_t K,
                        size_t d, const float *start, size_t stride, float *scratch, float *interests);

// MARK: Gated recurrent units over ragged sequences (gru.c), from zero states.

// The steps of all sequences, longest sequence first: step t's rows are starts[t] up to starts[t + 1], one for each
// sequence with more than t positions, and positions[row] is the row's position.
typedef struct {
    const size_t *starts;
    size_t count;
    const int32_t *positions;
} ck_steps;
// Scratch floats, aligned to 64 bytes, of the two functions below.
size_t ck_gru_scratch(const ck_steps *steps, size_t d);
// x [P, 3 d] (reset, update, candidate), u [d, 3 d], bias [3 d], out [P, d] by position; gates [P, 4 d] and states
// [P + 3, d] by row of the steps; the last three rows of states must be readable. level: see tiles.h.
void ck_gru(const ck_steps *steps, const float *x, const float *u, const float *bias, size_t d, float *gates,
            float *states, float *out, float *scratch, int level);
// Overwrites the gradients of x, by position, and of h U + bias, by row of the steps, both [P, 3 d] (the latter with
// three more readable rows), and the states before the rows of all steps but the first.
void ck_gru_gradient(const ck_steps *steps, const float *u, size_t d, const float *gates, const float *states,
                     const float *gradient, float *grad_x, float *grad_products, float *former_states, float *scratch,
                     int level);

// MARK: SQLite files from untrusted sources; see DatabaseConfinement.
void ck_confine_databases(void);
void ck_bound_databases(int value, int steps);

// MARK: SHA-256. Adds whole blocks of 64 bytes to a state; `portable` leaves the CPU's SHA instructions out.
void ck_sha256_blocks(uint32_t state[8], const uint8_t *data, size_t blocks, int portable);

#endif
