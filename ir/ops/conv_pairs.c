/* conv_pairs.c - PairConv: a convolution of a map that PackPairs rounded, with weights that are
 * rounded, too.
 *
 * Sums of products are exact, in i32 over parts that are too short to overflow and in floats over
 * these; the result is sum * scale[output] * limit[image] + bias[output].  Inputs: the map [N,
 * pairs, ..], W [O, channels, taps..] of i16, scale [O] (that of the weights, with the map's
 * largest number taken in), limit, and the bias or none. */
#include "conv.h"
#include "infer.h"
#include "nest.h"
#include "ops.h"
#include "pairs.h"

enum { Q, W, SCALE, LIMIT, BIAS };

/* `conv` comes first: callbacks of conv.c take it for the whole. */
typedef struct PairConv {
    Conv conv;
    const Value *scale, *limit;
    int64_t channels;
    const Expr *image_scale;
} PairConv;

bool infer_pair_conv(Infer *f, Node *n) {
    int64_t x[MAX_RANK], w[MAX_RANK], bias[MAX_RANK];
    int rank = infer_dims(f, n, Q, x), w_rank = infer_dims(f, n, W, w);
    Window window;
    if (rank < 0 || w_rank < 0) return false;
    if (rank < 3 || rank > 2 + WINDOW_AXES || w_rank != rank)
        return infer_fail(f, n, D_SHAPE, "input and weights must have the same rank, 3 to 5");
    if (n->inputs[Q]->dtype != DT_I32)
        return infer_fail(f, n, D_DTYPE, "the map must be of pairs, of type i32");
    if (!pair_infer_limit(f, n, LIMIT, rank, x[0]) || !pair_infer_weights(f, n, W, SCALE))
        return false;
    if (node_int(n, "group") != 1 || x[1] != pair_count(w[1]))
        return infer_fail(f, n, D_SHAPE, "the weights are not for so many pairs, in one group");
    if (node_has_input(n, BIAS) && (infer_dims(f, n, BIAS, bias) != 1 || bias[0] != w[0]))
        return infer_fail(f, n, D_SHAPE, "the bias must have one element an output channel");
    if (!window_infer(f, n, rank - 2, x + 2, w + 2, &window)) return false;
    x[1] = w[0];
    for (int d = 0; d < rank - 2; d++) x[d + 2] = window.out[d];
    infer_set(f, n, 0, n->inputs[SCALE]->dtype, rank, x);
    return true;
}

static PairConv pair_conv_of(const Node *n) {
    PairConv p = {.conv = conv_of(n), .scale = n->inputs[SCALE], .limit = n->inputs[LIMIT]};
    p.conv.bias = node_has_input(n, BIAS) ? n->inputs[BIAS] : NULL;
    p.channels = p.conv.in;
    p.conv.in = pair_count(p.channels);
    return p;
}

void need_pair_conv(const Lower *l, const Node *n, int input, InputNeed *need) {
    (void)l;
    PairConv p = pair_conv_of(n);
    if (input == Q) conv_need_map(&p.conv, false, need);
    if (input == W) need->need = NEED_BUFFER;
}

static void store_sum(Lower *l, const PairConv *p, const Expr *const *index, const Expr *sum) {
    const Expr *channel[1] = {index[1]};
    const Expr *scale = ex_mul(l->b, lower_load_wide(l, p->scale, channel), p->image_scale);
    const Expr *bias = conv_bias(l, &p->conv, index[1], scale->type);
    lower_store(l, p->conv.out, index, ex_fma(l->b, sum, scale, bias));
}

/* The product. */

static void product_store(Lower *l, const Gemm *g, const Expr *m, const Expr *column,
                          const Expr *x) {
    const PairConv *p = g->context;
    const Expr *index[MAX_RANK] = {p->conv.n, column};
    index_split(l, m, p->conv.axes, p->conv.window.out, index + 2);
    store_sum(l, p, index, x);
}

static const Expr *product_weight(Lower *l, const Gemm *g, const Buffer *source, const Expr *batch,
                                  const Expr *const *k, const Expr *column) {
    const PairConv *p = g->context;
    const Storage *s = p->conv.weights;
    const Expr *flat = gemm_flat_k(l, g, k), *pairs = ex_index(l->b, p->conv.in), *tap[WINDOW_AXES];
    const Expr *index = ex_offset(l->b, column, s->stride[0], ex_index(l->b, s->offset));
    (void)batch;
    index_split(l, ex_div(l->b, flat, pairs), p->conv.axes, p->conv.window.kernel, tap);
    for (int d = 0; d < p->conv.axes; d++) index = ex_offset(l->b, tap[d], s->stride[d + 2], index);
    return pair_weight(l, source, index, s->stride[1], p->channels, ex_rem(l->b, flat, pairs));
}

