/* deform_product.c - DeformConv as a gather and a matrix product.
 *
 * A block of output pixels at a time: for every pixel and tap the four neighbours and their weights
 * are found once for all channels of an offset group, and the weighted pixels, runs of channels,
 * are written side by side; then the micro-kernel multiplies the block with the weights.  What lies
 * outside the image has the weight 0 and any index inside.  Of a map with several branches each
 * neighbour is loaded once and weighted for every branch. */
#include "deform.h"
#include "gemm.h"
#include "nest.h"
#include "ops.h"
#include "pairs.h"
#include "window.h"

enum { LEAST_BLOCK = 24, CORNERS = 4 };

typedef struct Product {
    Node *node;
    const Value *x, *w, *offset, *mask, *bias, *out, *scale;
    Window window;
    int64_t in, columns, groups, offset_groups, channels, branches, taps, pixels,
        block; /* in, columns: of a group; channels: of a branch */
    bool pairs;
    int64_t width;      /* channels in an element of what is gathered: 2 of pairs, else 1 */
    const Expr *factor; /* of pairs, for the image at hand */
    const Storage *from, *weights;
    bool is_streamed;               /* gathered chunk by chunk */
    int64_t gathered_count;         /* elements of a pixel that are gathered at a time */
    Buffer *gathered;               /* [pixel][tap][channel], or [pixel][channel of the chunk] */
    Buffer *sums;                   /* of a block, where it is streamed */
    const Expr *block_pixels;       /* of the block at hand, where it is streamed; whole tiles */
    const Expr *n, *number, *group; /* image, block of pixels, weight group at hand */
    const Expr *begin;              /* in what is gathered, of the branch at hand */
} Product;

/* What a tap of a pixel is made from: where the neighbours begin, and their weights in each
 * branch. */
typedef struct Taken {
    const Expr *from[CORNERS], *weight[DEFORM_BRANCHES][CORNERS];
} Taken;

void need_deform_conv(const Lower *l, const Node *n, int input, InputNeed *need) {
    (void)l;
    (void)n;
    if (input == DEFORM_X) need->need = NEED_CHANNELS_LAST;
    if (input == DEFORM_W || input == DEFORM_SCALE) need->need = NEED_BUFFER;
}

/* Pixels of a block: as many as let `bytes` a pixel stay in the second-level cache with room to
 * spare, and of these numbers the one that wastes least; a block that goes beyond the map repeats
 * the last pixel. */
static int64_t block_of(Lower *l, int64_t pixels, int64_t bytes) {
    const Target *t = l->program->target;
    int64_t most = t->l2_bytes / 2 / bytes, best = 0, best_rows = 0;
    if (most < LEAST_BLOCK) most = LEAST_BLOCK;
    /* threads take a block each, where there are pixels enough */
    if (pixels <= most) return pixels < 4 * LEAST_BLOCK ? pixels : (pixels + 3) / 4;
    for (int64_t b = most; b >= LEAST_BLOCK && b > most / 2; b--) {
        int64_t tiles = (b + t->tile_rows - 1) / t->tile_rows;
        int64_t blocks = (pixels + b - 1) / b;
        if (blocks < FEW_BLOCKS) blocks += blocks % 2;
        int64_t rows = blocks * tiles * t->tile_rows;
        if (best && rows >= best_rows) continue;
        best = b;
        best_rows = rows;
    }
    return best;
}

/* Where a block is streamed: whole tiles of rows, so many that the sums of a block and what is
 * gathered of a chunk just stay in the second-level cache: the weights come through it once a
 * block. */
static int64_t streamed_block_of(Lower *l, const Gemm *g, int64_t pixels, int64_t bytes) {
    int64_t tiles = (pixels + g->tile_rows - 1) / g->tile_rows;
    int64_t most = l->program->target->l2_bytes / 5 * 4 / bytes / g->tile_rows;
    if (most < LEAST_BLOCK / g->tile_rows) most = LEAST_BLOCK / g->tile_rows;
    int64_t blocks = (tiles + most - 1) / most;
    if (blocks < FEW_BLOCKS && tiles > 1) blocks += blocks % 2;
    return (tiles + blocks - 1) / blocks * g->tile_rows;
}

