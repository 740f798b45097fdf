/* winograd.c - 3x3 convolution with stride 1 by Winograd's minimal filtering F(4x4, 3x3): 36
 * products for 16 outputs instead of 144 (S. Winograd, Arithmetic Complexity of Computations, 1980;
 * A. Lavin and S. Gray, 2015).
 *
 *     U[q][tile][channel]  = B^T d B        d: the inputs of a tile, q: one of its 36 positions
 *     V[q][channel][output] = G g G^T       g: the taps of a weight
 *     M[q][tile][output]   = U[q] V[q]      a matrix product for each q
 *     output               = A^T M A
 * Lanes run over channels in all transforms.  Tiles that hang over the edge read the input's halo
 * and store what is inside.
 *
 * Many tiles: V is made at compile time, and a block of tiles at a time goes through all steps. Few
 * tiles: V is four times the weights, and reading it would take longer than making it.  There U
 * holds all tiles; for a few columns of outputs, and a chunk of channels after the other, V is made
 * in the cache, and its products are added to M. */
#include "conv.h"

#include <string.h>

enum {
    TILE = 4, /* outputs of a tile along an axis */
    SIDE = 6, /* inputs */
    POSITIONS = SIDE * SIDE,
    MOST_BYTES = 16 << 20, /* of U with few tiles */
    CHANNELS = 8,          /* they come in such numbers */
    CHUNK = 64,            /* channels of the weights that are transformed at a time */
    PANELS = 2,            /* their tiles of columns */
    BLOCK_BYTES = 3 << 19, /* of U and M together */
    APART =
        16 /* elements between positions, so that they do not compete for one set of the cache */
};

/* A transform of a row, as two products with small matrices: what pairs of results share, then the
 * results. */
typedef struct Transform {
    int in, parts, out;
    double first[SIDE][SIDE], second[SIDE][SIDE];
} Transform;

/* The construction of Toom and Cook over the points 0, A, -A, B, -B and infinity: a row of the
 * input transform is the product of (x - q) over the other points q; one of the weights' is (1, p,
 * p^2) over the product of (p - q); one of the outputs' is the powers of the points.  With A =
 * sqrt(1/2) and B = sqrt(2) rounding errors are half of those of the usual 0, 1, -1, 2, -2, since
 * the entries are closer to one another. */
#define A 0.70710678118654752440
#define B 1.41421356237309504880
static const Transform of_inputs = {SIDE,
                                    6,
                                    SIDE,
                                    {{1, 0, -2.5, 0, 1, 0},
                                     {0, 0, -2, 0, 1, 0},
                                     {0, -2, 0, 1, 0, 0},
                                     {0, 0, -.5, 0, 1, 0},
                                     {0, -.5, 0, 1, 0, 0},
                                     {0, 1, 0, -2.5, 0, 1}},
                                    {{1, 0, 0, 0, 0, 0},
                                     {0, 1, A, 0, 0, 0},
                                     {0, 1, -A, 0, 0, 0},
                                     {0, 0, 0, 1, B, 0},
                                     {0, 0, 0, 1, -B, 0},
                                     {0, 0, 0, 0, 0, 1}}};
static const Transform of_weights = {
    3,
    5,
    SIDE,
    {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {-2. / 3, 0, -1. / 3}, {1. / 6, 0, 1. / 3}},
    {{1, 0, 0, 0, 0},
     {0, -2 * A / 3, 0, 1, 0},
     {0, 2 * A / 3, 0, 1, 0},
     {0, B / 6, 0, 0, 1},
     {0, -B / 6, 0, 0, 1},
     {0, 0, 1, 0, 0}}};
static const Transform of_outputs = {
    SIDE,
    6,
    TILE,
    {{1, 0, 0, 0, 0, 0},
     {0, 1, 1, 0, 0, 0},
     {0, 1, -1, 0, 0, 0},
     {0, 0, 0, 1, 1, 0},
     {0, 0, 0, 1, -1, 0},
     {0, 0, 0, 0, 0, 1}},
    {{1, 1, 0, 1, 0, 0}, {0, 0, A, 0, B, 0}, {0, .5, 0, 2, 0, 0}, {0, 0, A / 2, 0, 2 * B, 1}}};
#undef A
#undef B

