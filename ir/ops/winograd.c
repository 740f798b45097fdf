/* winograd.c - 3x3 convolution with stride 1 by Winograd's minimal filtering F(4x4, 3x3): 36
 * products for 16 outputs instead of 144 (S. Winograd, Arithmetic Complexity of Computations, 1980;
 * A. Lavin and S. Gray, 2015).
 *
 * A block of tiles at a time:
 *     U[q][tile][channel]  = B^T d B        d: the 6x6 inputs of a tile, q: one of 36 positions
 *     M[q][tile][output]   = U[q] times G g G^T, transformed weights: 36 matrix products
 *     output               = A^T M A
 * Lanes run over channels in all three steps.  The weights are transformed at compile time, in
 * double.  Tiles that hang over the edge read the input's halo and store what is inside. */
#include "conv.h"

#include <string.h>

enum {
    TILE = WINOGRAD_TILE,
    SIDE = TILE + 2,
    POSITIONS = SIDE * SIDE,
    LEAST_CHANNELS = 32,
    LEAST_PIXELS = 1024,  /* smaller maps are bound by reading four times the weights */
    BLOCK_BYTES = 3 << 19, /* of U and M together */
    FEW_BLOCKS = 8 /* below, an odd number of blocks keeps one of two threads waiting */
};

/* Interpolation points 0, A, -A, B, -B and infinity, with A = sqrt(1/2) and B = sqrt(2): rounding
 * errors are half of those of the usual 0, 1, -1, 2, -2, since the transforms' entries are closer
 * to one another.  A row of the input transform is the product of (x - q) over the other points q;
 * one of the weights' is (1, p, p^2) over the product of (p - q); one of the outputs' is the powers
 * of the points (the construction of Toom and Cook). */
#define A 0.70710678118654752440
#define B 1.41421356237309504880
static const double input_rows[SIDE][SIDE] = {
    {1, 0, -2.5, 0, 1, 0},         {0, -2 * A, -2, A, 1, 0},      {0, 2 * A, -2, -A, 1, 0},
    {0, -B / 2, -1. / 2, B, 1, 0}, {0, B / 2, -1. / 2, -B, 1, 0}, {0, 1, 0, -2.5, 0, 1}};
static const double weight_rows[SIDE][3] = {{1, 0, 0},
                                            {-2. / 3, -2 * A / 3, -1. / 3},
                                            {-2. / 3, 2 * A / 3, -1. / 3},
                                            {1. / 6, B / 6, 1. / 3},
                                            {1. / 6, -B / 6, 1. / 3},
                                            {0, 0, 1}};
static const double output_rows[TILE][SIDE] = {{1, 1, 1, 1, 1, 0},
                                               {0, A, -A, B, -B, 0},
                                               {0, 1. / 2, 1. / 2, 2, 2, 0},
                                               {0, A / 2, -A / 2, 2 * B, -2 * B, 1}};
#undef A
#undef B

typedef struct Winograd {
    Conv *conv;
    DType wide;
    int64_t tiles_x, tiles, block; /* block: tiles at a time */
    int lanes;
    Buffer *inputs, *products; /* U, M */
    Buffer *transform;         /* G (x) G: a row of 9 for each position */
    const Expr *position;      /* q */
} Winograd;

int64_t winograd_tiles(const Conv *c, int d) { return (c->window.out[d] + TILE - 1) / TILE; }

bool winograd_pays(const Conv *c) {
    const Window *w = &c->window;
    if (c->axes != 2 || c->groups != 1 || !c->w->constant || lower_wide(c->x->dtype) != DT_F32)
        return false;
    for (int d = 0; d < 2; d++)
        if (w->kernel[d] != 3 || w->stride[d] != 1 || w->dilation[d] != 1) return false;
    bool whole_vectors = c->in % 8 == 0 && c->out_channels % 8 == 0;
    return whole_vectors && c->in >= LEAST_CHANNELS && c->out_channels >= LEAST_CHANNELS &&
           w->out[0] * w->out[1] >= LEAST_PIXELS;
}

