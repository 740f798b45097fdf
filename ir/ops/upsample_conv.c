/* upsample_conv.c - UpsampleConv: a 2-D convolution of a map that is upsampled linearly first,
 * without making that map.
 *
 * Mixing channels commutes with interpolating: the products of every tap with the channels are
 * taken at low resolution, then interpolated (horizontally, then vertically) and added.  A 3x3
 * convolution after an upsampling by two so costs a quarter of the multiply-adds.  Exact over the
 * real numbers: the padding belongs to the upsampled map, so a tap that falls outside adds nothing,
 * and the bias is added once.
 *
 * Inputs: X [N,C,h,w], W [M,C,kh,kw], B [M] or absent, and for rows and columns of the upsampled
 * map the positions of its two sources and their weights ([size, 2] each, positions not
 * decreasing).  Stride 1, no dilation, one group.
 *
 *     for a block of output channels, for a strip of output columns, for every output row
 *         new rows, for every ky  products[x][kx][channel]: the matrix micro-kernel
 *             horizontal          ring[row % rows][ky][output x][channel]
 *         vertical                output[x][channel] from the rows that this output row needs
 *
 * Blocks and strips are so small that weights, ring and products stay in the second-level cache.
 */
#include "gemm.h"
#include "infer.h"
#include "nest.h"
#include "ops.h"

enum { X, W, B, SOURCE_Y, WEIGHT_Y, SOURCE_X, WEIGHT_X };
enum {
    LEAST_BLOCK = 16, /* of the variants; it is smaller where the channels ask for it */
    LEAST_WIDTH = 32  /* of a strip */
};

typedef struct UpsampleConv {
    Node *node;
    const Value *x, *w, *bias, *out;
    int64_t batch, in_channels, channels, in_h, in_w, up_h, up_w, out_h, out_w, kh, kw, pad_y,
        pad_x;
    const Tensor *source[2], *weight[2]; /* by axis */
    int64_t block;                       /* output channels of a block */
    int64_t strips, width, span;         /* of output columns; their width; input columns of one */
    int64_t ring_rows;
    const Storage *from, *weights;
    const Expr *n, *number, *strip; /* image, channel block and strip at hand */
    const Expr *first, *row;        /* first input column of the strip; input row at hand */
    Buffer *ring, *products;
    Buffer *row_at, *row_weight, *new_first, *new_count; /* tables by output row */
    Buffer *column_at, *column_weight;                   /* by output column */
    Buffer *strip_first;                                 /* by strip: its first input column */
} UpsampleConv;

static bool check_table(Infer *f, Node *n, int k, DType t) {
    const Tensor *table = infer_constant(n, k);
    bool fits = table && table->dtype == t && table->rank == 2 && table->dims[1] == 2;
    return fits || infer_fail(f, n, D_SHAPE,
                              "a table of sources or weights is not a constant of two columns");
}

static bool check_sources(Infer *f, Node *n, int k, int64_t size) {
    const Tensor *t = n->inputs[k]->constant;
    for (int64_t i = 0; i < t->count; i++) {
        int64_t at = tensor_get_int(t, i);
        if (at < 0 || at >= size || (i >= 2 && at < tensor_get_int(t, i - 2)))
            return infer_fail(f, n, D_SHAPE, "the sources are outside the input or decrease");
    }
    return true;
}

bool infer_upsample_conv(Infer *f, Node *n) {
    int64_t x[MAX_RANK], w[MAX_RANK], bias[MAX_RANK];
    if (infer_dims(f, n, X, x) != 4 || infer_dims(f, n, W, w) != 4 || x[1] != w[1])
        return infer_fail(f, n, D_SHAPE, "input and weights do not fit each other");
    if (node_has_input(n, B) && (infer_dims(f, n, B, bias) != 1 || bias[0] != w[0]))
        return infer_fail(f, n, D_SHAPE, "the bias must have one element an output channel");
    DType wide = lower_wide(n->inputs[X]->dtype);
    if (!check_table(f, n, SOURCE_Y, DT_I64) || !check_table(f, n, WEIGHT_Y, wide) ||
        !check_table(f, n, SOURCE_X, DT_I64) || !check_table(f, n, WEIGHT_X, wide) ||
        !check_sources(f, n, SOURCE_Y, x[2]) || !check_sources(f, n, SOURCE_X, x[3]))
        return false;
    int count;
    const int64_t *pads = node_ints(n, "pads", &count);
    if (count != 4) return infer_fail_attr(f, n, "pads", "must have 4 entries");
    int64_t out[4] = {x[0], w[0],
                      n->inputs[SOURCE_Y]->constant->dims[0] + pads[0] + pads[2] - w[2] + 1,
                      n->inputs[SOURCE_X]->constant->dims[0] + pads[1] + pads[3] - w[3] + 1};
    if (out[2] < 1 || out[3] < 1)
        return infer_fail(f, n, D_SHAPE, "the window is larger than the map");
    infer_set(f, n, 0, n->inputs[X]->dtype, 4, out);
    return true;
}