static Product product_of(Node *n) {
    Product p = {.node = n,
                 .x = n->inputs[DEFORM_X],
                 .w = n->inputs[DEFORM_W],
                 .offset = n->inputs[DEFORM_OFFSET],
                 .out = n->outputs[0]};
    int64_t size[2] = {p.x->dims[2].size, p.x->dims[3].size},
            kernel[2] = {p.w->dims[2].size, p.w->dims[3].size};
    p.bias = node_has_input(n, DEFORM_BIAS) ? n->inputs[DEFORM_BIAS] : NULL;
    p.mask = node_has_input(n, DEFORM_MASK) ? n->inputs[DEFORM_MASK] : NULL;
    p.scale = node_has_input(n, DEFORM_SCALE) ? n->inputs[DEFORM_SCALE] : NULL;
    p.branches = deform_branches(n);
    p.pairs = deform_is_pairs(n);
    p.width = p.pairs ? 2 : 1;
    window_of(n, 2, size, kernel, &p.window);
    p.groups = node_int(n, "group");
    p.offset_groups = node_int(n, "offset_group");
    p.channels = p.x->dims[1].size;
    p.in = p.w->dims[1].size;
    p.columns = p.w->dims[0].size / p.groups;
    p.taps = kernel[0] * kernel[1];
    p.pixels = p.window.out[0] * p.window.out[1];
    return p;
}

/* Row and column of pixel m of the block. */
static void split_pixel(Lower *l, const Product *p, const Expr *m, const Expr **at) {
    const Expr *pixel = ex_offset(l->b, p->number, p->block, m);
    if (p->pixels % p->block) pixel = ex_min(l->b, pixel, ex_index(l->b, p->pixels - 1));
    index_split(l, pixel, 2, p->window.out, at);
}

/* The gather. */

/* Along one axis: the two neighbours, inside the image, and their weights. */
typedef struct Between {
    const Expr *at[2], *weight[2];
} Between;

static const Expr *inside_weight(Lower *l, const Expr *weight, const Expr *at, int64_t size) {
    DType t = weight->type;
    const Expr *in = ex_and(l->b, ex_le(l->b, ex_const(l->b, t, 0), at),
                            ex_le(l->b, at, ex_const(l->b, t, (double)(size - 1))));
    return ex_select(l->b, in, weight, ex_const(l->b, t, 0));
}

static Between between(Lower *l, const Expr *position, int64_t size) {
    DType t = position->type;
    const Expr *low = st_let(l->b, "low", math_floor(l->b, position)), *one = ex_const(l->b, t, 1);
    const Expr *part = ex_sub(l->b, position, low), *last = ex_const(l->b, t, (double)(size - 1));
    const Expr *at[2] = {low, ex_add(l->b, low, one)}, *weight[2] = {ex_sub(l->b, one, part), part};
    Between r;
    for (int i = 0; i < 2; i++) {
        const Expr *kept = ex_min(l->b, ex_max(l->b, at[i], ex_const(l->b, t, 0)), last);
        const Expr *index = ex_cast(l->b, DT_I64, kept);
        r.at[i] = ex_min(l->b, ex_max(l->b, index, ex_index(l->b, 0)), ex_index(l->b, size - 1));
        r.weight[i] = inside_weight(l, weight[i], at[i], size);
    }
    return r;
}

static const Expr *tap_position(Lower *l, const Product *p, int d, const Expr *o, const Expr *k,
                                const Expr *channel, const Expr *const *pixel) {
    const Window *w = &p->window;
    const Expr *grid = ex_offset(l->b, o, w->stride[d], ex_index(l->b, -w->pad_begin[d]));
    grid = ex_offset(l->b, k, w->dilation[d], grid);
    const Expr *index[4] = {p->n, ex_offset(l->b, channel, 2, ex_index(l->b, d)), pixel[0],
                            pixel[1]};
    const Expr *offset = lower_load_wide(l, p->offset, index);
    return ex_add(l->b, ex_cast(l->b, offset->type, grid), offset);
}

/* A branch's sample, from the neighbours. */
static const Expr *weighted(Lower *l, const Expr *const *weight, const Expr *const *x) {
    const Expr *sum = ex_mul(l->b, weight[0], x[0]);
    for (int i = 1; i < CORNERS; i++) sum = ex_fma(l->b, weight[i], x[i], sum);
    return sum;
}