/* The sum of row[i] * x[i], zeros left out. */
static const Expr *combine(Lower *l, const double *row, int n, const Expr *const *x) {
    const Expr *sum = NULL;
    for (int i = 0; i < n; i++) {
        if (row[i] == 0) continue;
        const Expr *factor = ex_const(l->b, x[i]->type, row[i]);
        if (!sum)
            sum = row[i] == 1 ? x[i] : ex_mul(l->b, factor, x[i]);
        else if (row[i] == 1)
            sum = ex_add(l->b, sum, x[i]);
        else if (row[i] == -1)
            sum = ex_sub(l->b, sum, x[i]);
        else
            sum = ex_fma(l->b, factor, x[i], sum);
    }
    return sum;
}

/* First row and column of outputs of a tile. */
static void tile_origin(Lower *l, const Winograd *w, const Expr *number, const Expr **y,
                        const Expr **x) {
    const Expr *across = ex_index(l->b, w->tiles_x);
    *y = ex_offset(l->b, ex_div(l->b, number, across), TILE, ex_index(l->b, 0));
    *x = ex_offset(l->b, ex_rem(l->b, number, across), TILE, ex_index(l->b, 0));
}

static const Expr *vector_channel(Lower *l, const Winograd *w, const Expr *vector,
                                  const Expr *lane) {
    return ex_offset(l->b, vector, w->lanes, lane);
}

/* Index in U or M of position q (an expression or a number), tile t and a channel of `channels`. */
static const Expr *at_position(Lower *l, const Winograd *w, const Expr *q, const Expr *t,
                               int64_t channels, const Expr *channel) {
    return ex_offset(l->b, ex_offset(l->b, q, w->block, t), channels, channel);
}

/* A first transformation of the rows into a local square, then one of its columns. */

typedef struct Square {
    Buffer *at;
    int columns;
} Square;

static const Expr *square_index(Lower *l, const Winograd *w, const Square *s, const Expr *i,
                                const Expr *j, const Expr *lane) {
    return ex_offset(l->b, ex_offset(l->b, i, s->columns, j), w->lanes, lane);
}

static void input_tile(Lower *l, const Winograd *w, const Expr *y, const Expr *x, const Expr *t) {
    const Conv *c = w->conv;
    const Storage *s = c->from;
    const Expr *vector = st_for_n(l->b, LOOP_SERIAL, "vector", c->in / w->lanes);
    Square square = {st_local(l->b, "square", w->wide, POSITIONS * w->lanes, w->lanes), SIDE};
    const Expr *i = st_for_n(l->b, LOOP_UNROLL, "i", SIDE),
               *lane = st_for_n(l->b, LOOP_LANES, "l", w->lanes);
    const Expr *row = ex_offset(l->b, c->n, s->stride[0], ex_index(l->b, s->offset));
    int64_t corner = c->window.pad_begin[0] * s->stride[2] + c->window.pad_begin[1] * s->stride[3];
    row = ex_offset(l->b, ex_add(l->b, y, i), s->stride[2],
                    ex_add(l->b, row, ex_index(l->b, -corner)));
    row = ex_offset(l->b, x, s->stride[3], ex_add(l->b, row, vector_channel(l, w, vector, lane)));
    const Expr *d[SIDE];
    for (int j = 0; j < SIDE; j++) {
        d[j] = ex_load(l->b, s->buffer, ex_add(l->b, row, ex_index(l->b, j * s->stride[3])));
        if (d[j]->type != w->wide) d[j] = ex_cast(l->b, w->wide, d[j]);
    }
    for (int j = 0; j < SIDE; j++)
        st_store(l->b, square.at, square_index(l, w, &square, i, ex_index(l->b, j), lane),
                 combine(l, input_rows[j], SIDE, d));
    st_end(l->b);
    st_end(l->b);
    const Expr *j = st_for_n(l->b, LOOP_UNROLL, "j", SIDE);
    lane = st_for_n(l->b, LOOP_LANES, "l", w->lanes);
    for (int k = 0; k < SIDE; k++)
        d[k] = ex_load(l->b, square.at, square_index(l, w, &square, ex_index(l->b, k), j, lane));
    for (int k = 0; k < SIDE; k++) {
        const Expr *q = ex_add(l->b, ex_index(l->b, k * SIDE), j);
        st_store(l->b, w->inputs,
                 at_position(l, w, q, t, c->in, vector_channel(l, w, vector, lane)),
                 combine(l, input_rows[k], SIDE, d));
    }
    for (int k = 0; k < 3; k++) st_end(l->b);
}