void need_upsample_conv(const Lower *l, const Node *n, int input, InputNeed *need) {
    (void)l;
    (void)n;
    if (input == X) need->need = NEED_CHANNELS_LAST;
    if (input == W) need->need = NEED_BUFFER;
}

static UpsampleConv upsample_conv_of(Node *n) {
    UpsampleConv c = {.node = n, .x = n->inputs[X], .w = n->inputs[W], .out = n->outputs[0]};
    c.bias = node_has_input(n, B) ? n->inputs[B] : NULL;
    for (int a = 0; a < 2; a++) {
        c.source[a] = n->inputs[SOURCE_Y + 2 * a]->constant;
        c.weight[a] = n->inputs[WEIGHT_Y + 2 * a]->constant;
    }
    const int64_t *pads = node_ints(n, "pads", &(int){0});
    c.batch = c.x->dims[0].size, c.in_channels = c.x->dims[1].size;
    c.in_h = c.x->dims[2].size, c.in_w = c.x->dims[3].size;
    c.channels = c.w->dims[0].size, c.kh = c.w->dims[2].size, c.kw = c.w->dims[3].size;
    c.up_h = c.source[0]->dims[0], c.up_w = c.source[1]->dims[0];
    c.out_h = c.out->dims[2].size, c.out_w = c.out->dims[3].size;
    c.pad_y = pads[0], c.pad_x = pads[1];
    return c;
}

/* The definition: every tap inside the upsampled map, every channel, the four sources of the tap's
 * position. */

static const Expr *table_element(Lower *l, const Value *table, const Expr *row, int column) {
    const Expr *index[2] = {row, ex_index(l->b, column)};
    return lower_load(l, table, index);
}

static const Expr *upsampled(Lower *l, const UpsampleConv *c, const Expr **x, const Expr *v,
                             const Expr *u) {
    Value **in = c->node->inputs;
    const Expr *sum = NULL;
    for (int i = 0; i < 4; i++) {
        x[2] = table_element(l, in[SOURCE_Y], v, i / 2);
        x[3] = table_element(l, in[SOURCE_X], u, i % 2);
        const Expr *weight = ex_mul(l->b, table_element(l, in[WEIGHT_Y], v, i / 2),
                                    table_element(l, in[WEIGHT_X], u, i % 2));
        const Expr *part = ex_mul(l->b, weight, lower_load_wide(l, c->x, x));
        sum = sum ? ex_add(l->b, sum, part) : part;
    }
    return sum;
}

static void plain_loops(Lower *l, const UpsampleConv *c, DType wide) {
    const Expr *o[4], *x[4], *w[4], *zero = ex_index(l->b, 0);
    for (int d = 0; d < 4; d++) o[d] = st_for_n(l->b, LOOP_SERIAL, "o", c->out->dims[d].size);
    Buffer *acc = st_local(l->b, "acc", wide, 1, 0);
    st_store(l->b, acc, zero,
             c->bias ? lower_load_wide(l, c->bias, o + 1) : ex_const(l->b, wide, 0));
    w[0] = o[1], x[0] = o[0];
    w[1] = x[1] = st_for_n(l->b, LOOP_SERIAL, "channel", c->in_channels);
    w[2] = st_for_n(l->b, LOOP_SERIAL, "ky", c->kh);
    w[3] = st_for_n(l->b, LOOP_SERIAL, "kx", c->kw);
    const Expr *v = ex_add(l->b, ex_add(l->b, o[2], w[2]), ex_index(l->b, -c->pad_y));
    const Expr *u = ex_add(l->b, ex_add(l->b, o[3], w[3]), ex_index(l->b, -c->pad_x));
    st_if(l->b, ex_and(l->b, index_inside(l, v, c->up_h), index_inside(l, u, c->up_w)));
    st_acc_mul(l->b, acc, zero, upsampled(l, c, x, v, u), lower_load_wide(l, c->w, w));
    for (int i = 0; i < 4; i++) st_end(l->b);
    lower_store(l, c->out, o, ex_load(l->b, acc, zero));
    for (int d = 0; d < 4; d++) st_end(l->b);
}

