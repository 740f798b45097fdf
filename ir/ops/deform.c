/* deform.c - DeformConv (ONNX DeformConv-22), two spatial axes; BranchDeformConv, of a map that is
 * scaled twice.
 *
 * PairDeformConv rounds what it samples (pairs.h) and multiplies it with rounded weights, of one
 * group and offset group.
 *
 * A tap lies at o * stride - pad + k * dilation + offset; there the image, extended by zeros, is
 * sampled bilinearly. Offset channels are [offset group][tap][row, column], mask channels [offset
 * group][tap]. */
#include "deform.h"
#include "nest.h"
#include "ops.h"
#include "pairs.h"
#include "window.h"

enum { X = DEFORM_X, W = DEFORM_W, OFFSET = DEFORM_OFFSET, BIAS = DEFORM_BIAS, MASK = DEFORM_MASK };

typedef struct Deform {
    Window window;
    int64_t in, out, offset_groups; /* channels of a group */
    int64_t channels;
} Deform;

int64_t deform_branches(const Node *n) {
    return node_has_input(n, DEFORM_SCALE) ? n->inputs[DEFORM_SCALE]->dims[1].size : 1;
}

bool deform_is_pairs(const Node *n) { return n->op->id == OP_PairDeformConv; }

/* Counts the branches into the channels of x. */
static bool check_scale(Infer *f, Node *n, int64_t *x) {
    int64_t scale[MAX_RANK];
    if (!node_has_input(n, DEFORM_SCALE))
        return n->op->id != OP_BranchDeformConv || infer_fail(f, n, D_SHAPE, "needs a scale");
    int rank = infer_dims(f, n, DEFORM_SCALE, scale);
    if (rank < 0) return false;
    bool fits = rank == 4 && scale[0] == x[0] && scale[2] == x[2] && scale[3] == x[3] &&
                n->inputs[DEFORM_SCALE]->dtype == n->inputs[X]->dtype;
    if (!fits || node_int(n, "group") != 1 || node_int(n, "offset_group") != 1 || scale[1] < 1 ||
        scale[1] > DEFORM_BRANCHES)
        return infer_fail(f, n, D_SHAPE,
                          "a map is scaled by up to four maps of its size, without groups");
    return !__builtin_mul_overflow(x[1], scale[1], &x[1]) ||
           infer_fail(f, n, D_SHAPE, "too many channels");
}

static bool check_channels(Infer *f, Node *n, const int64_t *x, const int64_t *w) {
    int64_t group = node_int(n, "group"), offset_group = node_int(n, "offset_group");
    if (group < 1 || w[0] % group || x[1] != w[1] * group)
        return infer_fail_attr(f, n, "group",
                               "%lld groups do not fit %lld channels and weights for %lld",
                               (long long)group, (long long)x[1], (long long)w[1]);
    if (offset_group < 1 || x[1] % offset_group)
        return infer_fail_attr(f, n, "offset_group", "%lld does not divide the %lld channels",
                               (long long)offset_group, (long long)x[1]);
    return true;
}

static bool check_shape(Infer *f, Node *n, int k, const char *what, const int64_t *want, int rank) {
    int64_t dims[MAX_RANK];
    if (!node_has_input(n, k)) return true;
    int got = infer_dims(f, n, k, dims);
    if (got < 0) return false;
    bool same = got == rank && n->inputs[k]->dtype == n->inputs[X]->dtype;
    for (int d = 0; same && d < rank; d++) same = dims[d] == want[d];
    return same || infer_fail(f, n, D_SHAPE,
                              arena_format(f->unit->arena, "%s has the wrong shape or type", what));
}

static bool check_pairs(Infer *f, Node *n, int64_t images, int64_t channels) {
    if (!deform_is_pairs(n)) return true;
    if (node_int(n, "group") != 1 || node_int(n, "offset_group") != 1 ||
        channels % (2 * PAIR_BLOCK))
        return infer_fail(f, n, D_SHAPE, "pairs are for one group of whole blocks of channels");
    if (!node_has_input(n, DEFORM_LIMIT) || !node_has_input(n, DEFORM_WEIGHT_SCALE))
        return infer_fail(f, n, D_SHAPE, "needs a limit and a scale");
    return pair_infer_limit(f, n, DEFORM_LIMIT, 4, images) &&
           pair_infer_weights(f, n, W, DEFORM_WEIGHT_SCALE);
}