typedef struct Winograd {
    Conv *conv;
    DType wide;
    int64_t tiles_x, tiles; /* of the map */
    int64_t block, rows;   /* tiles at a time; rows of U and M, where they come in register tiles */
    int tile_rows;         /* of a register tile */
    int64_t chunk;         /* channels of U that lie side by side */
    int64_t width, panels; /* columns of M that lie side by side, and how many such panels it has */
    int lanes;
    Buffer *inputs, *products; /* U, M */
    Buffer *transform;         /* G (x) G: a row of 9 for each position */
    const Expr *position;      /* q */
    /* Few tiles: */
    Gemm taps;          /* the weights as they are packed */
    Buffer *weights;    /* V */
    int64_t all_panels; /* of the outputs; M has `panels` at a time */
    const Expr *chunk_at, *panel;
} Winograd;

static int64_t tiles_along(const Conv *c, int d) { return (c->window.out[d] + TILE - 1) / TILE; }

static int64_t tiles_of(const Conv *c) { return tiles_along(c, 0) * tiles_along(c, 1); }

int64_t winograd_outputs(const Conv *c, int d) { return tiles_along(c, d) * TILE; }

/* Transforms. */

/* The sum of row[i] * x[i], zeros left out; it begins with a term that is not multiplied. */
static const Expr *combine(Lower *l, const double *row, int n, const Expr *const *x) {
    int first = 0;
    while (first < n && row[first] != 1) first++;
    const Expr *sum = first < n ? x[first] : NULL;
    for (int i = 0; i < n; i++) {
        if (row[i] == 0 || i == first) continue;
        const Expr *factor = ex_const(l->b, x[i]->type, row[i]);
        if (!sum)
            sum = ex_mul(l->b, factor, x[i]);
        else if (row[i] == 1)
            sum = ex_add(l->b, sum, x[i]);
        else if (row[i] == -1)
            sum = ex_sub(l->b, sum, x[i]);
        else
            sum = ex_fma(l->b, factor, x[i], sum);
    }
    return sum;
}

static void transform_row(Lower *l, const Transform *t, const Expr *const *x, const Expr **y) {
    const Expr *parts[SIDE];
    for (int i = 0; i < t->parts; i++) parts[i] = combine(l, t->first[i], t->in, x);
    for (int i = 0; i < t->out; i++) y[i] = combine(l, t->second[i], t->parts, parts);
}

/* A square of vectors to be transformed: where its elements come from and where the results go. */
typedef struct Square Square;
struct Square {
    const Winograd *winograd;
    const Transform *transform;
    int lanes;
    const Expr *(*load)(Lower *l, const Square *s, const Expr *i, const Expr *j, const Expr *lane);
    void (*store)(Lower *l, const Square *s, const Expr *i, const Expr *j, const Expr *lane,
                  const Expr *x);
    const Expr *tile, *y, *x; /* its number in the block, its first output */
    const Expr *channel;      /* of lane 0 */
    const Expr *from, *to;    /* indices of the square's corner, where they are spaced evenly */
    Buffer *kept;             /* outputs of a tile that may hang over the edge */
};

/* Its rows, into a local array, then the columns of that. */
static void transform_square(Lower *l, const Square *s) {
    const Transform *t = s->transform;
    const Expr *x[SIDE], *y[SIDE];
    Buffer *half =
        st_local(l->b, "square", s->winograd->wide, (int64_t)t->in * t->out * s->lanes, s->lanes);
    const Expr *i = st_for_n(l->b, LOOP_UNROLL, "i", t->in),
               *lane = st_for_n(l->b, LOOP_LANES, "l", s->lanes);
    for (int j = 0; j < t->in; j++) x[j] = s->load(l, s, i, ex_index(l->b, j), lane);
    transform_row(l, t, x, y);
    for (int j = 0; j < t->out; j++) {
        const Expr *at = ex_offset(l->b, i, t->out, ex_index(l->b, j));
        st_store(l->b, half, ex_offset(l->b, at, s->lanes, lane), y[j]);
    }
    st_end(l->b);
    st_end(l->b);
    const Expr *j = st_for_n(l->b, LOOP_UNROLL, "j", t->out);
    lane = st_for_n(l->b, LOOP_LANES, "l", s->lanes);
    for (int k = 0; k < t->in; k++) {
        const Expr *at = ex_offset(l->b, ex_index(l->b, k), t->out, j);
        x[k] = ex_load(l->b, half, ex_offset(l->b, at, s->lanes, lane));
    }
    transform_row(l, t, x, y);
    for (int k = 0; k < t->out; k++) s->store(l, s, ex_index(l->b, k), j, lane, y[k]);
    st_end(l->b);
    st_end(l->b);
}

static const Expr *number_of(Lower *l, const Expr *i, const Expr *j) {
    return ex_offset(l->b, i, SIDE, j);
}