/* What an output row or column needs: the first of its sources, the last. */
static int64_t needed(const UpsampleConv *c, int axis, int64_t i, bool last) {
    int64_t size = axis ? c->up_w : c->up_h;
    int64_t u = i - (axis ? c->pad_x : c->pad_y) + (last ? (axis ? c->kw : c->kh) - 1 : 0);
    if (u >= size) u = size - 1;
    if (u < 0) u = 0;
    return tensor_get_int(c->source[axis], 2 * u + last);
}

/* Strips. */

static int64_t span_of(const UpsampleConv *c, int64_t strips) {
    int64_t span = 1, width = c->out_w / strips;
    for (int64_t s = 0; s < strips; s++) {
        int64_t n = needed(c, 1, s * width + width - 1, true) - needed(c, 1, s * width, false) + 1;
        if (n > span) span = n;
    }
    return span;
}

/* What is used again and again while a strip is made: the weights of a block, the ring, an input
 * row and its products. */
static int64_t bytes_of(const UpsampleConv *c, int64_t strips, int64_t element) {
    int64_t span = span_of(c, strips), taps = c->kh * c->kw;
    int64_t ring = c->ring_rows * c->kh * (c->out_w / strips) * c->block;
    int64_t weights = taps * c->block * c->in_channels;
    return element * (weights + ring + span * (c->kw * c->block + c->in_channels));
}

/* Of the numbers of strips that fit into the cache, the one that wastes the least on their seams
 * and on tiles of rows; if none does, the greatest. */
static void plan_strips(Lower *l, UpsampleConv *c, DType wide) {
    const Target *t = l->program->target;
    int64_t best_rows = INT64_MAX;
    for (int64_t strips = 1; strips == 1 || c->out_w / strips >= LEAST_WIDTH; strips++) {
        if (c->out_w % strips) continue;
        int64_t span = span_of(c, strips);
        int64_t rows = (span + t->tile_rows - 1) / t->tile_rows * strips;
        bool fits = !t->l2_bytes || bytes_of(c, strips, dtypes[wide].bytes) <= t->l2_bytes / 4 * 3;
        if (fits && rows >= best_rows) continue;
        if (fits) best_rows = rows;
        if (fits || best_rows == INT64_MAX) c->strips = strips;
    }
    c->width = c->out_w / c->strips;
    c->span = span_of(c, c->strips);
}

/* Tables: for an output row, where each tap's two sources lie in the ring and their weights (0
 * outside the map); and which input rows are new.  For an output column likewise, with positions in
 * the products of its strip. */

static Tensor *int_table(Lower *l, int64_t n) { return tensor_new(l->unit->arena, DT_I64, 1, &n); }

static int64_t *ints_of(Tensor *t) { return (int64_t *)(uintptr_t)t->data; }

/* First input column of a strip, so that all strips are equally wide. */
static int64_t first_of_strip(const UpsampleConv *c, int64_t strip) {
    int64_t first = needed(c, 1, strip * c->width, false);
    return first < c->in_w - c->span ? first : c->in_w - c->span;
}

static void fill_taps(const UpsampleConv *c, int axis, Tensor *at, Tensor *weight) {
    const Tensor *source = c->source[axis], *given = c->weight[axis];
    int64_t taps = axis ? c->kw : c->kh, pad = axis ? c->pad_x : c->pad_y, size = source->dims[0];
    for (int64_t i = 0; i < at->count; i++) {
        int64_t output = i / (taps * 2), u = output + i / 2 % taps - pad;
        bool outside = u < 0 || u >= size;
        int64_t nearest = u < 0 ? 0 : u >= size ? size - 1 : u;
        int64_t from = tensor_get_int(source, 2 * nearest + i % 2);
        double w = outside ? 0 : tensor_get_double(given, 2 * nearest + i % 2);
        if (axis)
            ints_of(at)[i] = (from - first_of_strip(c, output / c->width)) * c->kw * c->block;
        else
            ints_of(at)[i] = from % c->ring_rows * c->kh * c->width * c->block;
        if (weight->dtype == DT_F64)
            ((double *)(uintptr_t)weight->data)[i] = w;
        else
            ((float *)(uintptr_t)weight->data)[i] = (float)w;
    }
}

