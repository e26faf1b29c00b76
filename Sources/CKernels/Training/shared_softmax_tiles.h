// The three products of shared_softmax.h by the matrix unit (matrix_unit.h), for bf16 numbers. All operands are tiles:
//   operand       order of the tiles              rows of a tile      a cell
//   pairs         [classes / 16][stride / 32]     classes             a pair of dimensions
//   strips        [block / 16][stride / 32]       pairs, by query     a pair of dimensions
//   crosses       [classes / 32][stride / 16]     dimensions          a pair of classes, zeros where there is none
//   tile          [block / 16][TILE / 32]         pairs, by query     a pair of classes
//   exponentials  [classes / 16][block / 32]      classes             a pair of queries
//   scaled        [stride / 16][block / 32]       pairs, by dimension a pair of queries
//   query_sums    [stride / 16][block / 16]       dimensions          a float: C^T exponentials, transposed gradients

INLINE TARGET void LEVEL(begin)(void) { configure_tiles(); }
INLINE TARGET void LEVEL(end)(void) { _tile_release(); }

INLINE TARGET float LEVEL(logit)(const ck_shared_classes *shared, const LEVEL(work) *work, size_t j, size_t row) {
    size_t steps = shared->stride / 32;
    const CELL *x = shared->pairs + j / 16 * steps * TILE_CELLS + j % 16 * 16;
    const CELL *query = work->strips + row / 16 * steps * TILE_CELLS + row % 16;
    float sum = 0.0f;
    for (size_t k = 0; k < 16 * steps; k++)
        sum += LEVEL(product)(x[k / 16 * TILE_CELLS + k % 16], query[k * 16]);
    return sum;
}

INLINE TARGET void LEVEL(pack_queries)(const float *queries, size_t n, size_t d, size_t stride, CELL *strips) {
    for (size_t i = 0; i < n; i += 16)
        pack_turned_rows(queries + i * d, d, least(n - i, 16), d, stride / 2, strips + i * stride / 2);
}

INLINE TARGET void LEVEL(pack_scaled)(const float *queries, const LEVEL(work) *work, size_t n, size_t d,
                                      size_t stride) {
    (void)stride;
    for (size_t i = 0; i < n; i += 2)
        for (size_t k = 0; k < d; k += 16)
            _mm512_storeu_si512(work->scaled + (k / 16 * (work->block / 32) + i / 32) * TILE_CELLS + i / 2 % 16 * 16,
                                scaled_pairs(queries + i * d + k, d, work->factors + i, n - i, first(d - k)));
}

// The exponentials of one or two classes from class j on, from their logits [classes][32], for the strip from query
// `first` on. Adds them to the totals; if `keeps`, stores them, also as the pair `place` of the tile.
INLINE TARGET void LEVEL(exponentials)(size_t classes, int keeps, const ck_shared_classes *shared,
                                       const LEVEL(work) *work, size_t j, size_t first, size_t place,
                                       const float *logits, const V shifts[2], V totals[2]) {
    size_t block = work->block;
    V sums[2][2], bits = (V){0} + LOG2E;
#pragma clang loop unroll(full)
    for (size_t c = 0; c < classes; c++) {
        uint32_t masked = work->masks[(j + c) * (block / 32) + first / 32];
        float offset = shared->offsets[j + c];
        V x0 = LEVEL(fused)(_mm512_load_ps(logits + c * 32), bits, offset - shifts[0]);
        V x1 = LEVEL(fused)(_mm512_load_ps(logits + c * 32 + LANES), bits, offset - shifts[1]);
        sums[c][0] = LEVEL(without)(LEVEL(power_of_two)(x0), masked);
        sums[c][1] = LEVEL(without)(LEVEL(power_of_two)(x1), masked >> LANES);
        totals[0] += sums[c][0];
        totals[1] += sums[c][1];
        if (keeps)
            _mm512_storeu_si512(
                work->exponentials + ((j + c) / 16 * (block / 32) + first / 32) * TILE_CELLS + (j + c) % 16 * 16,
                (__m512i)_mm512_cvtne2ps_pbh(sums[c][1], sums[c][0]));
    }
    if (!keeps) return;
    CELL *tile = work->tile + (first / 16 * (TILE / 32) + place / 16) * TILE_CELLS + place % 16 * 16;
    for (size_t v = 0; v < 2; v++)
        _mm512_storeu_si512(tile + v * (TILE / 32) * TILE_CELLS,
                            cells_of(sums[0][v], classes > 1 ? sums[1][v] : (V){0}));
}