/* First row and column of outputs of a tile. */
static void tile_origin(Lower *l, const Winograd *w, const Expr *number, const Expr **y,
                        const Expr **x) {
    const Expr *across = ex_index(l->b, w->tiles_x);
    *y = ex_offset(l->b, ex_div(l->b, number, across), TILE, ex_index(l->b, 0));
    *x = ex_offset(l->b, ex_rem(l->b, number, across), TILE, ex_index(l->b, 0));
}

/* Where things lie: U is [chunk][q][tile][channel], M [q][panel][tile][column]. */

static int64_t input_step(const Winograd *w) { return w->rows * w->chunk + APART; }

static int64_t product_step(const Winograd *w) { return w->panels * w->rows * w->width + APART; }

/* Index of a channel of a chunk. */
static const Expr *in_inputs(Lower *l, const Winograd *w, const Expr *chunk, const Expr *q,
                             const Expr *tile, const Expr *channel) {
    const Expr *at = ex_offset(l->b, tile, w->chunk, channel);
    return ex_offset(l->b, ex_offset(l->b, chunk, POSITIONS, q), input_step(w), at);
}

static const Expr *in_products(Lower *l, const Winograd *w, const Expr *q, const Expr *panel,
                               const Expr *tile, const Expr *column) {
    const Expr *at = ex_offset(l->b, ex_offset(l->b, panel, w->rows, tile), w->width, column);
    return ex_offset(l->b, q, product_step(w), at);
}

/* Inputs. */

static const Expr *load_input(Lower *l, const Square *s, const Expr *i, const Expr *j,
                              const Expr *lane) {
    const Winograd *w = s->winograd;
    const Storage *from = w->conv->from;
    const Expr *at = ex_offset(l->b, i, from->stride[2], ex_offset(l->b, j, from->stride[3], lane));
    const Expr *x = ex_load(l->b, from->buffer, ex_add(l->b, s->from, at));
    return x->type == w->wide ? x : ex_cast(l->b, w->wide, x);
}

static void store_input(Lower *l, const Square *s, const Expr *i, const Expr *j, const Expr *lane,
                        const Expr *x) {
    const Expr *at = ex_offset(l->b, number_of(l, i, j), input_step(s->winograd), lane);
    st_store(l->b, s->winograd->inputs, ex_add(l->b, s->to, at), x);
}

/* Index of the corner of a tile's inputs. */
static const Expr *input_corner(Lower *l, const Winograd *w, const Expr *number) {
    const Conv *c = w->conv;
    const Storage *s = c->from;
    const Expr *y, *x;
    int64_t corner = c->window.pad_begin[0] * s->stride[2] + c->window.pad_begin[1] * s->stride[3];
    tile_origin(l, w, number, &y, &x);
    const Expr *at = ex_offset(l->b, c->n, s->stride[0], ex_index(l->b, s->offset - corner));
    return ex_offset(l->b, y, s->stride[2], ex_offset(l->b, x, s->stride[3], at));
}

/* The tiles beyond the last repeat it. */
static void transform_inputs(Lower *l, const Winograd *w, const Expr *block) {
    Square s = {.winograd = w,
                .transform = &of_inputs,
                .lanes = w->lanes,
                .load = load_input,
                .store = store_input};
    const Expr *t = st_for_n(l->b, LOOP_PARALLEL, "tile", w->rows);
    const Expr *number = ex_offset(l->b, block, w->block, t);
    const Expr *corner = input_corner(l, w, ex_min(l->b, number, ex_index(l->b, w->tiles - 1)));
    const Expr *chunk = st_for_n(l->b, LOOP_SERIAL, "chunk", w->conv->in / w->chunk);
    const Expr *vector = st_for_n(l->b, LOOP_SERIAL, "vector", w->chunk / w->lanes);
    const Expr *channel = ex_offset(l->b, vector, w->lanes, ex_index(l->b, 0));
    s.from = ex_add(l->b, corner, ex_offset(l->b, chunk, w->chunk, channel));
    s.to = in_inputs(l, w, chunk, ex_index(l->b, 0), t, channel);
    transform_square(l, &s);
    for (int k = 0; k < 3; k++) st_end(l->b);
}

/* A loop over `n` of all: group number `group`, of which the last may be smaller. */
typedef struct Part {
    const Expr *at, *whole; /* in the group, and of all */
    bool guarded;
} Part;

static Part open_part(Lower *l, const char *name, int64_t n, const Expr *group, int64_t all) {
    Part p = {.at = st_for_n(l->b, LOOP_SERIAL, name, n), .guarded = all % n != 0};
    p.whole = ex_offset(l->b, group, n, p.at);
    if (p.guarded) st_if(l->b, ex_lt(l->b, p.whole, ex_index(l->b, all)));
    return p;
}