static void load_corners(Lower *l, const Product *p, const Taken *t, const Expr *c,
                         const Expr **x) {
    for (int i = 0; i < CORNERS; i++) {
        const Expr *at = ex_add(l->b, t->from[i], c);
        x[i] = ex_cast(l->b, t->weight[0][i]->type, ex_load(l->b, p->from->buffer, at));
        if (p->branches > 1) x[i] = st_let(l->b, "x", x[i]);
    }
}

/* As gather_channels; samples are rounded and stored by two. */
static void gather_pairs(Lower *l, const Product *p, const Expr *to, int64_t step, const Taken *t,
                         int64_t count) {
    int64_t lanes = l->program->target->lanes < PAIR_BLOCK ? l->program->target->lanes : PAIR_BLOCK;
    double most = pair_most(p->node);
    const Expr *block = st_for_n(l->b, LOOP_SERIAL, "c", count / PAIR_BLOCK);
    const Expr *part = st_for_n(l->b, LOOP_UNROLL, "part", PAIR_BLOCK / lanes);
    const Expr *in_block = ex_offset(l->b, part, lanes, st_for_n(l->b, LOOP_LANES, "l", lanes));
    const Expr *x[2][CORNERS], *half[2];
    for (int h = 0; h < 2; h++) {
        const Expr *first = ex_offset(l->b, block, 2 * PAIR_BLOCK, ex_index(l->b, h * PAIR_BLOCK));
        load_corners(l, p, t, ex_add(l->b, first, in_block), x[h]);
    }
    for (int b = 0; b < p->branches; b++) {
        for (int h = 0; h < 2; h++)
            half[h] = pair_round(l, weighted(l, t->weight[b], x[h]), p->factor, most);
        const Expr *at =
            ex_add(l->b, to, ex_offset(l->b, block, PAIR_BLOCK, ex_index(l->b, b * step)));
        st_store(l->b, p->gathered, ex_add(l->b, at, in_block), pair_make(l, half[0], half[1]));
    }
    for (int i = 0; i < 3; i++) st_end(l->b);
}

/* One branch after the other, `step` apart, from the same loads; `count` elements of what is
 * gathered. */
static void gather_channels(Lower *l, const Product *p, const Expr *to, int64_t step,
                            const Taken *t, int64_t count) {
    int64_t lanes = l->program->target->lanes, whole = count / lanes, rest = count % lanes;
    if (p->pairs) {
        gather_pairs(l, p, to, step, t, count);
        return;
    }
    for (int part = 0; part < 2; part++) {
        if (part == 0 ? !whole : !rest) continue;
        const Expr *block = st_for_n(l->b, LOOP_SERIAL, "c", part ? rest : whole), *c = block;
        if (part == 0)
            c = ex_offset(l->b, block, lanes, st_for_n(l->b, LOOP_LANES, "l", lanes));
        else
            c = ex_add(l->b, block, ex_index(l->b, whole * lanes));
        const Expr *x[CORNERS];
        load_corners(l, p, t, c, x);
        for (int b = 0; b < p->branches; b++) {
            const Expr *at = ex_add(l->b, to, ex_index(l->b, b * step));
            st_store(l->b, p->gathered, ex_add(l->b, at, c), weighted(l, t->weight[b], x));
        }
        if (part == 0) st_end(l->b);
        st_end(l->b);
    }
}

/* A neighbour's weight in a branch. */
static const Expr *branch_weight(Lower *l, const Product *p, int branch, const Expr *weight,
                                 const Expr *row, const Expr *column) {
    if (!p->scale) return weight;
    const Expr *index[4] = {p->n, ex_index(l->b, branch), row, column};
    const Expr *scale = lower_load_wide(l, p->scale, index);
    return st_let(l->b, "weight", ex_mul(l->b, weight, scale));
}

