/* upsample_conv.c - UpsampleConv: a 2-D convolution of a map that is upsampled linearly first,
 * without making that map.
 *
 * Mixing channels commutes with interpolating: the products of every tap with the channels are
 * taken at low resolution, then interpolated (vertically, then horizontally) and added.  A 3x3
 * convolution after an upsampling by two so costs a quarter of the multiply-adds.  Exact over the
 * real numbers: the padding belongs to the upsampled map, so a tap that falls outside adds nothing,
 * and the bias is added once.
 *
 * Inputs: X [N,C,h,w], W [M,C,kh,kw], B [M] or absent, and for rows and columns of the upsampled
 * map the positions of its two sources and their weights ([size, 2] each, positions not
 * decreasing).  Stride 1, no dilation, one group.
 *
 *     for a block of output channels, for every output row
 *         new rows of products     ring[row % rows][x][tap][channel]: the matrix micro-kernel
 *         vertical                 line[x][kx][channel] from the rows that this output row needs
 *         horizontal               output[x][channel]
 */
#include "gemm.h"
#include "infer.h"
#include "nest.h"
#include "ops.h"

enum { X, W, B, SOURCE_Y, WEIGHT_Y, SOURCE_X, WEIGHT_X };
enum { LEAST_BLOCK = 16 }; /* of the variants; it is smaller where the channels ask for it */