static void close_part(Lower *l, const Part *p) {
    if (p->guarded) st_end(l->b);
    st_end(l->b);
}

/* Outputs; those beyond the edge of the map are not stored. */

static const Expr *load_product(Lower *l, const Square *s, const Expr *i, const Expr *j,
                                const Expr *lane) {
    const Winograd *w = s->winograd;
    const Expr *at = ex_offset(l->b, number_of(l, i, j), product_step(w), lane);
    return ex_load(l->b, w->products, ex_add(l->b, s->from, at));
}

static void give_output(Lower *l, const Square *s, const Expr *i, const Expr *j, const Expr *lane,
                        const Expr *value) {
    const Conv *c = s->winograd->conv;
    const Expr *channel = ex_add(l->b, s->channel, lane);
    const Expr *index[4] = {c->n, channel, ex_add(l->b, s->y, i), ex_add(l->b, s->x, j)};
    lower_store(l, c->out, index, ex_add(l->b, value, conv_bias(l, c, channel, s->winograd->wide)));
}

static const Expr *in_kept(Lower *l, const Square *s, const Expr *i, const Expr *j,
                           const Expr *lane) {
    return ex_offset(l->b, ex_offset(l->b, i, TILE, j), s->lanes, lane);
}

static void keep_output(Lower *l, const Square *s, const Expr *i, const Expr *j, const Expr *lane,
                        const Expr *value) {
    st_store(l->b, s->kept, in_kept(l, s, i, j, lane), value);
}

static void give_kept(Lower *l, const Square *s) {
    const Window *window = &s->winograd->conv->window;
    const Expr *i = st_for_n(l->b, LOOP_UNROLL, "i", TILE);
    st_if(l->b, ex_lt(l->b, ex_add(l->b, s->y, i), ex_index(l->b, window->out[0])));
    const Expr *j = st_for_n(l->b, LOOP_UNROLL, "j", TILE);
    st_if(l->b, ex_lt(l->b, ex_add(l->b, s->x, j), ex_index(l->b, window->out[1])));
    const Expr *lane = st_for_n(l->b, LOOP_LANES, "l", s->lanes);
    give_output(l, s, i, j, lane, ex_load(l->b, s->kept, in_kept(l, s, i, j, lane)));
    for (int k = 0; k < 5; k++) st_end(l->b);
}

/* The outputs of a tile, of the channels whose products are there. */
static void output_tile(Lower *l, const Winograd *w, Square s, const Expr *group) {
    const Window *window = &w->conv->window;
    bool ragged = window->out[0] % TILE || window->out[1] % TILE;
    int64_t vectors = w->conv->out_channels / w->lanes;
    Part part = open_part(l, "vector", w->panels * w->width / w->lanes, group, vectors);
    const Expr *vector = part.at, *of_panel = ex_index(l->b, w->width / w->lanes);
    const Expr *column =
        ex_offset(l->b, ex_rem(l->b, vector, of_panel), w->lanes, ex_index(l->b, 0));
    s.channel = ex_offset(l->b, part.whole, w->lanes, ex_index(l->b, 0));
    s.from = in_products(l, w, ex_index(l->b, 0), ex_div(l->b, vector, of_panel), s.tile, column);
    s.store = ragged ? keep_output : give_output;
    if (ragged)
        s.kept = st_local(l->b, "outputs", w->wide, (int64_t)TILE * TILE * w->lanes, w->lanes);
    transform_square(l, &s);
    if (ragged) give_kept(l, &s);
    close_part(l, &part);
}

static void transform_outputs(Lower *l, const Winograd *w, const Expr *block, const Expr *group) {
    Square s = {.winograd = w, .transform = &of_outputs, .lanes = w->lanes, .load = load_product};
    s.tile = st_for_n(l->b, LOOP_PARALLEL, "tile", w->block);
    const Expr *number = ex_offset(l->b, block, w->block, s.tile);
    st_if(l->b, ex_lt(l->b, number, ex_index(l->b, w->tiles)));
    tile_origin(l, w, number, &s.y, &s.x);
    output_tile(l, w, s, group);
    st_end(l->b);
    st_end(l->b);
}

/* Many tiles. */

static const Expr *tile_row(Lower *l, const Gemm *g, const Expr *m) {
    const Winograd *w = g->context;
    return in_inputs(l, w, ex_index(l->b, 0), w->position, m, ex_index(l->b, 0));
}

