// Softmax cross-entropy over shared classes for one CPU level and one precision. shared_softmax.c includes this file
// once for each, after it has defined:
//   LEVEL(name)  the name of a function or type at this level
//   TARGET       the instruction set, as an attribute
//   UNIT         numbers in a cell of 4 bytes: one float, or two bf16
//   LANES        floats in a vector
//   GROUP        classes whose logits a pass over the dimensions computes at once
//   SPAN         sums of vectors that a pass over an inner dimension computes at once
// and the types `vector` and `cell` with these functions of the level:
//   V load(cell *p), store(float *p, V x)
//   V fused(V a, V b, V c)              a b + c
//   V add_products(V sum, cell x, V y)  sum plus the products of the numbers of x with those of each cell of y
//   float product(cell x, cell y)       the sum of the products of their numbers
//   put(cell *p, k, step, float x)      stores x as number k % UNIT of the cell p[k / UNIT * step]
//   V power_of_two(V x)                 2^x, at least 2^-126
//   V without(V x, uint32_t lanes)      x with zeros in the lanes of the bits
//   keep(classes, V sums[][2], exponentials, tile, block)  stores a strip's exponentials along both dimensions
// A level with a matrix unit (AMX) would replace `logits` and `accumulate`, which have the same packed operands.
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
    float *query_gradients; // [block, stride]
    uint32_t *masks;        // [classes, block / 32]
    float *shifts;          // [block], bits
    double *totals;         // [block]
} LEVEL(work);

// Sums of products over the dimensions for `classes` classes and a strip of queries [dimensions][STRIP].
INLINE TARGET void LEVEL(logits)(size_t classes, const CELL *strip, const CELL *rows, size_t cells, V sums[][2]) {
#pragma clang loop unroll(full)
    for (size_t c = 0; c < classes; c++) sums[c][0] = sums[c][1] = (V){0};
    for (size_t k = 0; k < cells; k++) {
        V q0 = LEVEL(load)(strip + k * STRIP), q1 = LEVEL(load)(strip + k * STRIP + LANES);
#pragma clang loop unroll(full)
        for (size_t c = 0; c < classes; c++) {
            CELL x = rows[c * cells + k];
            sums[c][0] = LEVEL(add_products)(sums[c][0], x, q0);
            sums[c][1] = LEVEL(add_products)(sums[c][1], x, q1);
        }
    }
}

// The exponentials of `classes` classes from class j on, for the strip from query `first` on. Adds them to the totals;
// stores them if `keeps`.
INLINE TARGET void LEVEL(exponentials)(size_t classes, int keeps, const ck_shared_classes *shared,
                                       const LEVEL(work) *work, size_t j, size_t first, CELL *exponentials, CELL *tile,
                                       V totals[2]) {
    size_t cells = shared->stride / UNIT, block = work->block;
    V sums[GROUP][2], bits = (V){0} + LOG2E;
    V shift0 = LEVEL(load)((const CELL *)work->shifts + first);
    V shift1 = LEVEL(load)((const CELL *)work->shifts + first + LANES);
    LEVEL(logits)(classes, work->strips + first * cells, (const CELL *)ROWS(shared) + j * cells, cells, sums);
#pragma clang loop unroll(full)
    for (size_t c = 0; c < classes; c++) {
        float offset = shared->offsets[j + c];
        uint32_t masked = work->masks[(j + c) * (block / 32) + first / 32] >> first % 32;
        V x0 = LEVEL(fused)(sums[c][0], bits, offset - shift0), x1 = LEVEL(fused)(sums[c][1], bits, offset - shift1);
        sums[c][0] = LEVEL(without)(LEVEL(power_of_two)(x0), masked);
        sums[c][1] = LEVEL(without)(LEVEL(power_of_two)(x1), masked >> LANES);
        totals[0] += sums[c][0];
        totals[1] += sums[c][1];
    }
    if (keeps) LEVEL(keep)(classes, sums, exponentials + first / UNIT, tile + first, block);
    // A catalogue is not in the cache, and its rows are read once for each block: ask for the next tile in time.
    if (first > 0 || j + TILE + classes > shared->count) return;
    for (size_t k = 0; k < classes * cells; k += 16) {
        __builtin_prefetch((const CELL *)ROWS(shared) + (j + TILE) * cells + k);
        if (keeps && UNIT > 1) __builtin_prefetch((const CELL *)CROSSES(shared) + (j + TILE) * cells + k);
    }
}