bool infer_deform_conv(Infer *f, Node *n) {
    int64_t x[MAX_RANK], w[MAX_RANK];
    int rank = infer_dims(f, n, X, x), w_rank = infer_dims(f, n, W, w);
    Window window;
    if (rank < 0 || w_rank < 0) return false;
    if (rank != 4 || w_rank != 4)
        return infer_fail(f, n, D_UNSUPPORTED, "a DeformConv without two spatial axes");
    DType t = n->inputs[X]->dtype;
    if (!dtype_is_float(t) || (!deform_is_pairs(n) && n->inputs[W]->dtype != t))
        return infer_fail(f, n, D_DTYPE, "input and weights must be of one float type");
    if (!check_pairs(f, n, x[0], x[1]) || !check_scale(f, n, x) || !check_channels(f, n, x, w) ||
        !window_infer(f, n, 2, x + 2, w + 2, &window))
        return false;
    int64_t taps = node_int(n, "offset_group") * w[2] * w[3];
    int64_t offset[4] = {x[0], 2 * taps, window.out[0], window.out[1]};
    int64_t mask[4] = {x[0], taps, window.out[0], window.out[1]}, bias[1] = {w[0]};
    if (!check_shape(f, n, OFFSET, "offset", offset, 4) ||
        !check_shape(f, n, MASK, "mask", mask, 4) || !check_shape(f, n, BIAS, "the bias", bias, 1))
        return false;
    offset[1] = w[0];
    infer_set(f, n, 0, n->inputs[X]->dtype, 4, offset);
    return true;
}

const Expr *deform_pair_result(Lower *l, const Node *n, const Expr *const *index, const Expr *sum) {
    const Expr *channel[1] = {index[1]},
               *scale = lower_load_wide(l, n->inputs[DEFORM_WEIGHT_SCALE], channel);
    scale = ex_mul(l->b, scale, pair_limit(l, n->inputs[DEFORM_LIMIT], index[0]));
    const Expr *bias = node_has_input(n, BIAS) ? lower_load_wide(l, n->inputs[BIAS], channel)
                                               : ex_const(l->b, scale->type, 0);
    return ex_fma(l->b, ex_cast(l->b, scale->type, sum), scale, bias);
}

static void deform_start(Lower *l, const Nest *nest, const Expr *const *index, const Expr **acc) {
    const Node *n = nest->node;
    if (deform_is_pairs(n))
        acc[0] = ex_int(l->b, DT_I64, 0);
    else
        acc[0] = node_has_input(n, BIAS) ? lower_load_wide(l, n->inputs[BIAS], index + 1)
                                         : ex_const(l->b, nest->acc[0], 0);
}

/* A position along an axis of n elements: the two neighbours and the weight of the second. */
typedef struct Between {
    const Expr *low, *high, *weight, *valid;
} Between;

static Between between(Lower *l, const Expr *position, int64_t n) {
    const Expr *floor = math_floor(l->b, position), *below = ex_const(l->b, floor->type, -1);
    const Expr *above = ex_const(l->b, floor->type, (double)n);
    Between r = {.weight = ex_sub(l->b, position, floor)};
    r.low = ex_cast(l->b, DT_I64, ex_min(l->b, ex_max(l->b, floor, below), above));
    r.high = ex_add(l->b, r.low, ex_index(l->b, 1));
    r.valid = ex_and(l->b, ex_lt(l->b, below, position), ex_lt(l->b, position, above));
    return r;
}

/* An element of the image extended by zeros. */
static const Expr *pixel(Lower *l, const Node *n, const Expr *const *index, const Expr *row,
                         const Expr *column) {
    const Value *x = n->inputs[X];
    const Expr *channels = ex_index(l->b, dim_of(x, 1)), *branch = ex_div(l->b, index[1], channels);
    const Expr *at[4] = {index[0], ex_rem(l->b, index[1], channels),
                         index_clamp(l, row, dim_of(x, 2)), index_clamp(l, column, dim_of(x, 3))};
    const Expr *inside =
        ex_and(l->b, index_inside(l, row, dim_of(x, 2)), index_inside(l, column, dim_of(x, 3)));
    const Expr *value = lower_load_wide(l, x, at);
    at[1] = branch;
    if (node_has_input(n, DEFORM_SCALE))
        value = ex_mul(l->b, value, lower_load_wide(l, n->inputs[DEFORM_SCALE], at));
    return ex_select(l->b, inside, value, ex_const(l->b, value->type, 0));
}

static const Expr *mix(Lower *l, const Expr *a, const Expr *b, const Expr *weight) {
    const Expr *rest = ex_sub(l->b, ex_const(l->b, weight->type, 1), weight);
    return ex_fma(l->b, b, weight, ex_mul(l->b, a, rest));
}

static const Expr *sample(Lower *l, const Node *n, const Expr *const *index, const Expr *row,
                          const Expr *column) {
    const Value *x = n->inputs[X];
    Between y = between(l, row, dim_of(x, 2)), z = between(l, column, dim_of(x, 3));
    const Expr *top =
        mix(l, pixel(l, n, index, y.low, z.low), pixel(l, n, index, y.low, z.high), z.weight);
    const Expr *bottom =
        mix(l, pixel(l, n, index, y.high, z.low), pixel(l, n, index, y.high, z.high), z.weight);
    const Expr *value = mix(l, top, bottom, y.weight);
    return ex_select(l->b, ex_and(l->b, y.valid, z.valid), value, ex_const(l->b, value->type, 0));
}

