// The three products of shared_softmax.h by vectors: sums stay in vector registers. A level also defines
//   GROUP        classes whose logits a pass over the dimensions computes at once
//   SPAN         sums of vectors that a pass over an inner dimension computes at once
//   pack_strip(float *queries, n, d, cells, cell *strip)  up to a strip of queries [cells][STRIP]
//   pack_pair(float *queries, d, float *factors, n, cell *scaled)  a cell's queries times their factors; n are left
//   V add_products(V sum, cell x, V y)  sum plus the products of the numbers of x with those of each cell of y
//   keep(classes, V sums[][2], exponentials, tile, block)  stores a strip's exponentials along both dimensions

INLINE TARGET float LEVEL(logit)(const ck_shared_classes *shared, const LEVEL(work) *work, size_t j, size_t row) {
    size_t cells = shared->stride / UNIT;
    const CELL *x = (const CELL *)ROWS(shared) + j * cells;
    const CELL *query = work->strips + row / STRIP * STRIP * cells + row % STRIP;
    float sum = 0.0f;
    for (size_t k = 0; k < cells; k++) sum += LEVEL(product)(x[k], query[k * STRIP]);
    return sum;
}

INLINE TARGET void LEVEL(pack_queries)(const float *queries, size_t n, size_t d, size_t stride, CELL *strips) {
    for (size_t i = 0; i < n; i += STRIP)
        LEVEL(pack_strip)(queries + i * d, least(n - i, STRIP), d, stride / UNIT, strips + i * (stride / UNIT));
}

INLINE TARGET void LEVEL(pack_scaled)(const float *queries, const LEVEL(work) *work, size_t n, size_t d,
                                      size_t stride) {
    for (size_t i = 0; i < n; i += UNIT)
        LEVEL(pack_pair)(queries + i * d, d, work->factors + i, n - i, work->scaled + i / UNIT * stride);
}

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
                          (const CELL *)CROSSES(shared) + from / UNIT * stride, stride, work->query_sums, stride,
                          0);
}

INLINE TARGET void LEVEL(begin)(void) {}
INLINE TARGET void LEVEL(end)(void) {}
INLINE TARGET const float *LEVEL(query_gradients)(const LEVEL(work) *work, size_t stride) {
    (void)stride;
    return work->query_sums;
}

static TARGET void LEVEL(add_class_gradients)(const ck_shared_classes *shared, const LEVEL(work) *work,
                                              float *gradients) {
    size_t cells = work->block / UNIT;
    LEVEL(accumulate_all)(shared->count, shared->d, cells, work->exponentials, 1, cells, work->scaled, shared->stride,
                          gradients, shared->d, 1);
}