typedef struct UpsampleConv {
    Node *node;
    const Value *x, *w, *bias, *out;
    int64_t batch, in_channels, channels, in_h, in_w, up_h, up_w, out_h, out_w, kh, kw, pad_y,
        pad_x;
    const Tensor *source[2], *weight[2]; /* by axis */
    int64_t block;                       /* output channels of a block */
    int64_t ring_rows;
    const Storage *from, *weights;
    const Expr *n, *number, *row; /* batch, channel block, low-resolution row at hand */
    Buffer *ring, *line;
    Buffer *row_at, *row_weight, *new_first, *new_count; /* tables by output row */
    Buffer *column_at, *column_weight;                   /* by output column */
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

/* Tables: for an output row, where each tap's two sources lie in the ring and their weights (0
 * outside the map); and which rows of products are new.  For an output column likewise, with
 * positions in the line. */

static Tensor *int_table(Lower *l, int64_t n) { return tensor_new(l->unit->arena, DT_I64, 1, &n); }

static void fill_taps(const UpsampleConv *c, int axis, int64_t outputs, int64_t taps, int64_t pad,
                      int64_t ring, int64_t step, Tensor *at, Tensor *weight) {
    const Tensor *source = c->source[axis], *given = c->weight[axis];
    for (int64_t i = 0; i < outputs * taps * 2; i++) {
        int64_t u = i / (taps * 2) + i / 2 % taps - pad, size = source->dims[0];
        bool outside = u < 0 || u >= size;
        int64_t nearest = u < 0 ? 0 : u >= size ? size - 1 : u;
        int64_t from = tensor_get_int(source, 2 * nearest + i % 2);
        double w = outside ? 0 : tensor_get_double(given, 2 * nearest + i % 2);
        ((int64_t *)(uintptr_t)at->data)[i] = from % ring * step;
        if (weight->dtype == DT_F64)
            ((double *)(uintptr_t)weight->data)[i] = w;
        else
            ((float *)(uintptr_t)weight->data)[i] = (float)w;
    }
}

/* Last low-resolution row that output row i needs, and the first. */
static int64_t needed_row(const UpsampleConv *c, int64_t i, bool last) {
    int64_t u = last ? i + c->kh - 1 - c->pad_y : i - c->pad_y;
    if (u >= c->up_h) u = c->up_h - 1;
    if (u < 0) u = 0;
    return tensor_get_int(c->source[0], 2 * u + last);
}

static void row_tables(Lower *l, UpsampleConv *c, DType wide) {
    int64_t taps = c->out_h * c->kh * 2, have = 0;
    Tensor *first = int_table(l, c->out_h), *count = int_table(l, c->out_h),
           *at = int_table(l, taps);
    Tensor *weight = tensor_new(l->unit->arena, wide, 1, &taps);
    for (int64_t i = 0; i < c->out_h; i++) {
        int64_t end = needed_row(c, i, true) + 1, rows = end - needed_row(c, i, false);
        ((int64_t *)(uintptr_t)first->data)[i] = have;
        ((int64_t *)(uintptr_t)count->data)[i] = end > have ? end - have : 0;
        if (end > have) have = end;
        if (rows > c->ring_rows) c->ring_rows = rows;
    }
    fill_taps(c, 0, c->out_h, c->kh, c->pad_y, c->ring_rows, c->in_w * c->kh * c->kw * c->block, at,
              weight);
    c->new_first = lower_constant(l, "new_first", first);
    c->new_count = lower_constant(l, "new_count", count);
    c->row_at = lower_constant(l, "row_at", at);
    c->row_weight = lower_constant(l, "row_weight", weight);
}

static void column_tables(Lower *l, UpsampleConv *c, DType wide) {
    int64_t taps = c->out_w * c->kw * 2;
    Tensor *at = int_table(l, taps), *weight = tensor_new(l->unit->arena, wide, 1, &taps);
    fill_taps(c, 1, c->out_w, c->kw, c->pad_x, c->in_w, c->kw * c->block, at, weight);
    c->column_at = lower_constant(l, "column_at", at);
    c->column_weight = lower_constant(l, "column_weight", weight);
}

/* A row of products. */

static const Expr *product_row(Lower *l, const Gemm *g, const Expr *m) {
    const UpsampleConv *c = g->context;
    const Storage *s = c->from;
    const Expr *index = ex_offset(l->b, c->n, s->stride[0], ex_index(l->b, s->offset));
    return ex_offset(l->b, m, s->stride[3], ex_offset(l->b, c->row, s->stride[2], index));
}

static void product_store(Lower *l, const Gemm *g, const Expr *m, const Expr *column,
                          const Expr *x) {
    const UpsampleConv *c = g->context;
    const Expr *slot = ex_rem(l->b, c->row, ex_index(l->b, c->ring_rows));
    const Expr *pixel = ex_offset(l->b, slot, c->in_w, m);
    st_store(l->b, c->ring, ex_offset(l->b, pixel, g->columns, column), x);
}

/* Column t * block + channel of a block is tap t of that channel. */
static const Expr *product_weight(Lower *l, const Gemm *g, const Buffer *source, const Expr *number,
                                  const Expr *const *k, const Expr *column) {
    const UpsampleConv *c = g->context;
    const Storage *s = c->weights;
    const Expr *block = ex_index(l->b, c->block), *kw = ex_index(l->b, c->kw),
               *in = gemm_flat_k(l, g, k);
    const Expr *tap = ex_div(l->b, column, block);
    const Expr *channel = ex_offset(l->b, number, c->block, ex_rem(l->b, column, block));
    const Expr *index = ex_offset(l->b, channel, s->stride[0], ex_index(l->b, s->offset));
    index = ex_offset(l->b, in, s->stride[1], index);
    index = ex_offset(l->b, ex_div(l->b, tap, kw), s->stride[2], index);
    return ex_load(l->b, source, ex_offset(l->b, ex_rem(l->b, tap, kw), s->stride[3], index));
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

static void vertical(Lower *l, const UpsampleConv *c, const Expr *y, DType wide) {
    const Expr *x = st_for_n(l->b, LOOP_PARALLEL, "x", c->in_w),
               *kx = st_for_n(l->b, LOOP_SERIAL, "kx", c->kw);
    const Expr *channel = open_channels(l, c);
    const Expr *start =
        ex_offset(l->b, x, c->kh * c->kw * c->block, ex_offset(l->b, kx, c->block, channel));
    const Expr *sum = weighted_sum(l, ex_const(l->b, wide, 0), c->ring, start, c->row_at,
                                   c->row_weight, y, c->kh, c->kw * c->block);
    const Expr *to = ex_offset(l->b, ex_offset(l->b, x, c->kw, kx), c->block, channel);
    st_store(l->b, c->line, to, sum);
    for (int i = 0; i < 4; i++) st_end(l->b);
}

static void horizontal(Lower *l, const UpsampleConv *c, const Expr *y, DType wide) {
    const Expr *x = st_for_n(l->b, LOOP_PARALLEL, "x", c->out_w);
    const Expr *in_block = open_channels(l, c);
    const Expr *index[4] = {c->n, ex_offset(l->b, c->number, c->block, in_block), y, x};
    const Expr *bias = c->bias ? lower_load_wide(l, c->bias, index + 1) : ex_const(l->b, wide, 0);
    lower_store(
        l, c->out, index,
        weighted_sum(l, bias, c->line, in_block, c->column_at, c->column_weight, x, c->kw, c->block));
    for (int i = 0; i < 3; i++) st_end(l->b);
}

static void output_row(Lower *l, UpsampleConv *c, const Gemm *g, const Expr *y) {
    const Expr *r = st_for(l->b, LOOP_SERIAL, "new", ex_load(l->b, c->new_count, y));
    const Expr *row = ex_add(l->b, ex_load(l->b, c->new_first, y), r);
    c->row = st_let(l->b, "row", ex_min(l->b, row, ex_index(l->b, c->in_h - 1)));
    gemm_loops(l, g);
    st_end(l->b);
    vertical(l, c, y, g->wide);
    horizontal(l, c, y, g->wide);
}

static int64_t multiply_adds(const UpsampleConv *c) {
    int64_t taps = c->kh * c->kw, products = c->in_h * c->in_w * c->in_channels * taps;
    int64_t interpolated = 2 * taps * c->out_h * c->in_w + 2 * c->kw * c->out_h * c->out_w;
    return c->batch * c->channels * (products + interpolated);
}

static void exchanged(Lower *l, UpsampleConv *c, DType wide) {
    Gemm g = {.node = c->node,
              .wide = wide,
              .rows = c->in_w,
              .columns = c->kh * c->kw * c->block,
              .n_k = 1,
              .k_extent = {c->in_channels},
              .k_stride = {1},
              .row = product_row,
              .store = product_store,
              .weight = product_weight,
              .context = c};
    int64_t blocks = c->channels / c->block;
    c->from = lower_storage(l, c->x);
    c->weights = lower_storage(l, c->w);
    g.a = c->from->buffer;
    g.row_step = c->from->stride[3];
    gemm_plan(l, &g);
    gemm_pack(l, &g, blocks, c->weights->buffer);
    row_tables(l, c, wide);
    column_tables(l, c, wide);
    lower_begin_kernel(l, c->node, NULL);
    c->n = st_for_n(l->b, LOOP_PARALLEL, "n", c->batch);
    c->number = st_for_n(l->b, LOOP_PARALLEL, "channels", blocks);
    c->ring = st_scratch(l->b, "ring", wide, c->ring_rows * c->in_w * g.columns);
    c->line = st_scratch(l->b, "line", wide, c->in_w * c->kw * c->block);
    g.b_offset = ex_offset(l->b, c->number, gemm_packed_count(&g), ex_index(l->b, 0));
    const Expr *y = st_for_n(l->b, LOOP_SERIAL, "y", c->out_h);
    output_row(l, c, &g, y);
    for (int i = 0; i < 3; i++) st_end(l->b);
    builder_kernel(l->b)->macs = multiply_adds(c);
    lower_end_kernel(l);
}

/* Output channels of a block: the variant's, or where these do not divide, the largest power of two that does. */
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

/* The interpolation costs the same with any block: what differs are the products, whose input is read for each block,
 * and the ring, which may leave the cache. */
bool effort_upsample_conv(const Node *n, const Target *t, const Variant *v, Effort *effort) {
    UpsampleConv c = upsample_conv_of((Node *)n);
    int64_t block = block_of(&c, v), taps = c.kh * c.kw;
    if (value_count(c.out) == 0 || c.in_channels == 0 || (block < v->block && v->block != LEAST_BLOCK)) return false;
    Gemm g = {.wide = lower_wide(c.x->dtype),
              .rows = c.in_w,
              .columns = taps * block,
              .n_k = 1,
              .k_extent = {c.in_channels}};
    int64_t blocks = c.channels / block, bytes = dtypes[g.wide].bytes, ring = 4 * c.in_w * g.columns * bytes;
    gemm_effort(&g, t, v, c.batch * blocks * c.in_h, blocks, effort);
    effort->n[COST_INTERPOLATE] += (double)(multiply_adds(&c) - c.batch * c.channels * c.in_h * c.in_w * c.in_channels * taps) / (double)g.lanes;
    effort->n[COST_MAP] += (double)(c.batch * blocks * c.in_h * c.in_w * c.in_channels * bytes);
    if (ring > 2 * t->l2_bytes) effort->n[COST_MAP] += (double)(c.batch * c.out_h * c.in_w * taps * c.channels * bytes);
    return true;
}