// out[a][w] += sum over i of x[i * xi + a * xa] * y[i][w], with `width` vectors w.
INLINE TARGET void LEVEL(accumulate)(size_t outs, size_t width, size_t inner, const CELL *x, size_t xi, size_t xa,
                                     const CELL *y, size_t y_stride, float *out, size_t out_stride) {
    V sums[SPAN][2];
#pragma clang loop unroll(full)
    for (size_t a = 0; a < outs; a++)
#pragma clang loop unroll(full)
        for (size_t w = 0; w < width; w++)
            sums[a][w] = LEVEL(load)((const CELL *)(out + a * out_stride + w * LANES));
    for (size_t i = 0; i < inner; i++) {
        V yi[2];
#pragma clang loop unroll(full)
        for (size_t w = 0; w < width; w++) yi[w] = LEVEL(load)(y + i * y_stride + w * LANES);
#pragma clang loop unroll(full)
        for (size_t a = 0; a < outs; a++)
#pragma clang loop unroll(full)
            for (size_t w = 0; w < width; w++)
                sums[a][w] = LEVEL(add_products)(sums[a][w], x[i * xi + a * xa], yi[w]);
    }
#pragma clang loop unroll(full)
    for (size_t a = 0; a < outs; a++)
#pragma clang loop unroll(full)
        for (size_t w = 0; w < width; w++) LEVEL(store)(out + a * out_stride + w * LANES, sums[a][w]);
}

// The same for any number of outs and any number of columns; y has whole vectors, `out` may end within one.
// `prefetches`: x and out are too large for the cache, xi is 1 and xa is `inner`.
INLINE TARGET void LEVEL(accumulate_all)(size_t outs, size_t columns, size_t inner, const CELL *x, size_t xi,
                                         size_t xa, const CELL *y, size_t y_stride, float *out, size_t out_stride,
                                         int prefetches) {
    for (size_t a = 0; a < outs;) {
        size_t taken = outs - a >= SPAN ? SPAN : 1;
        const CELL *xs = x + a * xa;
        if (prefetches && a + 3 * SPAN <= outs) {
            for (size_t b = 0; b < SPAN * out_stride; b += 16)
                __builtin_prefetch(out + (a + 2 * SPAN) * out_stride + b, 1);
            for (size_t b = 0; b < SPAN * inner; b += 16) __builtin_prefetch(xs + 2 * SPAN * inner + b);
        }
        for (size_t w = 0; w < columns;) {
            size_t left = columns - w;
            float *to = out + a * out_stride + w;
            if (left >= 2 * LANES) {
                if (taken == SPAN)
                    LEVEL(accumulate)(SPAN, 2, inner, xs, xi, xa, y + w, y_stride, to, out_stride);
                else
                    LEVEL(accumulate)(1, 2, inner, xs, xi, xa, y + w, y_stride, to, out_stride);
                w += 2 * LANES;
            } else {
                float sums[SPAN * LANES] = {0};
                size_t width = left < LANES ? left : LANES;
                if (taken == SPAN)
                    LEVEL(accumulate)(SPAN, 1, inner, xs, xi, xa, y + w, y_stride, sums, LANES);
                else
                    LEVEL(accumulate)(1, 1, inner, xs, xi, xa, y + w, y_stride, sums, LANES);
                for (size_t b = 0; b < taken; b++)
                    for (size_t l = 0; l < width; l++) to[b * out_stride + l] += sums[b * LANES + l];
                w += LANES;
            }
        }
        a += taken;
    }
}

// The exponentials of a tile of classes for the whole block.
INLINE TARGET void LEVEL(tile)(int keeps, const ck_shared_classes *shared, const LEVEL(work) *work, size_t from,
                               size_t to, CELL *exponentials, CELL *tile) {
    size_t block = work->block;
    for (size_t first = 0; first < block; first += STRIP) {
        V totals[2] = {{0}, {0}};
        size_t j = from;
#define NEXT(classes)                                                                                                  \
    LEVEL(exponentials)(classes, keeps, shared, work, j, first, exponentials + (j - from) * (block / UNIT),            \
                        tile + (j - from) / UNIT * block, totals)
        for (; j + GROUP <= to; j += GROUP) NEXT(GROUP);
        for (; j + 2 <= to; j += 2) NEXT(2);
        if (j < to) NEXT(1);
#undef NEXT
        for (size_t l = 0; l < LANES; l++) work->totals[first + l] += (double)totals[0][l];
        for (size_t l = 0; l < LANES; l++) work->totals[first + LANES + l] += (double)totals[1][l];
    }
}

static TARGET void LEVEL(add_totals)(const ck_shared_classes *shared, const LEVEL(work) *work, size_t from, size_t to) {
    LEVEL(tile)(0, shared, work, from, to, work->exponentials, work->tile);
}

// Also adds the query gradients of the tile.
static TARGET void LEVEL(add_query_gradients)(const ck_shared_classes *shared, const LEVEL(work) *work, size_t from,
                                              size_t to) {
    size_t block = work->block, stride = shared->stride;
    CELL *exponentials = work->exponentials + from * (block / UNIT), *tile = UNIT == 1 ? exponentials : work->tile;
    LEVEL(tile)(1, shared, work, from, to, exponentials, tile);
    LEVEL(accumulate_all)(block, stride, (to - from + UNIT - 1) / UNIT, tile, block, 1,
                          (const CELL *)CROSSES(shared) + from / UNIT * stride, stride, work->query_gradients, stride,
                          0);
}

