// Layers over ragged sequences and the shared softmax, with their gradients: the files of Training. Serving uses some
// of these layers too.
// CKernels.h has the rules for all functions.
#ifndef CK_TRAINING_H
#define CK_TRAINING_H

#include <stddef.h>
#include <stdint.h>

// MARK: Softmax cross-entropy over classes that all queries share (shared_softmax.c).
// Instruction sets. The last two compute products of bf16 numbers, the others of floats; CK_SHARED_AMX has the matrix
// unit.
enum { CK_SHARED_BASELINE = 0, CK_SHARED_V3 = 1, CK_SHARED_V4 = 2, CK_SHARED_BF16 = 3, CK_SHARED_AMX = 4 };
// `count` classes of d numbers, each padded with zeros to `stride` numbers (ck_class_stride). Either floats
// [count, stride], or bf16 numbers twice: in pairs of dimensions [count, stride / 2] and in pairs of classes
// [(count + 1) / 2, stride]. For CK_SHARED_AMX both have memory up to a multiple of 32 classes, all zero at first, and
// the order of shared_softmax_tiles.h.
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
// d rounded up to 16, or to 32 for CK_SHARED_AMX.
size_t ck_class_stride(size_t d, int level);
// Packs classes [count, d] as floats or, for the last two levels, as bf16. Returns the largest length of a class.
float ck_pack_float_classes(const float *classes, size_t count, size_t d, float *rows);
float ck_pack_bfloat_classes(const float *classes, size_t count, size_t d, int level, uint32_t *pairs,
                             uint32_t *crosses);
// The bytes of scratch, which starts at a multiple of 64.
size_t ck_shared_softmax_scratch(const ck_shared_classes *classes, const ck_shared_queries *queries, int level);
// `level` is at most that of the CPU, and that for which the classes are packed.
void ck_shared_softmax(const ck_shared_classes *classes, const ck_shared_queries *queries, int level, void *scratch);

// MARK: Additive attention over one ragged history (method, equations 16-17).
// A history is n rows `ids`, at least one, of `items` [., d] and `projection` [., a]; `position` is [N, a]; `heads` is
// [K, a].
// weights [K, n] receives the softmax, interests [K, d] the weighted sums. scratch: a floats.
void ck_attention(const float *items, const float *projection, const int32_t *ids, size_t n, const float *position,
                  const float *heads, size_t K, size_t a, size_t d, float *weights, float *interests, float *scratch);
// Adds to all four gradients. scratch: a + K * n floats.
void ck_attention_gradient(const float *items, const float *projection, const int32_t *ids, size_t n,
                           const float *position, const float *heads, size_t K, size_t a, size_t d,
                           const float *weights, const float *grad_interests, float *grad_items,
                           float *grad_projection, float *grad_position, float *grad_heads, float *scratch);

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

// MARK: Layer normalisation (layer_norm.c).

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

#endif