static void store_product(Lower *l, const Gemm *g, const Expr *m, const Expr *column,
                          const Expr *x) {
    const Winograd *w = g->context;
    st_store(l->b, w->products, in_products(l, w, w->position, ex_index(l->b, 0), m, column), x);
}

static double weight_factor(int i, int tap) {
    double sum = 0;
    for (int p = 0; p < of_weights.parts; p++)
        sum += of_weights.second[i][p] * of_weights.first[p][tap];
    return sum;
}

static Buffer *transform_table(Lower *l) {
    int64_t n = POSITIONS * 9;
    Tensor *t = tensor_new(l->unit->arena, DT_F64, 1, &n);
    double *at = (double *)(uintptr_t)t->data;
    for (int q = 0; q < POSITIONS; q++)
        for (int tap = 0; tap < 9; tap++)
            *at++ = weight_factor(q / SIDE, tap / 3) * weight_factor(q % SIDE, tap % 3);
    return lower_constant(l, "transform", t);
}

/* Index of tap 0. */
static const Expr *weight_index(Lower *l, const Winograd *w, const Expr *in, const Expr *out) {
    const Storage *s = w->conv->weights;
    return ex_offset(l->b, out, s->stride[0],
                     ex_offset(l->b, in, s->stride[1], ex_index(l->b, s->offset)));
}

/* Weight of position q: the sum over the taps of (G (x) G)[q][tap] * g[tap]. */
static const Expr *transformed_weight(Lower *l, const Gemm *g, const Buffer *source, const Expr *q,
                                      const Expr *const *k, const Expr *column) {
    Winograd *w = g->context;
    const Storage *s = w->conv->weights;
    if (!w->transform) w->transform = transform_table(l); /* of the program that packs */
    const Expr *index = weight_index(l, w, gemm_flat_k(l, g, k), column);
    const Expr *sum = ex_const(l->b, DT_F64, 0);
    for (int tap = 0; tap < 9; tap++) {
        int64_t place = tap / 3 * s->stride[2] + tap % 3 * s->stride[3];
        const Expr *x = ex_load(l->b, source, ex_add(l->b, index, ex_index(l->b, place)));
        const Expr *factor =
            ex_load(l->b, w->transform, ex_offset(l->b, q, 9, ex_index(l->b, tap)));
        sum = ex_add(l->b, sum, ex_mul(l->b, factor, ex_cast(l->b, DT_F64, x)));
    }
    return sum;
}

/* Rows of products, those in vain included, where rows come in register tiles of `rows` and two
 * threads share blocks of `block` tiles. */
static int64_t all_rows(const Winograd *w, int64_t block, int rows) {
    int64_t blocks = (w->tiles + block - 1) / block, turns = blocks > 1 ? blocks + blocks % 2 : 1;
    return turns * ((block + rows - 1) / rows * rows);
}

/* How U and M are cut.  Tiles of a block, and rows of a register tile: of the numbers that fit
 * those that waste the fewest rows. */
static void plan_many(Winograd *w, int most_rows) {
    const Conv *c = w->conv;
    int64_t most = BLOCK_BYTES / (POSITIONS * 4 * (c->in + c->out_channels));
    if (most < 4 * most_rows) most = 4 * most_rows;
    if (most > w->tiles) most = w->tiles;
    w->block = most;
    w->tile_rows = most_rows;
    for (int rows = most_rows; rows > most_rows / 2; rows--)
        for (int64_t block = most; block > most / 3; block--) {
            if (all_rows(w, block, rows) >= all_rows(w, w->block, w->tile_rows)) continue;
            w->block = block;
            w->tile_rows = rows;
        }
    w->rows = w->block;
    w->chunk = c->in;
    w->width = c->out_channels;
    w->panels = 1;
}

static void multiply_many(Lower *l, Winograd *w) {
    Conv *c = w->conv;
    plan_many(w, l->program->target->tile_rows);
    Gemm g = {.node = c->node,
              .wide = w->wide,
              .rows = w->rows,
              .columns = c->out_channels,
              .n_k = 1,
              .k_extent = {c->in},
              .k_stride = {1},
              .row = tile_row,
              .row_step = c->in,
              .store = store_product,
              .weight = transformed_weight,
              .context = w};
    gemm_plan(l, &g);
    g.tile_rows = w->tile_rows;
    gemm_pack(l, &g, POSITIONS, c->weights->buffer);
    lower_begin_kernel(l, c->node, NULL);
    c->n = st_for_n(l->b, LOOP_PARALLEL, "n", c->x->dims[0].size);
    const Expr *block =
        st_for_n(l->b, LOOP_PARALLEL, "tiles", (w->tiles + w->block - 1) / w->block);
    w->inputs = st_scratch(l->b, "tiles", w->wide, POSITIONS * input_step(w));
    w->products = st_scratch(l->b, "products", w->wide, POSITIONS * product_step(w));
    g.a = w->inputs;
    transform_inputs(l, w, block);
    w->position = st_for_n(l->b, LOOP_PARALLEL, "position", POSITIONS);
    g.b_offset = ex_offset(l->b, w->position, gemm_packed_count(&g), ex_index(l->b, 0));
    gemm_loops(l, &g);
    st_end(l->b);
    transform_outputs(l, w, block, ex_index(l->b, 0));
    st_end(l->b);
    st_end(l->b);
}

