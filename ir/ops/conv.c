/* conv.c - Conv (ONNX Conv-11): shapes, the plain definition, and the implicit matrix product.
 *
 * The product reads the channels-last, zero-bordered input in place: row m of A is an output pixel,
 * k runs over the taps and the input channels, and columns are output channels.  Padding costs
 * nothing: it is the input's halo. */
#include "conv.h"
#include "infer.h"
#include "nest.h"
#include "ops.h"
#include "pairs.h"

#include <string.h>

enum { JOINED_RUN = 384 };

/* Shapes. */

static bool conv_channels(Infer *f, Node *n, const int64_t *x, const int64_t *w, int rank) {
    int64_t group = node_int(n, "group");
    if (group < 1)
        return infer_fail_attr(f, n, "group", "is %lld, must be at least 1", (long long)group);
    if (w[0] % group)
        return infer_fail_attr(f, n, "group", "%lld does not divide the %lld output channels",
                               (long long)group, (long long)w[0]);
    if (x[1] != w[1] * group)
        return infer_fail(
            f, n, D_SHAPE,
            arena_format(f->unit->arena,
                         "the input has %lld channels, the weights take %lld in %lld groups",
                         (long long)x[1], (long long)(w[1] * group), (long long)group));
    int64_t bias[MAX_RANK];
    if (node_has_input(n, 2) && infer_dims(f, n, 2, bias) != 1)
        return infer_fail(f, n, D_SHAPE, "the bias must have rank 1");
    if (node_has_input(n, 2) && bias[0] != w[0])
        return infer_fail(f, n, D_SHAPE, "the bias must have one element an output channel");
    (void)rank;
    return true;
}

bool infer_conv(Infer *f, Node *n) {
    int64_t x[MAX_RANK], w[MAX_RANK], out[MAX_RANK];
    int rank = infer_dims(f, n, 0, x), w_rank = infer_dims(f, n, 1, w);
    if (rank < 0 || w_rank < 0) return false;
    if (rank < 3 || rank > 2 + WINDOW_AXES || w_rank != rank)
        return infer_fail(f, n, D_SHAPE, "input and weights must have the same rank, 3 to 5");
    if (!dtype_is_float(n->inputs[0]->dtype) || n->inputs[1]->dtype != n->inputs[0]->dtype)
        return infer_fail(f, n, D_DTYPE, "input and weights must be of one float type");
    Window window;
    if (!conv_channels(f, n, x, w, rank) || !window_infer(f, n, rank - 2, x + 2, w + 2, &window))
        return false;
    out[0] = x[0];
    out[1] = w[0];
    for (int d = 0; d < rank - 2; d++) out[d + 2] = window.out[d];
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, out);
    return true;
}

/* Geometry, as the loops want it. */

Conv conv_of(const Node *n) {
    Conv c = {.node = (Node *)n, .x = n->inputs[0], .w = n->inputs[1], .out = n->outputs[0]};
    int64_t size[WINDOW_AXES], kernel[WINDOW_AXES];
    c.bias = node_has_input(n, 2) ? n->inputs[2] : NULL;
    c.axes = c.x->rank - 2;
    c.groups = node_int(n, "group");
    c.in = c.w->dims[1].size;
    c.out_channels = c.w->dims[0].size / c.groups;
    for (int d = 0; d < c.axes; d++) {
        size[d] = c.x->dims[d + 2].size;
        kernel[d] = c.w->dims[d + 2].size;
    }
    window_of(n, c.axes, size, kernel, &c.window);
    return c;
}

static bool is_winograd(const Variant *v) {
    return v && (v->id == VARIANT_Conv_WINOGRAD_4 || v->id == VARIANT_Conv_WINOGRAD_4_FEW);
}

void conv_need_map(const Conv *c, bool tiled, InputNeed *need) {
    need->need = NEED_CHANNELS_LAST;
    for (int d = 0; d < c->axes; d++) {
        const Window *w = &c->window;
        int64_t outputs = tiled ? winograd_outputs(c, d) : w->out[d];
        int64_t last =
            (outputs - 1) * w->stride[d] + (w->kernel[d] - 1) * w->dilation[d] - w->pad_begin[d];
        int64_t beyond = last - (c->x->dims[d + 2].size - 1);
        need->halo_begin[d] = w->pad_begin[d];
        need->halo_end[d] = beyond > 0 ? beyond : 0;
    }
}

