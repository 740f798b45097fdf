/* winograd.c - 3x3 convolution with stride 1 by Winograd's minimal filtering: F(4x4, 3x3) takes 36
 * products for 16 outputs instead of 144, F(2x2, 3x3) 16 for 4 instead of 36 (S. Winograd,
 * Arithmetic Complexity of Computations, 1980; A. Lavin and S. Gray, 2015).
 *
 * A block of tiles at a time:
 *     U[q][tile][channel]  = B^T d B        d: the inputs of a tile, q: one of its positions
 *     M[q][tile][output]   = U[q] times G g G^T, transformed weights: a matrix product for each q
 *     output               = A^T M A
 * Lanes run over channels in all three steps.  The weights are transformed at compile time, in
 * double.  Tiles that hang over the edge read the input's halo and store what is inside. */
#include "conv.h"

#include <string.h>

enum {
    MOST = 6, /* inputs of a tile along an axis */
    BLOCK_BYTES = 3 << 19, /* of U and M together */
    APART =
        16 /* elements between positions, so that they do not compete for one set of the cache */
};

/* The construction of Toom and Cook over some points and infinity: a row of the input transform is
 * the product of (x - q) over the other points q; one of the weights' is (1, p, p^2) over the
 * product of (p - q); one of the outputs' is the powers of the points. */
typedef struct Filter {
    int tile, side; /* outputs and inputs along an axis */
    double inputs[MOST][MOST], weights[MOST][3], outputs[MOST][MOST];
} Filter;

/* Points 0, 1, -1. */
static const Filter two = {.tile = 2,
                            .side = 4,
                            .inputs = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, -1, 0, 1}},
                            .weights = {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}},
                            .outputs = {{1, 1, 1, 0}, {0, 1, -1, 1}}};

/* Points 0, A, -A, B, -B with A = sqrt(1/2) and B = sqrt(2): rounding errors are half of those of
 * the usual 0, 1, -1, 2, -2, since the transforms' entries are closer to one another. */
#define A 0.70710678118654752440
#define B 1.41421356237309504880
static const Filter four = {.tile = 4,
                             .side = 6,
                             .inputs = {{1, 0, -2.5, 0, 1, 0},
                                        {0, -2 * A, -2, A, 1, 0},
                                        {0, 2 * A, -2, -A, 1, 0},
                                        {0, -B / 2, -1. / 2, B, 1, 0},
                                        {0, B / 2, -1. / 2, -B, 1, 0},
                                        {0, 1, 0, -2.5, 0, 1}},
                             .weights = {{1, 0, 0},
                                         {-2. / 3, -2 * A / 3, -1. / 3},
                                         {-2. / 3, 2 * A / 3, -1. / 3},
                                         {1. / 6, B / 6, 1. / 3},
                                         {1. / 6, -B / 6, 1. / 3},
                                         {0, 0, 1}},
                             .outputs = {{1, 1, 1, 1, 1, 0},
                                         {0, A, -A, B, -B, 0},
                                         {0, 1. / 2, 1. / 2, 2, 2, 0},
                                         {0, A / 2, -A / 2, 2 * B, -2 * B, 1}}};
#undef A
#undef B

typedef struct Winograd {
    Conv *conv;
    const Filter *filter;
    int tile, side;
    DType wide;
    int64_t tiles_x, tiles, block; /* block: tiles at a time */
    int lanes;
    Buffer *inputs, *products; /* U, M */
    Buffer *transform;         /* G (x) G: a row of 9 for each position */
    const Expr *position;      /* q */
} Winograd;

/* That a variant names by its outputs. */
static const Filter *filter_of(int tile) { return tile == two.tile ? &two : &four; }

static int64_t tiles_along(const Conv *c, int d, int tile) {
    return (c->window.out[d] + tile - 1) / tile;
}

int64_t winograd_outputs(const Conv *c, int d, int tile) { return tiles_along(c, d, tile) * tile; }

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
    *y = ex_offset(l->b, ex_div(l->b, number, across), w->tile, ex_index(l->b, 0));
    *x = ex_offset(l->b, ex_rem(l->b, number, across), w->tile, ex_index(l->b, 0));
}

static const Expr *vector_channel(Lower *l, const Winograd *w, const Expr *vector,
                                  const Expr *lane) {
    return ex_offset(l->b, vector, w->lanes, lane);
}

