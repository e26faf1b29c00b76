// Softmax cross-entropy over shared classes for one CPU level and one precision. shared_softmax.c includes this file
// once for each, after it has defined:
//   LEVEL(name)  the name of a function or type at this level
//   TARGET       the instruction set, as an attribute
//   UNIT         numbers in a cell of 4 bytes: one float, or two bf16
//   LANES        floats in a vector
//   PRODUCTS     the file with the three products: shared_softmax_vectors.h or shared_softmax_tiles.h
// and the types `vector` and `cell` with these functions of the level:
//   V load(cell *p), store(float *p, V x)
//   V fused(V a, V b, V c)              a b + c
//   float product(cell x, cell y)       the sum of the products of their numbers
//   V power_of_two(V x)                 2^x, at least 2^-126
//   V without(V x, uint32_t lanes)      x with zeros in the lanes of the bits
//   TILE         classes whose exponentials are computed at once
// PRODUCTS defines, for the tile of classes from..to or for all classes,
//   add_totals(shared, work, from, to), add_query_gradients(shared, work, from, to): also adds the query gradients,
//   add_class_gradients(shared, work, gradients), float *query_gradients(work, stride): the sums as [block, stride],
//   pack_queries(queries, n, d, stride, strips), pack_scaled(queries, work, n, d, stride): into zeroed memory,
//   float logit(shared, work, j, row): the product of one class and one query,
//   begin(), end(): around the work of a thread
//
// Three products share one block of queries. Lanes are queries in the first and dimensions in the others:
//   exponentials [classes, block] = 2^(C Q^T + offset - shift)
//   query gradients [block, D]   += exponentials^T C
//   class gradients [classes, D] += exponentials (Q * weight / total)
// The last one needs the totals over all classes, so a block's exponentials are kept until then: in the second-level
// cache for a pool, in the third or in memory for a catalogue.
// An inner dimension of bf16 numbers comes in pairs of neighbours, so each operand is packed along it.
#define V LEVEL(vector)
#define CELL LEVEL(cell)
#define STRIP (2 * LANES)

typedef struct {
    size_t block; // queries in a block, a multiple of 32
    CELL *exponentials; // [classes, block / UNIT], along the queries
    CELL *tile;         // [TILE / UNIT, block], along the classes; for floats the place in `exponentials`
    CELL *strips;       // [block / STRIP, stride / UNIT, STRIP], queries along the dimensions
    CELL *scaled;       // [block / UNIT, stride], queries times weight / total, along the queries
    float *query_sums;  // the query gradients, in the order of PRODUCTS
    float *turned;      // [block, stride], memory for PRODUCTS
    uint32_t *masks;    // [classes, block / 32]
    float *shifts;      // [block], bits
    float *factors;     // [block], weight / total
    double *totals;     // [block]
} LEVEL(work);

#include PRODUCTS

// The largest logit of a query among its classes, in bits; -infinity if all are masked.
static TARGET float LEVEL(largest_logit)(const ck_shared_classes *shared, const LEVEL(work) *work, size_t row) {
    size_t words = work->block / 32;
    float largest = -__builtin_inff();
    for (size_t j = 0; j < shared->count; j++) {
        if (work->masks[j * words + row / 32] >> row % 32 & 1) continue;
        float logit = LEVEL(logit)(shared, work, j, row) * LOG2E + shared->offsets[j];
        largest = logit > largest ? logit : largest;
    }
    return largest;
}