void need_conv(const Lower *l, const Node *n, int input, InputNeed *need) {
    const Variant *v = lower_variant(l, n);
    if (input == 2) return;
    need->need = NEED_BUFFER;
    if (input == 1) return;
    Conv c = conv_of(n);
    if (v && v->id == VARIANT_Conv_SUM) {
        *need = (InputNeed){.need = NEED_ELEMENTS, .readings = 1};
        return;
    }
    conv_need_map(&c, is_winograd(v), need);
}

const Expr *conv_bias(Lower *l, const Conv *c, const Expr *channel, DType wide) {
    const Expr *index[1] = {channel};
    return c->bias ? lower_load_wide(l, c->bias, index) : ex_const(l->b, wide, 0);
}

/* The definition: every output element, every channel of its group, every tap inside the input. */

static const Expr *tap_position(Lower *l, const Conv *c, int d, const Expr *o, const Expr *k) {
    const Window *w = &c->window;
    return ex_offset(l->b, o, w->stride[d],
                     ex_offset(l->b, k, w->dilation[d], ex_index(l->b, -w->pad_begin[d])));
}

static void plain_taps(Lower *l, const Conv *c, const Expr *const *o, const Expr *group,
                       Buffer *acc) {
    const Expr *x[MAX_RANK] = {o[0]}, *w[MAX_RANK] = {o[1]}, *inside = ex_bool(l->b, true);
    w[1] = st_for_n(l->b, LOOP_SERIAL, "channel", c->in);
    x[1] = ex_offset(l->b, group, c->in, w[1]);
    for (int d = 0; d < c->axes; d++) {
        w[d + 2] = st_for_n(l->b, LOOP_SERIAL, "k", c->window.kernel[d]);
        x[d + 2] = tap_position(l, c, d, o[d + 2], w[d + 2]);
        inside = ex_and(l->b, inside, index_inside(l, x[d + 2], c->x->dims[d + 2].size));
    }
    st_if(l->b, inside);
    st_acc_mul(l->b, acc, ex_index(l->b, 0), lower_load_wide(l, c->x, x),
               lower_load_wide(l, c->w, w));
    st_end(l->b);
    for (int d = 0; d <= c->axes; d++) st_end(l->b);
}

static void conv_plain(Lower *l, const Conv *c) {
    DType wide = lower_wide(c->x->dtype);
    lower_begin_kernel(l, c->node, NULL);
    const Expr *o[MAX_RANK];
    for (int d = 0; d < c->out->rank; d++)
        o[d] = st_for_n(l->b, LOOP_SERIAL, "o", c->out->dims[d].size);
    const Expr *group = ex_div(l->b, o[1], ex_index(l->b, c->out_channels));
    Buffer *acc = st_local(l->b, "acc", wide, 1, 0);
    st_store(l->b, acc, ex_index(l->b, 0), conv_bias(l, c, o[1], wide));
    plain_taps(l, c, o, group, acc);
    lower_store(l, c->out, o, ex_load(l->b, acc, ex_index(l->b, 0)));
    for (int d = 0; d < c->out->rank; d++) st_end(l->b);
    lower_end_kernel(l);
}

/* The implicit matrix product. */

static const Expr *conv_row(Lower *l, const Gemm *g, const Expr *m) {
    const Conv *c = g->context;
    const Expr *o[WINDOW_AXES], *index = ex_index(l->b, c->from->offset);
    index_split(l, m, c->axes, c->window.out, o);
    index = ex_offset(l->b, c->n, c->from->stride[0], index);
    index = ex_offset(l->b, c->group, c->in, index);
    for (int d = 0; d < c->axes; d++) {
        int64_t step = c->from->stride[d + 2];
        index = ex_offset(l->b, o[d], c->window.stride[d] * step,
                          ex_add(l->b, index, ex_index(l->b, -c->window.pad_begin[d] * step)));
    }
    return index;
}

static const Expr *conv_start(Lower *l, const Gemm *g, const Expr *column) {
    const Conv *c = g->context;
    return conv_bias(l, c, ex_offset(l->b, c->group, c->out_channels, column), g->wide);
}

static void conv_store(Lower *l, const Gemm *g, const Expr *m, const Expr *column, const Expr *x) {
    const Conv *c = g->context;
    const Expr *index[MAX_RANK] = {c->n, ex_offset(l->b, c->group, c->out_channels, column)};
    index_split(l, m, c->axes, c->window.out, index + 2);
    lower_store(l, c->out, index, x);
}

static void add_k(Gemm *g, int64_t extent, int64_t stride) {
    if (extent == 1) return;
    g->k_extent[g->n_k] = extent;
    g->k_stride[g->n_k++] = stride;
}