/* Index in U or M of position q (an expression or a number), tile t and a channel of `channels`. */
static const Expr *at_position(Lower *l, const Winograd *w, const Expr *q, const Expr *t,
                               int64_t channels, const Expr *channel) {
    return ex_offset(l->b, q, w->block * channels + APART, ex_offset(l->b, t, channels, channel));
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
    Square square = {st_local(l->b, "square", w->wide, w->side * w->side * w->lanes, w->lanes),
                     w->side};
    const Expr *i = st_for_n(l->b, LOOP_UNROLL, "i", w->side),
               *lane = st_for_n(l->b, LOOP_LANES, "l", w->lanes);
    const Expr *row = ex_offset(l->b, c->n, s->stride[0], ex_index(l->b, s->offset));
    int64_t corner = c->window.pad_begin[0] * s->stride[2] + c->window.pad_begin[1] * s->stride[3];
    row = ex_offset(l->b, ex_add(l->b, y, i), s->stride[2],
                    ex_add(l->b, row, ex_index(l->b, -corner)));
    row = ex_offset(l->b, x, s->stride[3], ex_add(l->b, row, vector_channel(l, w, vector, lane)));
    const Expr *d[MOST];
    for (int j = 0; j < w->side; j++) {
        d[j] = ex_load(l->b, s->buffer, ex_add(l->b, row, ex_index(l->b, j * s->stride[3])));
        if (d[j]->type != w->wide) d[j] = ex_cast(l->b, w->wide, d[j]);
    }
    for (int j = 0; j < w->side; j++)
        st_store(l->b, square.at, square_index(l, w, &square, i, ex_index(l->b, j), lane),
                 combine(l, w->filter->inputs[j], w->side, d));
    st_end(l->b);
    st_end(l->b);
    const Expr *j = st_for_n(l->b, LOOP_UNROLL, "j", w->side);
    lane = st_for_n(l->b, LOOP_LANES, "l", w->lanes);
    for (int k = 0; k < w->side; k++)
        d[k] = ex_load(l->b, square.at, square_index(l, w, &square, ex_index(l->b, k), j, lane));
    for (int k = 0; k < w->side; k++) {
        const Expr *q = ex_add(l->b, ex_index(l->b, k * w->side), j);
        st_store(l->b, w->inputs,
                 at_position(l, w, q, t, c->in, vector_channel(l, w, vector, lane)),
                 combine(l, w->filter->inputs[k], w->side, d));
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
    const Expr *j = st_for_n(l->b, LOOP_UNROLL, "j", w->tile);
    bool ragged = window->out[0] % w->tile || window->out[1] % w->tile;
    for (int k = 0; k < w->tile; k++) {
        const Expr *row = ex_add(l->b, y, ex_index(l->b, k)), *column = ex_add(l->b, x, j);
        if (ragged)
            st_if(l->b, ex_and(l->b, ex_lt(l->b, row, ex_index(l->b, window->out[0])),
                               ex_lt(l->b, column, ex_index(l->b, window->out[1]))));
        const Expr *lane = st_for_n(l->b, LOOP_LANES, "l", w->lanes), *m[MOST];
        for (int i = 0; i < w->side; i++)
            m[i] =
                ex_load(l->b, square->at, square_index(l, w, square, ex_index(l->b, i), j, lane));
        store_output(l, w, row, column, vector_channel(l, w, vector, lane),
                     combine(l, w->filter->outputs[k], w->side, m));
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
    Square square = {st_local(l->b, "square", w->wide, w->side * w->tile * w->lanes, w->lanes),
                     w->tile};
    const Expr *i = st_for_n(l->b, LOOP_UNROLL, "i", w->side),
               *lane = st_for_n(l->b, LOOP_LANES, "l", w->lanes), *m[MOST];
    for (int j = 0; j < w->side; j++) {
        const Expr *q = ex_offset(l->b, i, w->side, ex_index(l->b, j));
        m[j] =
            ex_load(l->b, w->products,
                    at_position(l, w, q, t, c->out_channels, vector_channel(l, w, vector, lane)));
    }
    for (int j = 0; j < w->tile; j++)
        st_store(l->b, square.at, square_index(l, w, &square, i, ex_index(l->b, j), lane),
                 combine(l, w->filter->outputs[j], w->side, m));
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

static Buffer *transform_table(Lower *l, const Winograd *w) {
    int64_t n = (int64_t)w->side * w->side * 9;
    Tensor *t = tensor_new(l->unit->arena, DT_F64, 1, &n);
    double *at = (double *)(uintptr_t)t->data;
    for (int q = 0; q < w->side * w->side; q++)
        for (int tap = 0; tap < 9; tap++)
            *at++ = w->filter->weights[q / w->side][tap / 3] *
                    w->filter->weights[q % w->side][tap % 3];
    return lower_constant(l, "transform", t);
}

/* Weight of position q: the sum over the taps of (G (x) G)[q][tap] * g[tap]. */
static const Expr *transformed_weight(Lower *l, const Gemm *g, const Buffer *source, const Expr *q,
                                      const Expr *const *k, const Expr *column) {
    Winograd *w = g->context;
    const Storage *s = w->conv->weights;
    if (!w->transform) w->transform = transform_table(l, w); /* of the program that packs */
    const Expr *in = gemm_flat_k(l, g, k), *sum = ex_const(l->b, DT_F64, 0);
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

/* Tiles of a block: of the numbers that fit the one that wastes the fewest rows of products, where
 * rows come in register tiles and two threads share the blocks. */
static int64_t block_tiles(const Winograd *w, int rows) {
    const Conv *c = w->conv;
    int64_t most = BLOCK_BYTES / (w->side * w->side * 4 * (c->in + c->out_channels));
    int64_t best = 0, best_rows = 0;
    if (most < 4 * rows) most = 4 * rows;
    if (most > w->tiles) most = w->tiles;
    for (int64_t b = most; b > most / 3; b--) {
        int64_t blocks = (w->tiles + b - 1) / b, turns = blocks > 1 ? blocks + blocks % 2 : 1;
        int64_t all = turns * ((b + rows - 1) / rows * rows);
        if (best && all >= best_rows) continue;
        best = b;
        best_rows = all;
    }
    return best;
}

static Winograd winograd_of(Conv *c, const Target *t, const Variant *v) {
    const Filter *f = filter_of(v->block);
    Winograd w = {.conv = c, .filter = f, .tile = f->tile, .side = f->side, .wide = DT_F32};
    w.tiles_x = tiles_along(c, 1, w.tile);
    w.tiles = w.tiles_x * tiles_along(c, 0, w.tile);
    w.block = block_tiles(&w, t->tile_rows);
    for (w.lanes = t->lanes; c->in % w.lanes || c->out_channels % w.lanes;) w.lanes /= 2;
    return w;
}

void conv_winograd(Lower *l, Conv *c) {
    Winograd w = winograd_of(c, l->program->target, lower_variant(l, c->node));
    int64_t positions = w.side * w.side;
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
    gemm_pack(l, &g, positions, c->weights->buffer);
    lower_begin_kernel(l, c->node, NULL);
    c->n = st_for_n(l->b, LOOP_PARALLEL, "n", c->x->dims[0].size);
    int64_t blocks = (w.tiles + w.block - 1) / w.block;
    const Expr *block = st_for_n(l->b, LOOP_PARALLEL, "tiles", blocks);
    w.inputs = st_scratch(l->b, "tiles", w.wide, positions * (w.block * c->in + APART));
    w.products =
        st_scratch(l->b, "products", w.wide, positions * (w.block * c->out_channels + APART));
    g.a = w.inputs;
    transform_inputs(l, &w, block);
    w.position = st_for_n(l->b, LOOP_PARALLEL, "position", positions);
    g.b_offset = ex_offset(l->b, w.position, gemm_packed_count(&g), ex_index(l->b, 0));
    gemm_loops(l, &g);
    st_end(l->b);
    transform_outputs(l, &w, block);
    builder_kernel(l->b)->macs = c->x->dims[0].size * w.tiles * positions * c->in * c->out_channels;
    st_end(l->b);
    st_end(l->b);
    lower_end_kernel(l);
}

/* What it does. */

/* Multiplications and additions of rows times a square, then of its columns. */
static double transform_steps(const double rows[MOST][MOST], int n_rows, int side) {
    int entries = 0;
    for (int i = 0; i < n_rows; i++)
        for (int j = 0; j < side; j++) entries += rows[i][j] != 0;
    return (double)entries * (side + n_rows);
}

bool effort_conv_winograd(const Node *n, const Target *t, const Variant *v, Effort *effort) {
    Conv c = conv_of(n);
    const Window *window = &c.window;
    bool fits = c.axes == 2 && c.groups == 1 && c.w->constant && lower_wide(c.x->dtype) == DT_F32 &&
                c.in % 8 == 0 && c.out_channels % 8 == 0 && value_count(c.out) && value_count(c.w);
    for (int d = 0; fits && d < 2; d++)
        fits = window->kernel[d] == 3 && window->stride[d] == 1 && window->dilation[d] == 1;
    if (!fits) return false;
    Winograd w = winograd_of(&c, t, v);
    const Filter *f = w.filter;
    int64_t positions = w.side * w.side, images = c.x->dims[0].size;
    int64_t blocks = (w.tiles + w.block - 1) / w.block;
    Gemm g = {.wide = w.wide, .rows = w.block, .columns = c.out_channels, .n_k = 1, .k_extent = {c.in}};
    gemm_effort(&g, t, v, images * blocks * positions, positions, effort);
    double in = (double)(images * w.tiles * c.in) / w.lanes,
           out = (double)(images * w.tiles * c.out_channels) / w.lanes;
    effort->n[COST_TRANSFORM] += in * transform_steps(f->inputs, w.side, w.side) +
                               out * transform_steps(f->outputs, w.tile, w.side);
    effort->n[COST_ROOM] += (double)((positions - 9) * c.in * c.out_channels * 4);
    return true;
}