/* The tiles beyond the last repeat it. */
static void transform_inputs(Lower *l, const Winograd *w, const Expr *block) {
    const Expr *y, *x, *t = st_for_n(l->b, LOOP_PARALLEL, "tile", w->block);
    const Expr *number = ex_offset(l->b, block, w->block, t);
    tile_origin(l, w, ex_min(l->b, number, ex_index(l->b, w->tiles - 1)), &y, &x);
    input_tile(l, w, y, x, t);
    st_end(l->b);
}

/* Outputs; those beyond the edge of the map are not stored. */

static void store_output(Lower *l, const Winograd *w, const Expr *y, const Expr *x,
                         const Expr *channel, const Expr *value) {
    const Conv *c = w->conv;
    const Expr *index[4] = {c->n, channel, y, x};
    lower_store(l, c->out, index, ex_add(l->b, value, conv_bias(l, c, channel, w->wide)));
}

static void output_column(Lower *l, const Winograd *w, const Square *square, const Expr *y,
                          const Expr *x, const Expr *vector) {
    const Window *window = &w->conv->window;
    const Expr *j = st_for_n(l->b, LOOP_UNROLL, "j", TILE);
    bool ragged = window->out[0] % TILE || window->out[1] % TILE;
    for (int k = 0; k < TILE; k++) {
        const Expr *row = ex_add(l->b, y, ex_index(l->b, k)), *column = ex_add(l->b, x, j);
        if (ragged)
            st_if(l->b, ex_and(l->b, ex_lt(l->b, row, ex_index(l->b, window->out[0])),
                               ex_lt(l->b, column, ex_index(l->b, window->out[1]))));
        const Expr *lane = st_for_n(l->b, LOOP_LANES, "l", w->lanes), *m[SIDE];
        for (int i = 0; i < SIDE; i++)
            m[i] =
                ex_load(l->b, square->at, square_index(l, w, square, ex_index(l->b, i), j, lane));
        store_output(l, w, row, column, vector_channel(l, w, vector, lane),
                     combine(l, output_rows[k], SIDE, m));
        st_end(l->b);
        if (ragged) st_end(l->b);
    }
    st_end(l->b);
}

static void transform_outputs(Lower *l, const Winograd *w, const Expr *block) {
    const Conv *c = w->conv;
    const Expr *y, *x, *t = st_for_n(l->b, LOOP_PARALLEL, "tile", w->block);
    const Expr *number = ex_offset(l->b, block, w->block, t);
    st_if(l->b, ex_lt(l->b, number, ex_index(l->b, w->tiles)));
    tile_origin(l, w, number, &y, &x);
    const Expr *vector = st_for_n(l->b, LOOP_SERIAL, "vector", c->out_channels / w->lanes);
    Square square = {st_local(l->b, "square", w->wide, SIDE * TILE * w->lanes, w->lanes), TILE};
    const Expr *i = st_for_n(l->b, LOOP_UNROLL, "i", SIDE),
               *lane = st_for_n(l->b, LOOP_LANES, "l", w->lanes), *m[SIDE];
    for (int j = 0; j < SIDE; j++) {
        const Expr *q = ex_offset(l->b, i, SIDE, ex_index(l->b, j));
        m[j] =
            ex_load(l->b, w->products,
                    at_position(l, w, q, t, c->out_channels, vector_channel(l, w, vector, lane)));
    }
    for (int j = 0; j < TILE; j++)
        st_store(l->b, square.at, square_index(l, w, &square, i, ex_index(l->b, j), lane),
                 combine(l, output_rows[j], SIDE, m));
    st_end(l->b);
    st_end(l->b);
    output_column(l, w, &square, y, x, vector);
    for (int k = 0; k < 3; k++) st_end(l->b);
}

/* The products. */

static const Expr *tile_row(Lower *l, const Gemm *g, const Expr *m) {
    const Winograd *w = g->context;
    return at_position(l, w, w->position, m, w->conv->in, ex_index(l->b, 0));
}

static void store_product(Lower *l, const Gemm *g, const Expr *m, const Expr *column,
                          const Expr *x) {
    const Winograd *w = g->context;
    st_store(l->b, w->products, at_position(l, w, w->position, m, w->conv->out_channels, column),
             x);
}