// The exponentials of a tile of classes for the whole block.
INLINE TARGET void LEVEL(tile)(int keeps, const ck_shared_classes *shared, const LEVEL(work) *work, size_t from,
                               size_t to) {
    size_t block = work->block, steps = shared->stride / 32, next = steps * TILE_CELLS;
    _Alignas(64) float logits[32 * 32];
    for (size_t first = 0; first < block; first += 32) {
        V totals[2] = {{0}, {0}};
        const V shifts[2] = {LEVEL(load)((const CELL *)work->shifts + first),
                             LEVEL(load)((const CELL *)work->shifts + first + LANES)};
        for (size_t j = from; j < to; j += 32) {
            size_t end = least(j + 32, to), c = j;
            multiply_tiles(2, 2, (factor_tiles){shared->pairs + j / 16 * next, next, TILE_CELLS},
                           (factor_tiles){work->strips + first / 16 * next, next, TILE_CELLS}, steps,
                           (sum_tiles){logits, 32, 16, 16 * 32}, 0);
#define NEXT(classes)                                                                                                  \
    LEVEL(exponentials)(classes, keeps, shared, work, c, first, (c - from) / 2, logits + (c - j) * 32, shifts, totals)
            for (; c + 2 <= end; c += 2) NEXT(2);
            if (c < end) NEXT(1);
#undef NEXT
            // Pairs without a class meet zeros in `crosses`, which must not meet a number that is none.
            CELL *tiles = work->tile + first / 16 * (TILE / 32) * TILE_CELLS;
            for (size_t pair = (end - from + 1) / 2; keeps && pair % 16 != 0; pair++)
                for (size_t v = 0; v < 2; v++)
                    memset(tiles + (v * (TILE / 32) + pair / 16) * TILE_CELLS + pair % 16 * 16, 0, 64);
        }
        for (size_t l = 0; l < LANES; l++) work->totals[first + l] += (double)totals[0][l];
        for (size_t l = 0; l < LANES; l++) work->totals[first + LANES + l] += (double)totals[1][l];
    }
}

static TARGET void LEVEL(add_totals)(const ck_shared_classes *shared, const LEVEL(work) *work, size_t from, size_t to) {
    LEVEL(tile)(0, shared, work, from, to);
}

static TARGET void LEVEL(add_query_gradients)(const ck_shared_classes *shared, const LEVEL(work) *work, size_t from,
                                              size_t to) {
    size_t block = work->block, stride = shared->stride;
    LEVEL(tile)(1, shared, work, from, to);
    multiply(stride, block, (factor_tiles){shared->crosses + from / 2 * stride, TILE_CELLS, stride / 16 * TILE_CELLS},
             (factor_tiles){work->tile, TILE / 32 * TILE_CELLS, TILE_CELLS}, (to - from + 31) / 32,
             (sum_tiles){work->query_sums, 16, TILE_CELLS, block / 16 * TILE_CELLS}, 1);
}

INLINE TARGET const float *LEVEL(query_gradients)(const LEVEL(work) *work, size_t stride) {
    for (size_t i = 0; i < work->block; i += 16)
        for (size_t k = 0; k < stride; k += 16)
            transpose_tile(work->query_sums + (k / 16 * (work->block / 16) + i / 16) * TILE_CELLS, 16,
                           work->turned + i * stride + k, stride);
    return work->turned;
}

static TARGET void LEVEL(add_class_gradients)(const ck_shared_classes *shared, const LEVEL(work) *work,
                                              float *gradients) {
    size_t steps = work->block / 32, next = steps * TILE_CELLS, d = shared->d;
    multiply(shared->count, d, (factor_tiles){work->exponentials, next, TILE_CELLS},
             (factor_tiles){work->scaled, next, TILE_CELLS}, steps, (sum_tiles){gradients, d, 16, 16 * d}, 1);
}