/* Of one pixel, one tap and one offset group. */
static void find_corners(Lower *l, const Product *p, const Expr *m, const Expr *ky, const Expr *kx,
                         const Expr *group, Taken *t) {
    const Expr *pixel[2];
    int64_t count = p->channels / p->offset_groups;
    const Storage *s = p->from;
    split_pixel(l, p, m, pixel);
    const Expr *tap = ex_offset(l->b, ky, p->window.kernel[1], kx),
               *channel = ex_offset(l->b, group, p->taps, tap);
    Between y = between(l, tap_position(l, p, 0, pixel[0], ky, channel, pixel), p->x->dims[2].size);
    Between x = between(l, tap_position(l, p, 1, pixel[1], kx, channel, pixel), p->x->dims[3].size);
    const Expr *base = ex_offset(l->b, p->n, s->stride[0], ex_index(l->b, s->offset));
    base = ex_offset(l->b, group, count, base);
    const Expr *mask_index[4] = {p->n, channel, pixel[0], pixel[1]};
    const Expr *mask = p->mask ? lower_load_wide(l, p->mask, mask_index) : NULL;
    for (int i = 0; i < CORNERS; i++) {
        const Expr *w = ex_mul(l->b, y.weight[i / 2], x.weight[i % 2]);
        w = st_let(l->b, "weight", mask ? ex_mul(l->b, w, mask) : w);
        for (int b = 0; b < p->branches; b++)
            t->weight[b][i] = branch_weight(l, p, b, w, y.at[i / 2], x.at[i % 2]);
        t->from[i] = ex_offset(l->b, x.at[i % 2], s->stride[3],
                               ex_offset(l->b, y.at[i / 2], s->stride[2], base));
        t->from[i] = st_let(l->b, "corner", t->from[i]);
    }
}

/* One pixel, one tap, the channels of one offset group. */
static void gather_tap(Lower *l, const Product *p, const Expr *m, const Expr *ky, const Expr *kx,
                       const Expr *group) {
    Taken t;
    int64_t step = p->channels / p->width, count = step / p->offset_groups;
    find_corners(l, p, m, ky, kx, group, &t);
    const Expr *tap = ex_offset(l->b, ky, p->window.kernel[1], kx);
    const Expr *to =
        ex_offset(l->b, ex_offset(l->b, m, p->taps, tap), step * p->branches, ex_index(l->b, 0));
    gather_channels(l, p, ex_offset(l->b, group, count, to), step, &t, count);
}

static void gather_block(Lower *l, const Product *p) {
    const Expr *m = st_for_n(l->b, LOOP_SERIAL, "pixel", p->block);
    const Expr *ky = st_for_n(l->b, LOOP_SERIAL, "ky", p->window.kernel[0]);
    const Expr *kx = st_for_n(l->b, LOOP_SERIAL, "kx", p->window.kernel[1]);
    gather_tap(l, p, m, ky, kx, st_for_n(l->b, LOOP_SERIAL, "group", p->offset_groups));
    for (int i = 0; i < 4; i++) st_end(l->b);
}

/* Gathering chunk by chunk: the corners of a tap are found once for the block and kept. */

typedef struct Corners {
    Buffer *from, *weight; /* [pixel][corner], [pixel][branch][corner] */
} Corners;

static Corners corners_make(Lower *l, const Product *p, DType wide) {
    Corners c = {st_local(l->b, "corners", DT_I64, p->block * CORNERS, 0),
                 st_local(l->b, "weights", wide, p->block * p->branches * CORNERS, 0)};
    return c;
}

static const Expr *weight_at(Lower *l, const Product *p, const Expr *m, int branch, int corner) {
    return ex_offset(l->b, m, p->branches * CORNERS, ex_index(l->b, branch * CORNERS + corner));
}

static void keep_corners(Lower *l, const Product *p, const Corners *c, const Expr *ky,
                         const Expr *kx) {
    Taken t;
    const Expr *m = st_for(l->b, LOOP_PARALLEL, "pixel", p->block_pixels);
    find_corners(l, p, m, ky, kx, ex_index(l->b, 0), &t);
    for (int i = 0; i < CORNERS; i++) {
        if (!i || t.from[i]->lo < c->from->lo) c->from->lo = t.from[i]->lo;
        if (!i || t.from[i]->hi > c->from->hi) c->from->hi = t.from[i]->hi;
        c->from->ranged = true;
        st_store(l->b, c->from, ex_offset(l->b, m, CORNERS, ex_index(l->b, i)), t.from[i]);
        for (int b = 0; b < p->branches; b++)
            st_store(l->b, c->weight, weight_at(l, p, m, b, i), t.weight[b][i]);
    }
    st_end(l->b);
}

/* `count` elements of what is gathered, from channel `first` on, side by side; one branch after the
 * other. */