/* The last axis' taps and the channels are one run where neighbouring pixels are neighbours in
 * memory; worth it for short runs only. */
static bool joins_last_axis(const Conv *c, int64_t longest) {
    int d = c->axes - 1;
    return c->window.dilation[d] == 1 && c->from->stride[d + 2] == c->in &&
           c->in * c->window.kernel[d] <= longest;
}

static void add_k_loops(const Conv *c, Gemm *g) {
    int last = c->axes - 1;
    bool joined = joins_last_axis(c, g->pairs ? PAIR_CHUNK : JOINED_RUN);
    for (int d = 0; d < c->axes - joined; d++)
        add_k(g, c->window.kernel[d], c->window.dilation[d] * c->from->stride[d + 2]);
    add_k(g, joined ? c->in * c->window.kernel[last] : c->in, 1);
    if (!g->n_k) {
        g->k_extent[0] = 1;
        g->n_k = 1;
    }
}

/* Tap and channel from the k loops, as the model numbers its weights. */
static const Expr *conv_weight(Lower *l, const Gemm *g, const Buffer *source, const Expr *group,
                               const Expr *const *k, const Expr *column) {
    const Conv *c = g->context;
    const Storage *s = c->weights;
    const Expr *flat = gemm_flat_k(l, g, k), *in = ex_index(l->b, c->in), *tap[WINDOW_AXES];
    const Expr *index =
        ex_offset(l->b, ex_rem(l->b, flat, in), s->stride[1], ex_index(l->b, s->offset));
    index_split(l, ex_div(l->b, flat, in), c->axes, c->window.kernel, tap);
    for (int d = c->axes - 1; d >= 0; d--) index = ex_offset(l->b, tap[d], s->stride[d + 2], index);
    const Expr *channel = ex_offset(l->b, group, c->out_channels, column);
    return ex_load(l->b, source, ex_offset(l->b, channel, s->stride[0], index));
}

/* Distance of neighbouring output pixels in the input, where it is the same for all pixels of a
 * tile; else 0. */
static int64_t row_step(const Conv *c, const Gemm *g) {
    int last = c->axes - 1;
    int64_t step = c->window.stride[last] * c->from->stride[last + 2],
            span = step * c->window.out[last];
    if (c->window.out[last] % g->tile_rows == 0) return step;
    for (int d = last - 1; d >= 0; d--) {
        if (c->window.stride[d] * c->from->stride[d + 2] != span) return 0;
        span *= c->window.out[d];
    }
    return step;
}

void conv_plan_product(Lower *l, Conv *c, Gemm *g) {
    c->from = lower_storage(l, c->x);
    c->weights = lower_storage(l, c->w);
    g->a = c->from->buffer;
    g->row = conv_row;
    g->rows = 1;
    for (int d = 0; d < c->axes; d++) g->rows *= c->window.out[d];
    add_k_loops(c, g);
    gemm_plan(l, g);
    g->row_step = row_step(c, g);
    gemm_pack(l, g, c->groups, c->weights->buffer);
}

static void conv_product(Lower *l, Conv *c) {
    Gemm g = {.node = c->node,
              .wide = lower_wide(c->x->dtype),
              .columns = c->out_channels,
              .start = c->bias ? conv_start : NULL,
              .store = conv_store,
              .weight = conv_weight,
              .context = c};
    conv_plan_product(l, c, &g);
    lower_begin_kernel(l, c->node, NULL);
    c->n = st_for_n(l->b, LOOP_PARALLEL, "n", c->x->dims[0].size);
    c->group = st_for_n(l->b, LOOP_PARALLEL, "group", c->groups);
    g.b_offset = ex_offset(l->b, c->group, gemm_packed_count(&g), ex_index(l->b, 0));
    gemm_loops(l, &g);
    builder_kernel(l->b)->macs *= c->x->dims[0].size * c->groups;
    st_end(l->b);
    st_end(l->b);
    lower_end_kernel(l);
}

/* A weighted sum: lanes over the input channels, their partial sums joined in order. */

enum { PARTIAL_SUMS = 8 };