static TARGET void LEVEL(add_class_gradients)(const ck_shared_classes *shared, const LEVEL(work) *work,
                                              float *gradients) {
    size_t cells = work->block / UNIT;
    LEVEL(accumulate_all)(shared->count, shared->d, cells, work->exponentials, 1, cells, work->scaled, shared->stride,
                          gradients, shared->d, 1);
}

// The largest logit of a query among its classes, in bits; -infinity if all are masked.
static TARGET float LEVEL(largest_logit)(const ck_shared_classes *shared, const LEVEL(work) *work, size_t row) {
    size_t cells = shared->stride / UNIT, words = work->block / 32;
    const CELL *query = work->strips + row / STRIP * STRIP * cells + row % STRIP;
    float largest = -__builtin_inff();
    for (size_t j = 0; j < shared->count; j++) {
        if (work->masks[j * words + row / 32] >> row % 32 & 1) continue;
        const CELL *x = (const CELL *)ROWS(shared) + j * cells;
        float sum = 0.0f;
        for (size_t k = 0; k < cells; k++) sum += LEVEL(product)(x[k], query[k * STRIP]);
        sum = sum * LOG2E + shared->offsets[j];
        largest = sum > largest ? sum : largest;
    }
    return largest;
}

static TARGET void LEVEL(shared_softmax)(const ck_shared_classes *shared, const ck_shared_queries *queries,
                                         size_t block, char *scratch) {
    size_t d = shared->d, stride = shared->stride, count = shared->count, cells = stride / UNIT, words = block / 32;
    int wants_gradients = queries->query_gradients != NULL;
    LEVEL(work) work = {.block = block};
#define TAKE(type, n) (type *)scratch, scratch += ((n) * sizeof(type) + 63) / 64 * 64
    work.exponentials = TAKE(CELL, (wants_gradients ? count : TILE) * block / UNIT);
    work.tile = TAKE(CELL, TILE / 2 * block);
    work.strips = TAKE(CELL, block * cells);
    work.scaled = TAKE(CELL, block * cells);
    work.query_gradients = TAKE(float, block *stride);
    work.masks = TAKE(uint32_t, count *words);
    work.shifts = TAKE(float, block);
    work.totals = TAKE(double, block);
#undef TAKE
    memset(work.masks, 0, count * words * sizeof(uint32_t));
    for (size_t start = 0; start < queries->count; start += block) {
        size_t n = queries->count - start < block ? queries->count - start : block;
        const float *query = queries->queries + start * d;
        const intptr_t *masks = queries->masked ? queries->mask_starts + start : NULL;
        memset(work.strips, 0, block * cells * sizeof(CELL));
        for (size_t i = 0; i < n; i++) {
            CELL *strip = work.strips + i / STRIP * STRIP * cells + i % STRIP;
            float square = 0.0f;
            for (size_t k = 0; k < d; k++) {
                square += query[i * d + k] * query[i * d + k];
                LEVEL(put)(strip, k, STRIP, query[i * d + k]);
            }
            // Cauchy and Schwarz: no logit is larger. The margin is for rounding.
            work.shifts[i] = 1.01f * LOG2E * sqrtf(square) * shared->longest + shared->highest_offset;
            for (intptr_t p = masks ? masks[i] : 0; masks && p < masks[i + 1]; p++)
                work.masks[(size_t)queries->masked[p] * words + i / 32] |= 1u << i % 32;
        }
        // Lanes without a query: an exponential that overflows would give infinity times the zeros of `scaled`.
        for (size_t i = n; i < block; i++) work.shifts[i] = shared->highest_offset;
        for (int attempt = 0; attempt < 2; attempt++) {
            memset(work.totals, 0, block * sizeof(double));
            memset(work.query_gradients, 0, block * stride * sizeof(float));
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
        memset(work.scaled, 0, block * cells * sizeof(CELL));
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
            const float *gradient = work.query_gradients + i * stride;
            CELL *scaled = work.scaled + i / UNIT * stride;
            for (size_t k = 0; k < d; k++) LEVEL(put)(scaled + k, i % UNIT, 1, query[i * d + k] * factor);
            for (size_t k = 0; k < d; k++) queries->query_gradients[(start + i) * d + k] = gradient[k] * factor;
        }
        if (wants_gradients) LEVEL(add_class_gradients)(shared, &work, queries->class_gradients);
        for (size_t i = 0; masks && i < n; i++)
            for (intptr_t p = masks[i]; p < masks[i + 1]; p++)
                work.masks[(size_t)queries->masked[p] * words + i / 32] = 0;
    }
}

#undef V
#undef CELL
#undef STRIP