/* Few tiles. */

static int64_t weight_step(const Winograd *w) { return w->panels * w->chunk * w->width + APART; }

/* A tap, as it is packed: [panel][channel][tap][column]; the last panel repeats the last column. */
static const Expr *tap_weight(Lower *l, const Gemm *g, const Buffer *source, const Expr *batch,
                              const Expr *const *k, const Expr *column) {
    (void)batch;
    const Winograd *w = g->context;
    const Storage *s = w->conv->weights;
    const Expr *flat = gemm_flat_k(l, g, k), *taps = ex_index(l->b, 9), *side = ex_index(l->b, 3);
    const Expr *tap = ex_rem(l->b, flat, taps);
    const Expr *last = ex_index(l->b, w->conv->out_channels - 1);
    const Expr *index = weight_index(l, w, ex_div(l->b, flat, taps), ex_min(l->b, column, last));
    index = ex_offset(l->b, ex_div(l->b, tap, side), s->stride[2], index);
    index = ex_offset(l->b, ex_rem(l->b, tap, side), s->stride[3], index);
    return ex_load(l->b, source, index);
}

static const Expr *load_tap(Lower *l, const Square *s, const Expr *i, const Expr *j,
                            const Expr *lane) {
    const Expr *tap = ex_offset(l->b, i, 3, j);
    const Expr *at = ex_offset(l->b, tap, s->winograd->width, lane);
    return ex_load(l->b, s->winograd->taps.b, ex_add(l->b, s->from, at));
}

static void store_weight(Lower *l, const Square *s, const Expr *i, const Expr *j, const Expr *lane,
                         const Expr *x) {
    const Expr *at = ex_offset(l->b, number_of(l, i, j), weight_step(s->winograd), lane);
    st_store(l->b, s->winograd->weights, ex_add(l->b, s->to, at), x);
}

/* A chunk of the panel at hand, `number` of all panels. */
static void transform_weights(Lower *l, const Winograd *w, const Expr *number) {
    Square s = {.winograd = w,
                .transform = &of_weights,
                .lanes = w->taps.lanes,
                .load = load_tap,
                .store = store_weight};
    const Expr *k = st_for_n(l->b, LOOP_SERIAL, "k", w->chunk);
    const Expr *vector = st_for_n(l->b, LOOP_SERIAL, "vector", w->width / s.lanes);
    const Expr *column = ex_offset(l->b, vector, s.lanes, ex_index(l->b, 0));
    const Expr *channel = ex_offset(l->b, w->chunk_at, w->chunk, k);
    channel = ex_offset(l->b, number, w->conv->in, channel);
    s.from = ex_offset(l->b, channel, 9 * w->width, column);
    s.to = ex_offset(l->b, ex_offset(l->b, w->panel, w->chunk, k), w->width, column);
    transform_square(l, &s);
    st_end(l->b);
    st_end(l->b);
}

static const Expr *chunk_row(Lower *l, const Gemm *g, const Expr *m) {
    const Winograd *w = g->context;
    return in_inputs(l, w, w->chunk_at, w->position, m, ex_index(l->b, 0));
}

static void add_product(Lower *l, const Gemm *g, const Expr *m, const Expr *column, const Expr *x) {
    const Winograd *w = g->context;
    st_acc(l->b, w->products, in_products(l, w, w->position, w->panel, m, column), x);
}

static void clear_products(Lower *l, const Winograd *w) {
    const Expr *vector = st_for_n(l->b, LOOP_SERIAL, "vector", w->products->count / w->lanes);
    const Expr *lane = st_for_n(l->b, LOOP_LANES, "l", w->lanes);
    st_store(l->b, w->products, ex_offset(l->b, vector, w->lanes, lane),
             ex_const(l->b, w->wide, 0));
    st_end(l->b);
    st_end(l->b);
}