/* Offset channel `part` of a tap, added to where the tap lies without it. */
static const Expr *tap_position(Lower *l, const Nest *nest, const Expr *const *index,
                                const Expr *tap, const Expr *k, int d) {
    const Deform *c = nest->context;
    const Expr *at[4] = {index[0], ex_offset(l->b, tap, 2, ex_index(l->b, d)), index[2], index[3]};
    const Expr *grid =
        ex_offset(l->b, index[d + 2], c->window.stride[d], ex_index(l->b, -c->window.pad_begin[d]));
    grid = ex_offset(l->b, k, c->window.dilation[d], grid);
    const Expr *offset = lower_load_wide(l, nest->node->inputs[OFFSET], at);
    return ex_add(l->b, ex_cast(l->b, offset->type, grid), offset);
}

/* The product of a sample, rounded, and a weight. */
static const Expr *rounded_product(Lower *l, const Node *n, const Expr *image, const Expr *value,
                                   const Expr *weight) {
    const Expr *none = ex_int(l->b, DT_I32, 0),
               *factor = pair_factor(l, n->inputs[DEFORM_LIMIT], image, pair_most(n));
    const Expr *a = pair_make(l, pair_round(l, value, factor, pair_most(n)), none);
    const Expr *b = pair_make(l, ex_cast(l->b, DT_I32, weight), none);
    return ex_cast(l->b, DT_I64, ex_scalar(l->b, SC_DOT2, a, b, none));
}

/* k: row and column of the tap, input channel of the group. */
static void deform_step(Lower *l, const Nest *nest, const Expr *const *index, const Expr *const *k,
                        const Expr **acc) {
    const Deform *c = nest->context;
    const Node *n = nest->node;
    const Expr *group = ex_div(l->b, index[1], ex_index(l->b, c->out));
    const Expr *from[2] = {index[0], ex_offset(l->b, group, c->in, k[2])};
    const Expr *offset_group =
        ex_div(l->b, from[1], ex_index(l->b, c->channels / c->offset_groups));
    const Expr *tap = ex_offset(l->b, k[0], c->window.kernel[1], k[1]);
    tap = ex_offset(l->b, offset_group, c->window.kernel[0] * c->window.kernel[1], tap);
    const Expr *row = tap_position(l, nest, index, tap, k[0], 0),
               *column = tap_position(l, nest, index, tap, k[1], 1);
    const Expr *value = sample(l, n, from, row, column);
    const Expr *mask[4] = {index[0], tap, index[2], index[3]}, *w[4] = {index[1], k[2], k[0], k[1]};
    if (node_has_input(n, MASK))
        value = ex_mul(l->b, value, lower_load_wide(l, n->inputs[MASK], mask));
    const Expr *weight = lower_load_wide(l, n->inputs[W], w);
    acc[0] = deform_is_pairs(n)
                 ? ex_add(l->b, acc[0], rounded_product(l, n, index[0], value, weight))
                 : ex_fma(l->b, value, weight, acc[0]);
}

static void deform_finish(Lower *l, const Nest *nest, const Expr *const *index,
                          const Expr *const *acc) {
    lower_store(l, nest->out, index,
                deform_is_pairs(nest->node) ? deform_pair_result(l, nest->node, index, acc[0])
                                            : acc[0]);
}

static void deform_plain(Lower *l, Node *n) {
    const Value *x = n->inputs[X], *w = n->inputs[W];
    int64_t size[2] = {dim_of(x, 2), dim_of(x, 3)}, kernel[2] = {dim_of(w, 2), dim_of(w, 3)};
    Deform c = {.in = dim_of(w, 1),
                .out = dim_of(w, 0) / node_int(n, "group"),
                .offset_groups = node_int(n, "offset_group"),
                .channels = dim_of(x, 1) * deform_branches(n)};
    window_of(n, 2, size, kernel, &c.window);
    Nest nest = {.node = n,
                 .out = n->outputs[0],
                 .n_inner = 3,
                 .inner = {kernel[0], kernel[1], c.in},
                 .n_acc = 1,
                 .acc = {deform_is_pairs(n) ? DT_I64 : lower_wide(x->dtype)},
                 .start = deform_start,
                 .step = deform_step,
                 .finish = deform_finish,
                 .context = &c};
    nest_lower(l, &nest);
}

void code_deform_conv(Lower *l, Node *n) {
    bool empty = value_count(n->inputs[X]) == 0 || value_count(n->outputs[0]) == 0;
    if (lower_is_plain(l) || empty)
        deform_plain(l, n);
    else
        deform_product(l, n);
}