static TARGET void LEVEL(shared_softmax)(const ck_shared_classes *shared, const ck_shared_queries *queries,
                                         size_t block, char *scratch) {
    size_t d = shared->d, stride = shared->stride, count = shared->count, cells = stride / UNIT, words = block / 32;
    int wants_gradients = queries->query_gradients != NULL;
    LEVEL(work) work = {.block = block};
#define TAKE(type, n) (type *)scratch, scratch += ((n) * sizeof(type) + 63) / 64 * 64
    work.exponentials = TAKE(CELL, (wants_gradients ? round_up(count, 32) : TILE) * block / UNIT);
    work.tile = TAKE(CELL, TILE / 2 * block);
    work.strips = TAKE(CELL, block * cells);
    work.scaled = TAKE(CELL, block * cells);
    work.query_sums = TAKE(float, block *stride);
    work.turned = TAKE(float, block *stride);
    work.masks = TAKE(uint32_t, count *words);
    work.shifts = TAKE(float, block);
    work.factors = TAKE(float, block);
    work.totals = TAKE(double, block);
#undef TAKE
    memset(work.masks, 0, count * words * sizeof(uint32_t));
    LEVEL(begin)();
    for (size_t start = 0; start < queries->count; start += block) {
        size_t n = queries->count - start < block ? queries->count - start : block;
        const float *query = queries->queries + start * d;
        const intptr_t *masks = queries->masked ? queries->mask_starts + start : NULL;
        memset(work.strips, 0, block * cells * sizeof(CELL));
        LEVEL(pack_queries)(query, n, d, stride, work.strips);
        for (size_t i = 0; i < n; i++) {
            // Cauchy and Schwarz: no logit is larger. The margin is for rounding.
            work.shifts[i] = 1.01f * LOG2E * length(query + i * d, d) * shared->longest + shared->highest_offset;
            for (intptr_t p = masks ? masks[i] : 0; masks && p < masks[i + 1]; p++)
                work.masks[(size_t)queries->masked[p] * words + i / 32] |= 1u << i % 32;
        }
        // Lanes without a query: an exponential that overflows would give infinity times the zeros of `scaled`.
        for (size_t i = n; i < block; i++) work.shifts[i] = shared->highest_offset;
        for (int attempt = 0; attempt < 2; attempt++) {
            memset(work.totals, 0, block * sizeof(double));
            memset(work.query_sums, 0, block * stride * sizeof(float));
            for (size_t from = 0; from < count; from += TILE)
                (wants_gradients ? LEVEL(add_query_gradients) : LEVEL(add_totals))(
                    shared, &work, from, from + TILE < count ? from + TILE : count);
            // Far below the bound, exponentials lose digits or vanish. Such queries get their largest logit as shift.
            int again = 0;
            for (size_t i = 0; i < n && attempt == 0; i++) {
                if (work.totals[i] >= 0x1p-80) continue;
                float largest = LEVEL(largest_logit)(shared, &work, i);
                if (largest <= -__builtin_inff()) continue; // no classes: the total is zero
                work.shifts[i] = largest;
                again = 1;
            }
            if (!again) break;
        }
        const float *gradients = LEVEL(query_gradients)(&work, stride);
        for (size_t i = 0; i < n; i++) {
            // log(e^a + e^p) - p, a the logarithm of the total; the negatives' probability is 1 / (1 + e^(p - a)).
            double total = work.totals[i], weight = (double)queries->weights[start + i];
            double excess = log(total) + (double)work.shifts[i] * LOG_OF_2 - (double)queries->positives[start + i];
            if (!(total > 0)) excess = -(double)__builtin_inff();
            // The loss must show a class that is no number, which its own exponential does not.
            if (shared->longest != shared->longest) excess = (double)shared->longest;
            double small = exp(excess > 0 ? -excess : excess);
            double share = (excess > 0 ? 1.0 : small) / (1.0 + small);
            queries->losses[start + i] = (float)((excess > 0 ? excess : 0.0) + log1p(small));
            if (!wants_gradients) continue;
            queries->positive_gradients[start + i] = (float)(-weight * share);
            float factor = total > 0 ? (float)(weight * share / total) : 0.0f;
            work.factors[i] = factor;
            for (size_t k = 0; k < d; k++)
                queries->query_gradients[(start + i) * d + k] = gradients[i * stride + k] * factor;
        }
        if (wants_gradients) {
            memset(work.scaled, 0, block * cells * sizeof(CELL));
            LEVEL(pack_scaled)(query, &work, n, d, stride);
            LEVEL(add_class_gradients)(shared, &work, queries->class_gradients);
        }
        for (size_t i = 0; masks && i < n; i++)
            for (intptr_t p = masks[i]; p < masks[i + 1]; p++)
                work.masks[(size_t)queries->masked[p] * words + i / 32] = 0;
    }
    LEVEL(end)();
}

#undef V
#undef CELL
#undef STRIP