/* A chunk after the other: its weights, then all products with them. */
static void add_chunks(Lower *l, Winograd *w, Gemm *g, const Expr *group) {
    w->chunk_at = st_for_n(l->b, LOOP_SERIAL, "chunk", w->conv->in / w->chunk);
    Part part = open_part(l, "panel", w->panels, group, w->all_panels);
    w->panel = part.at;
    transform_weights(l, w, part.whole);
    close_part(l, &part);
    w->position = st_for_n(l->b, LOOP_SERIAL, "position", POSITIONS);
    part = open_part(l, "panel", w->panels, group, w->all_panels);
    w->panel = part.at;
    const Expr *at = ex_offset(l->b, w->panel, w->chunk * w->width, ex_index(l->b, 0));
    g->b_offset = ex_offset(l->b, w->position, weight_step(w), at);
    gemm_loops(l, g);
    close_part(l, &part);
    st_end(l->b);
    st_end(l->b);
}

/* Rows of a register tile, so that as few as may be are computed in vain. */
static int few_rows(int64_t tiles, int most) {
    int best = most;
    for (int rows = most; rows > most / 2; rows--)
        if ((tiles + rows - 1) / rows * rows < (tiles + best - 1) / best * best) best = rows;
    return best;
}

/* Two threads share the groups of panels. */
static int64_t panels_of_group(int64_t panels) {
    int64_t groups = (panels + PANELS - 1) / PANELS;
    return groups % 2 && groups < FEW_BLOCKS ? 1 : PANELS;
}

/* How U, V and M are cut.  Sums run over a chunk, then over the chunks: that order must not depend
 * on the target. */
static void plan_few(Winograd *w, const Target *t) {
    const Conv *c = w->conv;
    w->block = w->tiles;
    w->tile_rows = few_rows(w->tiles, t->tile_rows);
    w->rows = (w->tiles + w->tile_rows - 1) / w->tile_rows * w->tile_rows;
    for (w->chunk = CHUNK; c->in % w->chunk;) w->chunk -= CHANNELS;
    while (w->chunk % w->lanes) w->lanes /= 2;
    w->width = (int64_t)t->tile_vectors * t->lanes;
    w->all_panels = (c->out_channels + w->width - 1) / w->width;
    w->panels = panels_of_group(w->all_panels);
}

static void pack_taps(Lower *l, Winograd *w) {
    const Conv *c = w->conv;
    w->taps = (Gemm){.node = c->node,
                     .wide = w->wide,
                     .rows = l->program->target->tile_rows,
                     .columns = w->all_panels * w->width,
                     .n_k = 2,
                     .k_extent = {c->in, 9},
                     .weight = tap_weight,
                     .context = w};
    gemm_plan(l, &w->taps);
    gemm_pack(l, &w->taps, 1, c->weights->buffer);
}

static Gemm few_product(Lower *l, Winograd *w) {
    Gemm g = {.node = w->conv->node,
              .wide = w->wide,
              .rows = w->rows,
              .columns = w->width,
              .n_k = 1,
              .k_extent = {w->chunk},
              .k_stride = {1},
              .a = w->inputs,
              .b = w->weights,
              .row = chunk_row,
              .row_step = w->chunk,
              .store = add_product,
              .context = w};
    gemm_plan(l, &g);
    g.tile_rows = w->tile_rows;
    return g;
}

static int64_t groups_of(const Winograd *w) { return (w->all_panels + w->panels - 1) / w->panels; }

static void multiply_few(Lower *l, Winograd *w) {
    Conv *c = w->conv;
    plan_few(w, l->program->target);
    pack_taps(l, w);
    lower_begin_kernel(l, c->node, NULL);
    c->n = st_for_n(l->b, LOOP_PARALLEL, "n", c->x->dims[0].size);
    w->inputs = st_scratch(l->b, "tiles", w->wide, c->in / w->chunk * POSITIONS * input_step(w));
    transform_inputs(l, w, ex_index(l->b, 0));
    const Expr *group = st_for_n(l->b, LOOP_PARALLEL, "columns", groups_of(w));
    w->weights = st_scratch(l->b, "weights", w->wide, POSITIONS * weight_step(w));
    w->products = st_scratch(l->b, "products", w->wide, POSITIONS * product_step(w));
    clear_products(l, w);
    Gemm g = few_product(l, w);
    add_chunks(l, w, &g, group);
    transform_outputs(l, w, ex_index(l->b, 0), group);
    st_end(l->b);
    st_end(l->b);
}