static void gather_chunk(Lower *l, const Product *p, const Corners *c, const Expr *first,
                         int64_t count) {
    Taken t;
    const Expr *m = st_for(l->b, LOOP_PARALLEL, "pixel", p->block_pixels);
    for (int i = 0; i < CORNERS; i++) {
        const Expr *from = ex_load(l->b, c->from, ex_offset(l->b, m, CORNERS, ex_index(l->b, i)));
        t.from[i] = st_let(l->b, "corner", ex_add(l->b, from, first));
        for (int b = 0; b < p->branches; b++) {
            const Expr *weight = ex_load(l->b, c->weight, weight_at(l, p, m, b, i));
            t.weight[b][i] = st_let(l->b, "weight", weight);
        }
    }
    const Expr *to = ex_offset(l->b, m, count, ex_index(l->b, 0));
    gather_channels(l, p, to, p->block * count, &t, count);
    st_end(l->b);
}

/* The last block has fewer tiles. */
static void count_tiles(Lower *l, Product *p, Gemm *g) {
    int64_t tiles = p->block / g->tile_rows, all = (p->pixels + g->tile_rows - 1) / g->tile_rows;
    const Expr *before = ex_offset(l->b, p->number, tiles, ex_index(l->b, 0));
    g->tiles = ex_min(l->b, ex_index(l->b, tiles), ex_sub(l->b, ex_index(l->b, all), before));
    g->tiles = st_let(l->b, "tiles", g->tiles);
    p->block_pixels = ex_offset(l->b, g->tiles, g->tile_rows, ex_index(l->b, 0));
}

static void stream_block(Lower *l, Product *p, Gemm *g) {
    int64_t count = g->k_extent[g->n_k - 1], chunks = p->in / p->width / p->branches / count;
    count_tiles(l, p, g);
    Corners corners = corners_make(l, p, g->wide);
    p->begin = ex_index(l->b, 0);
    gemm_sums_begin(l, g, p->sums);
    const Expr *ky = st_for_n(l->b, LOOP_SERIAL, "ky", p->window.kernel[0]);
    const Expr *kx = st_for_n(l->b, LOOP_SERIAL, "kx", p->window.kernel[1]);
    keep_corners(l, p, &corners, ky, kx);
    const Expr *chunk = st_for_n(l->b, LOOP_SERIAL, "chunk", chunks);
    const Expr *first = ex_offset(l->b, chunk, count * p->width, ex_index(l->b, 0));
    gather_chunk(l, p, &corners, ex_offset(l->b, p->group, p->in, first), count);
    const Expr *tap = ex_offset(l->b, ky, p->window.kernel[1], kx);
    const Expr *branch = st_for_n(l->b, LOOP_SERIAL, "branch", p->branches);
    p->begin = ex_offset(l->b, branch, p->block * count, ex_index(l->b, 0));
    tap = ex_offset(l->b, tap, p->branches, branch);
    gemm_sums_add(l, g, p->sums, ex_offset(l->b, tap, chunks, chunk));
    for (int i = 0; i < 4; i++) st_end(l->b);
    p->begin = ex_index(l->b, 0);
    gemm_sums_end(l, g, p->sums);
}

/* The product. */

static const Expr *chunk_row(Lower *l, const Gemm *g, const Expr *m) {
    const Product *p = g->context;
    return ex_offset(l->b, m, g->row_step, p->begin);
}

static const Expr *product_row(Lower *l, const Gemm *g, const Expr *m) {
    const Product *p = g->context;
    return ex_offset(l->b, m, p->taps * p->channels / p->width * p->branches,
                     ex_offset(l->b, p->group, p->in / p->width, ex_index(l->b, 0)));
}

static const Expr *product_start(Lower *l, const Gemm *g, const Expr *column) {
    const Product *p = g->context;
    const Expr *index[1] = {ex_offset(l->b, p->group, p->columns, column)};
    return lower_load_wide(l, p->bias, index);
}

static void product_store(Lower *l, const Gemm *g, const Expr *m, const Expr *column,
                          const Expr *x) {
    const Product *p = g->context;
    const Expr *index[4] = {p->n, ex_offset(l->b, p->group, p->columns, column)};
    split_pixel(l, p, m, index + 2);
    lower_store(l, p->out, index, p->pairs ? deform_pair_result(l, p->node, index, x) : x);
}

