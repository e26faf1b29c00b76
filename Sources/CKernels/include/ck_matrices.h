// Elements, rows, products and random numbers: the files of Matrices.
// CKernels.h has the rules for all functions.
#ifndef CK_MATRICES_H
#define CK_MATRICES_H

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

// MARK: Softmax cross-entropy over one row of logits.
// On entry `row` holds the logits of the negatives and `positive` the target's logit. Returns -log p(positive). Writes
// the softmax probabilities: the negatives' into `row`, the target's into *positive_probability.
float ck_cross_entropy(float *row, size_t n, float positive, float *positive_probability);

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

// MARK: Products with a factor that fits into the cache (product.c).

// c [m, n] = (add ? c : 0) + op(a) op(b), where op transposes if requested, but not both. n is a multiple of 16; with
// transposed_a, m is a multiple of 4; with transposed_b, inner is a multiple of 16 and positive. On x86 the
// caller makes sure that the CPU has AVX-512.
void ck_tiled_product(const float *a, int transposed_a, const float *b, int transposed_b, size_t m, size_t n,
                      size_t inner, float *c, int add, float *scratch);
// Scratch floats, aligned to 64 bytes.
size_t ck_tiled_product_scratch(int transposed_a, int transposed_b, size_t n, size_t inner);

// The arithmetic of bfloat16 products (bfloat_product.c): none, AVX-512 BF16, the matrix unit (AMX).
enum { CK_BFLOAT_NONE = 0, CK_BFLOAT_VECTORS = 1, CK_BFLOAT_TILES = 2 };
// The best on this CPU. Its first call asks the system for the use of the matrix unit.
int ck_bfloat_level(void);
// The product above with factors rounded to bfloat16 and float32 sums. n is a multiple of 16; op transposes one factor
// at most. `level` is at least CK_BFLOAT_VECTORS and at most that of the CPU; the two levels add in different orders.
void ck_bfloat_product(const float *a, int transposed_a, const float *b, int transposed_b, size_t m, size_t n,
                       size_t inner, float *c, int add, int level, float *scratch);
// Scratch floats, aligned to 64 bytes.
size_t ck_bfloat_product_scratch(int transposed_a, size_t m, size_t n, size_t inner);

#endif