static Buffer *transform_table(Lower *l) {
    int64_t n = POSITIONS * 9;
    Tensor *t = tensor_new(l->unit->arena, DT_F64, 1, &n);
    double *at = (double *)(uintptr_t)t->data;
    for (int q = 0; q < POSITIONS; q++)
        for (int tap = 0; tap < 9; tap++)
            *at++ = weight_rows[q / SIDE][tap / 3] * weight_rows[q % SIDE][tap % 3];
    return lower_constant(l, "transform", t);
}

/* Weight of position q: the sum over the taps of (G (x) G)[q][tap] * g[tap]. */
static const Expr *transformed_weight(Lower *l, const Gemm *g, const Buffer *source, const Expr *q,
                                      const Expr *const *k, const Expr *column) {
    Winograd *w = g->context;
    const Storage *s = w->conv->weights;
    if (!w->transform) w->transform = transform_table(l); /* of the program that packs */
    const Expr *in = ex_index(l->b, 0), *sum = ex_const(l->b, DT_F64, 0);
    for (int i = 0; i < g->n_k; i++) in = ex_offset(l->b, in, g->k_extent[i], k[i]);
    const Expr *index = ex_offset(l->b, column, s->stride[0],
                                  ex_offset(l->b, in, s->stride[1], ex_index(l->b, s->offset)));
    for (int tap = 0; tap < 9; tap++) {
        int64_t place = tap / 3 * s->stride[2] + tap % 3 * s->stride[3];
        const Expr *x = ex_load(l->b, source, ex_add(l->b, index, ex_index(l->b, place)));
        const Expr *factor =
            ex_load(l->b, w->transform, ex_offset(l->b, q, 9, ex_index(l->b, tap)));
        sum = ex_add(l->b, sum, ex_mul(l->b, factor, ex_cast(l->b, DT_F64, x)));
    }
    return sum;
}

/* All blocks are of one size, but for the last: threads share them. */
static int64_t block_tiles(const Conv *c, int64_t tiles, int rows) {
    int64_t n = BLOCK_BYTES / (POSITIONS * 4 * (c->in + c->out_channels)) / rows * rows;
    if (n < 4 * rows) n = 4 * rows;
    int64_t blocks = (tiles + n - 1) / n;
    if (blocks > 1 && blocks < FEW_BLOCKS) blocks += blocks % 2;
    return (tiles + blocks - 1) / blocks;
}

void conv_winograd(Lower *l, Conv *c) {
    Winograd w = {.conv = c, .wide = DT_F32, .tiles_x = winograd_tiles(c, 1)};
    w.tiles = w.tiles_x * winograd_tiles(c, 0);
    w.block = block_tiles(c, w.tiles, l->program->target->tile_rows);
    for (w.lanes = l->program->target->lanes; c->in % w.lanes || c->out_channels % w.lanes;)
        w.lanes /= 2;
    Gemm g = {.node = c->node,
              .wide = w.wide,
              .rows = w.block,
              .columns = c->out_channels,
              .n_k = 1,
              .k_extent = {c->in},
              .k_stride = {1},
              .row = tile_row,
              .row_step = c->in,
              .store = store_product,
              .weight = transformed_weight,
              .context = &w};
    c->from = lower_storage(l, c->x);
    c->weights = lower_storage(l, c->w);
    gemm_plan(l, &g);
    gemm_pack(l, &g, POSITIONS, c->weights->buffer);
    lower_begin_kernel(l, c->node, NULL);
    c->n = st_for_n(l->b, LOOP_PARALLEL, "n", c->x->dims[0].size);
    int64_t blocks = (w.tiles + w.block - 1) / w.block;
    const Expr *block = st_for_n(l->b, LOOP_PARALLEL, "tiles", blocks);
    w.inputs = st_scratch(l->b, "tiles", w.wide, POSITIONS * w.block * c->in);
    w.products = st_scratch(l->b, "products", w.wide, POSITIONS * w.block * c->out_channels);
    g.a = w.inputs;
    transform_inputs(l, &w, block);
    w.position = st_for_n(l->b, LOOP_PARALLEL, "position", POSITIONS);
    g.b_offset = ex_offset(l->b, w.position, gemm_packed_count(&g), ex_index(l->b, 0));
    gemm_loops(l, &g);
    st_end(l->b);
    transform_outputs(l, &w, block);
    builder_kernel(l->b)->macs = c->x->dims[0].size * w.tiles * POSITIONS * c->in * c->out_channels;
    st_end(l->b);
    st_end(l->b);
    lower_end_kernel(l);
}