static const Expr *product_weight(Lower *l, const Gemm *g, const Buffer *source, const Expr *group,
                                  const Expr *const *k, const Expr *column) {
    const Product *p = g->context;
    const Storage *s = p->weights;
    const Expr *flat = gemm_flat_k(l, g, k), *in = ex_index(l->b, p->in / p->width),
               *kw = ex_index(l->b, p->window.kernel[1]);
    const Expr *tap = ex_div(l->b, flat, in), *channel = ex_offset(l->b, group, p->columns, column);
    const Expr *index = ex_offset(l->b, channel, s->stride[0], ex_index(l->b, s->offset));
    index = ex_offset(l->b, ex_div(l->b, tap, kw), s->stride[2], index);
    index = ex_offset(l->b, ex_rem(l->b, tap, kw), s->stride[3], index);
    if (p->pairs) return pair_weight(l, source, index, s->stride[1], p->in, ex_rem(l->b, flat, in));
    return ex_load(l->b, source, ex_offset(l->b, ex_rem(l->b, flat, in), s->stride[1], index));
}

/* Chooses between gathering a block's taps and channels all at once and, where they are many and
 * share their offsets, chunk by chunk: what is gathered then stays in cache while all columns use
 * it. */
static void plan_block(Lower *l, Product *p, Gemm *g) {
    int64_t bytes = dtypes[g->wide].bytes, count = p->taps * p->channels / p->width * p->branches;
    g->rows = p->pixels;
    gemm_plan(l, g);
    p->is_streamed = g->n_outer > 0 && g->n_outer == g->n_k - 1 && p->offset_groups == 1;
    if (p->is_streamed) {
        g->row = chunk_row;
        g->row_step = g->k_extent[g->n_k - 1];
        count = g->row_step * p->branches;
    }
    p->gathered_count = count;
    if (p->is_streamed)
        p->block = streamed_block_of(l, g, p->pixels, bytes * (g->row_step + p->columns));
    else
        p->block = block_of(l, p->pixels, bytes * count);
    g->rows = p->block;
}

void deform_product(Lower *l, Node *n) {
    Product p = product_of(n);
    Gemm g = {.node = n,
              .wide = lower_wide(p.x->dtype),
              .pairs = p.pairs,
              .columns = p.columns,
              .n_k = 2,
              .k_extent = {p.taps, p.in / p.width},
              .k_stride = {p.channels / p.width * p.branches, 1},
              .row = product_row,
              .row_step = p.taps * p.channels / p.width * p.branches,
              .start = p.bias && !p.pairs ? product_start : NULL,
              .store = product_store,
              .weight = product_weight,
              .context = &p};
    if (p.branches > 1) { /* a chunk is of one branch */
        g.k_extent[1] = p.branches;
        g.k_stride[1] = p.channels / p.width;
        g.k_extent[g.n_k] = p.channels / p.width;
        g.k_stride[g.n_k++] = 1;
    }
    p.from = lower_storage(l, p.x);
    p.weights = lower_storage(l, p.w);
    plan_block(l, &p, &g);
    gemm_pack(l, &g, p.groups, p.weights->buffer);
    lower_begin_kernel(l, n, NULL);
    p.n = st_for_n(l->b, LOOP_PARALLEL, "n", p.x->dims[0].size);
    if (p.pairs)
        p.factor =
            st_let(l->b, "factor", pair_factor(l, n->inputs[DEFORM_LIMIT], p.n, pair_most(n)));
    p.number = st_for_n(l->b, LOOP_PARALLEL, "block", (p.pixels + p.block - 1) / p.block);
    p.gathered =
        st_scratch(l->b, "gathered", p.pairs ? DT_I32 : g.wide, p.block * p.gathered_count);
    g.a = p.gathered;
    if (p.is_streamed)
        p.sums = st_scratch(l->b, "sums", g.wide, gemm_sums_count(&g));
    else
        gather_block(l, &p);
    p.group = st_for_n(l->b, p.is_streamed ? LOOP_SERIAL : LOOP_PARALLEL, "group", p.groups);
    g.b_offset = ex_offset(l->b, p.group, gemm_packed_count(&g), ex_index(l->b, 0));
    if (p.is_streamed)
        stream_block(l, &p, &g);
    else
        gemm_loops(l, &g);
    for (int i = 0; i < 3; i++) st_end(l->b);
    builder_kernel(l->b)->macs =
        p.x->dims[0].size * p.pixels * p.taps * p.in * p.columns * p.groups;
    lower_end_kernel(l);
}