static int64_t ring_rows_of(const UpsampleConv *c) {
    int64_t most = 1;
    for (int64_t i = 0; i < c->out_h; i++) {
        int64_t rows = needed(c, 0, i, true) - needed(c, 0, i, false) + 1;
        if (rows > most) most = rows;
    }
    return most;
}

static void row_tables(Lower *l, UpsampleConv *c, DType wide) {
    int64_t taps = c->out_h * c->kh * 2, have = 0;
    Tensor *first = int_table(l, c->out_h), *count = int_table(l, c->out_h),
           *at = int_table(l, taps);
    Tensor *weight = tensor_new(l->unit->arena, wide, 1, &taps);
    for (int64_t i = 0; i < c->out_h; i++) {
        int64_t end = needed(c, 0, i, true) + 1;
        ints_of(first)[i] = have;
        ints_of(count)[i] = end > have ? end - have : 0;
        if (end > have) have = end;
    }
    fill_taps(c, 0, at, weight);
    c->new_first = lower_constant(l, "new_first", first);
    c->new_count = lower_constant(l, "new_count", count);
    c->row_at = lower_constant(l, "row_at", at);
    c->row_weight = lower_constant(l, "row_weight", weight);
}

static void column_tables(Lower *l, UpsampleConv *c, DType wide) {
    int64_t taps = c->out_w * c->kw * 2;
    Tensor *at = int_table(l, taps), *weight = tensor_new(l->unit->arena, wide, 1, &taps);
    Tensor *first = int_table(l, c->strips);
    for (int64_t s = 0; s < c->strips; s++) ints_of(first)[s] = first_of_strip(c, s);
    fill_taps(c, 1, at, weight);
    c->column_at = lower_constant(l, "column_at", at);
    c->column_weight = lower_constant(l, "column_weight", weight);
    c->strip_first = lower_constant(l, "strip_first", first);
}

/* Products of a row of a strip, for one ky. */

static const Expr *product_row(Lower *l, const Gemm *g, const Expr *m) {
    const UpsampleConv *c = g->context;
    const Storage *s = c->from;
    const Expr *index = ex_offset(l->b, c->n, s->stride[0], ex_index(l->b, s->offset));
    index = ex_offset(l->b, c->row, s->stride[2], index);
    return ex_offset(l->b, ex_add(l->b, c->first, m), s->stride[3], index);
}

static void product_store(Lower *l, const Gemm *g, const Expr *m, const Expr *column,
                          const Expr *x) {
    const UpsampleConv *c = g->context;
    st_store(l->b, c->products, ex_offset(l->b, m, g->columns, column), x);
}

/* Batch: channel block and ky; column kx * block + channel of it. */
static const Expr *product_weight(Lower *l, const Gemm *g, const Buffer *source, const Expr *batch,
                                  const Expr *const *k, const Expr *column) {
    const UpsampleConv *c = g->context;
    const Storage *s = c->weights;
    const Expr *block = ex_index(l->b, c->block), *kh = ex_index(l->b, c->kh),
               *in = gemm_flat_k(l, g, k);
    const Expr *channel =
        ex_offset(l->b, ex_div(l->b, batch, kh), c->block, ex_rem(l->b, column, block));
    const Expr *index = ex_offset(l->b, channel, s->stride[0], ex_index(l->b, s->offset));
    index = ex_offset(l->b, in, s->stride[1], index);
    index = ex_offset(l->b, ex_rem(l->b, batch, kh), s->stride[2], index);
    return ex_load(l->b, source, ex_offset(l->b, ex_div(l->b, column, block), s->stride[3], index));
}

/* Interpolation: sums of table-weighted loads, lanes over the channels of the block. */