static void pair_product(Lower *l, PairConv *p) {
    Conv *c = &p->conv;
    Gemm g = {.node = c->node,
              .wide = lower_wide(p->scale->dtype),
              .pairs = true,
              .columns = c->out_channels,
              .store = product_store,
              .weight = product_weight,
              .context = p};
    conv_plan_product(l, c, &g);
    lower_begin_kernel(l, c->node, NULL);
    c->n = st_for_n(l->b, LOOP_PARALLEL, "n", c->x->dims[0].size);
    c->group = g.b_offset = ex_index(l->b, 0);
    p->image_scale = st_let(l->b, "limit", pair_limit(l, p->limit, c->n));
    gemm_loops(l, &g);
    builder_kernel(l->b)->macs *= 2 * c->x->dims[0].size;
    st_end(l->b);
    lower_end_kernel(l);
}

/* The definition: all pairs of all taps inside the map, in i64. */

static void plain_taps(Lower *l, const PairConv *p, const Expr *const *o, Buffer *acc) {
    const Conv *c = &p->conv;
    const Expr *x[MAX_RANK] = {o[0]}, *w[MAX_RANK] = {o[1]}, *inside = ex_bool(l->b, true),
               *half[2];
    x[1] = st_for_n(l->b, LOOP_SERIAL, "pair", c->in);
    for (int d = 0; d < c->axes; d++) {
        const Window *of = &c->window;
        w[d + 2] = st_for_n(l->b, LOOP_SERIAL, "k", of->kernel[d]);
        x[d + 2] = ex_offset(l->b, w[d + 2], of->dilation[d], ex_index(l->b, -of->pad_begin[d]));
        x[d + 2] = ex_offset(l->b, o[d + 2], of->stride[d], x[d + 2]);
        inside = ex_and(l->b, inside, index_inside(l, x[d + 2], dim_of(c->x, d + 2)));
    }
    for (int i = 0; i < 2; i++) {
        const Expr *channel = pair_channel(l, p->channels, x[1], i);
        w[1] = index_clamp(l, channel, p->channels);
        half[i] = ex_cast(l->b, DT_I32, lower_load(l, c->w, w));
        half[i] = ex_select(l->b, index_inside(l, channel, p->channels), half[i],
                            ex_int(l->b, DT_I32, 0));
    }
    st_if(l->b, inside);
    const Expr *weights = pair_make(l, half[0], half[1]), *zero = ex_int(l->b, DT_I32, 0);
    const Expr *product = ex_scalar(l->b, SC_DOT2, lower_load(l, c->x, x), weights, zero);
    st_acc(l->b, acc, ex_index(l->b, 0), ex_cast(l->b, DT_I64, product));
    st_end(l->b);
    for (int d = 0; d <= c->axes; d++) st_end(l->b);
}

static void pair_plain(Lower *l, PairConv *p) {
    const Value *out = p->conv.out;
    const Expr *o[MAX_RANK], *zero = ex_index(l->b, 0);
    lower_begin_kernel(l, p->conv.node, NULL);
    for (int d = 0; d < out->rank; d++) o[d] = st_for_n(l->b, LOOP_SERIAL, "o", dim_of(out, d));
    p->image_scale = pair_limit(l, p->limit, o[0]);
    Buffer *acc = st_local(l->b, "acc", DT_I64, 1, 0);
    st_store(l->b, acc, zero, ex_int(l->b, DT_I64, 0));
    plain_taps(l, p, o, acc);
    store_sum(l, p, o, ex_cast(l->b, lower_wide(p->scale->dtype), ex_load(l->b, acc, zero)));
    for (int d = 0; d < out->rank; d++) st_end(l->b);
    lower_end_kernel(l);
}

void code_pair_conv(Lower *l, Node *n) {
    PairConv p = pair_conv_of(n);
    if (lower_is_plain(l) || value_count(p.conv.out) == 0 || value_count(p.conv.w) == 0)
        pair_plain(l, &p);
    else
        pair_product(l, &p);
}