static void sum_channels(Lower *l, const Conv *c, const Expr **x, const Expr *first, int64_t lanes,
                         Buffer *acc) {
    DType wide = lower_wide(c->x->dtype);
    const Expr *w[MAX_RANK];
    const Expr *lane = st_for_n(l->b, lanes > 1 ? LOOP_LANES : LOOP_SERIAL, "l", lanes);
    w[1] = x[1] = ex_add(l->b, first, lane);
    for (int d = 0; d < c->axes; d++) w[d + 2] = ex_index(l->b, 0);
    const Expr *value = st_let(l->b, "x", lower_load_wide(l, c->x, x));
    for (int64_t o = 0; o < c->out_channels; o++) {
        w[0] = ex_index(l->b, o);
        st_acc_mul(l->b, acc, ex_offset(l->b, w[0], lanes, lane), value,
                   ex_cast(l->b, wide, lower_load_wide(l, c->w, w)));
    }
    st_end(l->b);
}

static Buffer *clear_sums(Lower *l, const Conv *c, const char *name, int64_t lanes) {
    DType wide = lower_wide(c->x->dtype);
    bool vectors = lanes > 1;
    Buffer *acc = st_local(l->b, name, wide, c->out_channels * lanes, vectors ? (int)lanes : 0);
    const Expr *o = st_for_n(l->b, LOOP_UNROLL, "o", c->out_channels);
    const Expr *lane = st_for_n(l->b, vectors ? LOOP_LANES : LOOP_SERIAL, "l", lanes);
    st_store(l->b, acc, ex_offset(l->b, o, lanes, lane), ex_const(l->b, wide, 0));
    st_end(l->b);
    st_end(l->b);
    return acc;
}

static void sum_pixel(Lower *l, const Conv *c, const Expr **x) {
    DType wide = lower_wide(c->x->dtype);
    /* as many on every target: the order of a sum does not depend on the machine */
    int64_t lanes = PARTIAL_SUMS, blocks = c->in / lanes, rest = c->in % lanes;
    const Expr *o[MAX_RANK];
    Buffer *acc = clear_sums(l, c, "acc", lanes);
    const Expr *block = st_for_n(l->b, LOOP_SERIAL, "block", blocks);
    sum_channels(l, c, x, ex_offset(l->b, block, lanes, ex_index(l->b, 0)), lanes, acc);
    st_end(l->b);
    Buffer *tail = rest ? clear_sums(l, c, "tail", 1) : NULL;
    if (rest) {
        const Expr *r = st_for_n(l->b, LOOP_SERIAL, "r", rest);
        sum_channels(l, c, x, ex_add(l->b, r, ex_index(l->b, blocks * lanes)), 1, tail);
        st_end(l->b);
    }
    Buffer *sums = st_local(l->b, "sums", wide, c->out_channels * lanes, 0);
    const Expr *each = st_for_n(l->b, LOOP_UNROLL, "o", c->out_channels);
    const Expr *lane = st_for_n(l->b, LOOP_LANES, "l", lanes);
    const Expr *at = ex_offset(l->b, each, lanes, lane);
    st_store(l->b, sums, at, ex_load(l->b, acc, at));
    st_end(l->b);
    st_end(l->b);
    memcpy(o, x, sizeof o);
    o[1] = st_for_n(l->b, LOOP_SERIAL, "o", c->out_channels);
    const Expr *sum = conv_bias(l, c, o[1], wide);
    if (tail) sum = ex_add(l->b, sum, ex_load(l->b, tail, o[1]));
    for (int64_t i = 0; i < lanes; i++)
        sum =
            ex_add(l->b, sum, ex_load(l->b, sums, ex_offset(l->b, o[1], lanes, ex_index(l->b, i))));
    lower_store(l, c->out, o, sum);
    st_end(l->b);
}

static void conv_weighted_sum(Lower *l, const Conv *c) {
    const Expr *x[MAX_RANK];
    lower_begin_kernel(l, c->node, NULL);
    x[0] = st_for_n(l->b, LOOP_PARALLEL, "n", c->x->dims[0].size);
    for (int d = 0; d < c->axes; d++)
        x[d + 2] = st_for_n(l->b, LOOP_PARALLEL, d == c->axes - 1 ? "x" : "y", c->window.out[d]);
    sum_pixel(l, c, x);
    builder_kernel(l->b)->macs = value_count(c->x) * c->out_channels;
    for (int d = 0; d <= c->axes; d++) st_end(l->b);
    lower_end_kernel(l);
}

void code_conv(Lower *l, Node *n) {
    const Variant *v = lower_variant(l, n);
    Conv c = conv_of(n);
    if (!v)
        conv_plain(l, &c);
    else if (v->id == VARIANT_Conv_SUM)
        conv_weighted_sum(l, &c);
    else if (v->id == VARIANT_Conv_DEPTHWISE)
        conv_depthwise(l, &c);
    else if (is_winograd(v))
        conv_winograd(l, &c);
    else
        conv_product(l, &c);
}