static const Expr *weighted_sum(Lower *l, const Expr *sum, const Buffer *from, const Expr *start,
                                const Buffer *at, const Buffer *weight, const Expr *row,
                                int64_t taps, int64_t tap_step) {
    for (int64_t t = 0; t < taps * 2; t++) {
        const Expr *entry = ex_offset(l->b, row, taps * 2, ex_index(l->b, t));
        const Expr *index =
            ex_add(l->b, ex_load(l->b, at, entry), ex_index(l->b, t / 2 * tap_step));
        const Expr *x = ex_load(l->b, from, ex_add(l->b, start, index));
        sum = ex_fma(l->b, ex_load(l->b, weight, entry), x, sum);
    }
    return sum;
}

static const Expr *open_channels(Lower *l, const UpsampleConv *c) {
    int64_t lanes = l->program->target->lanes < c->block ? l->program->target->lanes : c->block;
    const Expr *vector = st_for_n(l->b, LOOP_SERIAL, "vector", c->block / lanes);
    const Expr *lane = st_for_n(l->b, lanes > 1 ? LOOP_LANES : LOOP_SERIAL, "l", lanes);
    return ex_offset(l->b, vector, lanes, lane);
}

static void horizontal(Lower *l, const UpsampleConv *c, const Expr *ky, DType wide) {
    const Expr *slot = ex_rem(l->b, c->row, ex_index(l->b, c->ring_rows));
    const Expr *line = ex_offset(l->b, slot, c->kh, ky);
    const Expr *x = st_for_n(l->b, LOOP_PARALLEL, "x", c->width);
    const Expr *channel = open_channels(l, c);
    const Expr *column = ex_offset(l->b, c->strip, c->width, x);
    const Expr *sum = weighted_sum(l, ex_const(l->b, wide, 0), c->products, channel, c->column_at,
                                   c->column_weight, column, c->kw, c->block);
    const Expr *to = ex_offset(l->b, ex_offset(l->b, line, c->width, x), c->block, channel);
    st_store(l->b, c->ring, to, sum);
    for (int i = 0; i < 3; i++) st_end(l->b);
}

static void vertical(Lower *l, const UpsampleConv *c, const Expr *y, DType wide) {
    const Expr *x = st_for_n(l->b, LOOP_PARALLEL, "x", c->width);
    const Expr *in_block = open_channels(l, c);
    const Expr *index[4] = {c->n, ex_offset(l->b, c->number, c->block, in_block), y,
                            ex_offset(l->b, c->strip, c->width, x)};
    const Expr *bias = c->bias ? lower_load_wide(l, c->bias, index + 1) : ex_const(l->b, wide, 0);
    const Expr *start = ex_offset(l->b, x, c->block, in_block);
    lower_store(l, c->out, index,
                weighted_sum(l, bias, c->ring, start, c->row_at, c->row_weight, y, c->kh,
                             c->width * c->block));
    for (int i = 0; i < 3; i++) st_end(l->b);
}

/* The strip's next input row comes while this one is used: a part of it for every ky. */
static void ask_for_next_row(Lower *l, const UpsampleConv *c, Gemm *g, const Expr *ky) {
    const Storage *s = c->from;
    const Expr *next =
        ex_min(l->b, ex_add(l->b, c->row, ex_index(l->b, 1)), ex_index(l->b, c->in_h - 1));
    const Expr *at = ex_offset(l->b, c->n, s->stride[0], ex_index(l->b, s->offset));
    at = ex_offset(l->b, next, s->stride[2], ex_offset(l->b, c->first, s->stride[3], at));
    g->soon_count = (c->span * s->stride[3] + c->kh - 1) / c->kh;
    g->soon = st_let(l->b, "soon", ex_offset(l->b, ky, g->soon_count, at));
}

static void output_row(Lower *l, UpsampleConv *c, Gemm *g, const Expr *y) {
    const Expr *r = st_for(l->b, LOOP_SERIAL, "new", ex_load(l->b, c->new_count, y));
    const Expr *row = ex_add(l->b, ex_load(l->b, c->new_first, y), r);
    c->row = st_let(l->b, "row", ex_min(l->b, row, ex_index(l->b, c->in_h - 1)));
    const Expr *ky = st_for_n(l->b, LOOP_SERIAL, "ky", c->kh);
    const Expr *batch = ex_offset(l->b, c->number, c->kh, ky);
    g->b_offset = ex_offset(l->b, batch, gemm_packed_count(g), ex_index(l->b, 0));
    ask_for_next_row(l, c, g, ky);
    gemm_loops(l, g);
    horizontal(l, c, ky, g->wide);
    st_end(l->b);
    st_end(l->b);
    vertical(l, c, y, g->wide);
}