static Winograd winograd_of(Conv *c, const Target *t) {
    Winograd w = {.conv = c, .wide = DT_F32, .tiles_x = tiles_along(c, 1), .tiles = tiles_of(c)};
    for (w.lanes = t->lanes; c->in % w.lanes || c->out_channels % w.lanes;) w.lanes /= 2;
    return w;
}

void conv_winograd(Lower *l, Conv *c) {
    Winograd w = winograd_of(c, l->program->target);
    c->from = lower_storage(l, c->x);
    c->weights = lower_storage(l, c->w);
    if (lower_variant(l, c->node)->id == VARIANT_Conv_WINOGRAD_4_FEW)
        multiply_few(l, &w);
    else
        multiply_many(l, &w);
    builder_kernel(l->b)->macs = c->x->dims[0].size * w.tiles * POSITIONS * c->in * c->out_channels;
    lower_end_kernel(l);
}

/* What it does. */

bool winograd_applies(const Conv *c) {
    const Window *w = &c->window;
    for (int d = 0; d < c->axes; d++)
        if (w->kernel[d] != 3 || w->stride[d] != 1 || w->dilation[d] != 1) return false;
    return c->axes == 2 && c->groups == 1 && c->w->constant && lower_wide(c->x->dtype) == DT_F32 &&
           c->in % CHANNELS == 0 && c->out_channels % CHANNELS == 0 && value_count(c->out) &&
           value_count(c->w);
}

/* Multiplications and additions for a square. */
static double square_steps(const Transform *t) {
    int entries = 0;
    for (int i = 0; i < t->parts; i++)
        for (int j = 0; j < t->in; j++) entries += t->first[i][j] != 0;
    for (int i = 0; i < t->out; i++)
        for (int j = 0; j < t->parts; j++) entries += t->second[i][j] != 0;
    return (double)entries * (t->in + t->out);
}

/* The transforms of the maps, by vectors of lanes. */
static void add_transforms(const Winograd *w, Effort *effort) {
    const Conv *c = w->conv;
    double tiles = (double)(c->x->dims[0].size * w->tiles) / w->lanes;
    effort->n[COST_TRANSFORM] += tiles * ((double)c->in * square_steps(&of_inputs) +
                                          (double)c->out_channels * square_steps(&of_outputs));
}

bool effort_winograd_many(const Node *n, const Target *t, const Variant *v, Effort *effort) {
    Conv c = conv_of(n);
    if (!winograd_applies(&c)) return false;
    Winograd w = winograd_of(&c, t);
    plan_many(&w, t->tile_rows);
    int64_t blocks = (w.tiles + w.block - 1) / w.block;
    Gemm g = {
        .wide = w.wide, .rows = w.block, .columns = c.out_channels, .n_k = 1, .k_extent = {c.in}};
    gemm_effort(&g, t, v, c.x->dims[0].size * blocks * POSITIONS, POSITIONS, effort);
    effort->n[COST_MAP] +=
        (double)(c.x->dims[0].size * w.tiles * (c.in + c.out_channels) * POSITIONS * 4);
    effort->n[COST_ROOM] += (double)((POSITIONS - 9) * c.in * c.out_channels * 4);
    add_transforms(&w, effort);
    return true;
}

bool effort_winograd_few(const Node *n, const Target *t, const Variant *v, Effort *effort) {
    Conv c = conv_of(n);
    if (!winograd_applies(&c)) return false;
    Winograd w = winograd_of(&c, t);
    if (w.tiles > MOST_BYTES / (POSITIONS * 4 * c.in)) return false;
    plan_few(&w, t);
    Gemm g = {.wide = w.wide, .rows = w.rows, .columns = w.width, .n_k = 1, .k_extent = {w.chunk}};
    int64_t images = c.x->dims[0].size, maps = images * w.tiles * POSITIONS * 4;
    gemm_effort(&g, t, v, images * w.all_panels * (c.in / w.chunk) * POSITIONS, 0, effort);
    int64_t products =
        w.tiles * POSITIONS * 4 * w.panels * w.width; /* M, which all chunks add to */
    CostId kind = products > t->l2_bytes ? COST_SPREAD : COST_MAP;
    effort->n[kind] +=
        (double)(maps * (c.in * groups_of(&w) + c.out_channels)); /* U is read for each group */
    double weights = (double)(c.in * w.all_panels * w.width);
    effort->n[COST_WEIGHTS] += 9 * 4 * weights;
    effort->n[COST_TRANSFORM] += (double)images * weights / t->lanes * square_steps(&of_weights);
    add_transforms(&w, effort);
    return true;
}