static int64_t multiply_adds(const UpsampleConv *c) {
    int64_t taps = c->kh * c->kw, products = c->in_h * c->in_w * c->in_channels * taps;
    int64_t interpolated = 2 * taps * c->in_h * c->out_w + 2 * c->kh * c->out_h * c->out_w;
    return c->batch * c->channels * (products + interpolated);
}

static void open_part(Lower *l, UpsampleConv *c) {
    int64_t parts[3] = {c->batch, c->channels / c->block, c->strips};
    const Expr *part = st_for_n(l->b, LOOP_PARALLEL, "part", parts[0] * parts[1] * parts[2]);
    const Expr *at[3];
    index_split(l, part, 3, parts, at);
    c->n = at[0], c->number = at[1], c->strip = at[2];
    c->first = st_let(l->b, "first", ex_load(l->b, c->strip_first, c->strip));
}

static void exchanged(Lower *l, UpsampleConv *c, DType wide) {
    Gemm g = {.node = c->node,
              .wide = wide,
              .columns = c->kw * c->block,
              .n_k = 1,
              .k_extent = {c->in_channels},
              .k_stride = {1},
              .row = product_row,
              .store = product_store,
              .weight = product_weight,
              .context = c};
    c->ring_rows = ring_rows_of(c);
    plan_strips(l, c, wide);
    c->from = lower_storage(l, c->x);
    c->weights = lower_storage(l, c->w);
    g.rows = c->span;
    g.a = c->from->buffer;
    g.row_step = c->from->stride[3];
    gemm_plan(l, &g);
    gemm_pack(l, &g, c->channels / c->block * c->kh, c->weights->buffer);
    row_tables(l, c, wide);
    column_tables(l, c, wide);
    lower_begin_kernel(l, c->node, NULL);
    open_part(l, c);
    c->ring = st_scratch(l->b, "ring", wide, c->ring_rows * c->kh * c->width * c->block);
    c->products = st_scratch(l->b, "products", wide, c->span * g.columns);
    const Expr *y = st_for_n(l->b, LOOP_SERIAL, "y", c->out_h);
    output_row(l, c, &g, y);
    st_end(l->b);
    st_end(l->b);
    builder_kernel(l->b)->macs = multiply_adds(c);
    lower_end_kernel(l);
}

/* Output channels of a block: the variant's, or where these do not divide, the largest power of two
 * that does. */
static int64_t block_of(const UpsampleConv *c, const Variant *v) {
    int64_t block = v->block;
    while (block > 1 && c->channels % block) block /= 2;
    return block;
}

void code_upsample_conv(Lower *l, Node *n) {
    const Variant *v = lower_variant(l, n);
    UpsampleConv c = upsample_conv_of(n);
    DType wide = lower_wide(c.x->dtype);
    if (!v) {
        lower_begin_kernel(l, n, NULL);
        plain_loops(l, &c, wide);
        lower_end_kernel(l);
        return;
    }
    c.block = block_of(&c, v);
    exchanged(l, &c, wide);
}

/* The interpolation costs the same with any block: what differs are the products, whose input is
 * read for each block. */
bool effort_upsample_conv(const Node *n, const Target *t, const Variant *v, Effort *effort) {
    UpsampleConv c = upsample_conv_of((Node *)n);
    int64_t block = block_of(&c, v);
    bool fits = block == v->block || v->block == LEAST_BLOCK;
    if (value_count(c.out) == 0 || c.in_channels == 0 || !fits) return false;
    Gemm g = {.wide = lower_wide(c.x->dtype),
              .rows = c.in_w,
              .columns = c.kw * block,
              .n_k = 1,
              .k_extent = {c.in_channels}};
    int64_t blocks = c.channels / block, map = c.batch * c.in_h * c.in_w * c.in_channels;
    int64_t interpolated = multiply_adds(&c) - map * c.channels * c.kh * c.kw;
    gemm_effort(&g, t, v, c.batch * blocks * c.kh * c.in_h, blocks * c.kh, effort);
    effort->n[COST_INTERPOLATE] += (double)interpolated / g.lanes;
    effort->n[COST_MAP] += (double)(blocks * map * dtypes[g.wide].bytes);
    return true;
}
