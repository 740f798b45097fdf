/* tap_sum.c - TapSum: the end of a convolution of a map with branches, each the same map times a
 * map of its own.
 *
 * A 1x1 convolution of the unscaled map has given the products of all branches, taps and outputs,
 * channel
 * ((branch * taps) + tap) * outputs + output.  An output is the bias plus, over branches and taps,
 * the product at the tap's pixel times the branch's map there; outside of the map it is zero. */
#include "nest.h"
#include "ops.h"
#include "window.h"

enum { PRODUCTS, SCALE, BIAS };

bool infer_tap_sum(Infer *f, Node *n) {
    int64_t x[MAX_RANK], scale[MAX_RANK], bias[MAX_RANK];
    int rank = infer_dims(f, n, PRODUCTS, x), scale_rank = infer_dims(f, n, SCALE, scale);
    if (rank < 0 || scale_rank < 0 || infer_dims(f, n, BIAS, bias) < 0) return false;
    DType t = n->inputs[PRODUCTS]->dtype;
    if (!dtype_is_float(t) || n->inputs[SCALE]->dtype != t || n->inputs[BIAS]->dtype != t)
        return infer_fail(f, n, D_DTYPE, "products, scale and bias must be of one float type");
    Window w;
    if (rank != 4 || scale_rank != 4 || n->inputs[BIAS]->rank != 1 || scale[0] != x[0] ||
        scale[2] != x[2] || scale[3] != x[3])
        return infer_fail(f, n, D_SHAPE, "the scale is not of the products' size");
    if (!window_infer(f, n, 2, x + 2, NULL, &w)) return false;
    int64_t count = w.kernel[0] * w.kernel[1];
    if (__builtin_mul_overflow(count, scale[1], &count) ||
        __builtin_mul_overflow(count, bias[0], &count) || count != x[1])
        return infer_fail(f, n, D_SHAPE,
                          "there is not one product for every branch, tap and output");
    infer_set(f, n, 0, t, 4, (int64_t[]){x[0], bias[0], w.out[0], w.out[1]});
    return true;
}

void need_tap_sum(const Lower *l, const Node *n, int input, InputNeed *need) {
    (void)l;
    (void)n;
    if (input == PRODUCTS) need->need = NEED_CHANNELS_LAST;
    if (input == SCALE) need->need = NEED_BUFFER;
}

static void sum_start(Lower *l, const Nest *nest, const Expr *const *index, const Expr **acc) {
    acc[0] = lower_load_wide(l, nest->node->inputs[BIAS], index + 1);
}

/* k: branch, row and column of the tap. */
static void sum_step(Lower *l, const Nest *nest, const Expr *const *index, const Expr *const *k,
                     const Expr **acc) {
    const Window *w = nest->context;
    const Value *x = nest->node->inputs[PRODUCTS];
    const Expr *at[4] = {index[0]}, *inside = ex_bool(l->b, true);
    for (int d = 2; d < 4; d++) {
        at[d] = ex_offset(l->b, index[d], 1, ex_index(l->b, -w->pad_begin[d - 2]));
        at[d] = ex_add(l->b, at[d], k[d - 1]);
        inside = ex_and(l->b, inside, index_inside(l, at[d], dim_of(x, d)));
        at[d] = index_clamp(l, at[d], dim_of(x, d));
    }
    at[1] = k[0];
    const Expr *scale = lower_load_wide(l, nest->node->inputs[SCALE], at);
    const Expr *tap =
        ex_offset(l->b, ex_offset(l->b, k[0], w->kernel[0], k[1]), w->kernel[1], k[2]);
    at[1] = ex_offset(l->b, tap, dim_of(nest->out, 1), index[1]);
    const Expr *sum = ex_fma(l->b, lower_load_wide(l, x, at), scale, acc[0]);
    acc[0] = ex_select(l->b, inside, sum, acc[0]);
}

static void sum_finish(Lower *l, const Nest *nest, const Expr *const *index,
                       const Expr *const *acc) {
    builder_kernel(l->b)->macs =
        value_count(nest->out) * nest->inner[0] * nest->inner[1] * nest->inner[2];
    lower_store(l, nest->out, index, acc[0]);
}

void code_tap_sum(Lower *l, Node *n) {
    const Value *x = n->inputs[PRODUCTS];
    int64_t size[2] = {dim_of(x, 2), dim_of(x, 3)};
    Window w;
    window_of(n, 2, size, NULL, &w);
    Nest nest = {.node = n,
                 .out = n->outputs[0],
                 .n_inner = 3,
                 .inner = {dim_of(n->inputs[SCALE], 1), w.kernel[0], w.kernel[1]},
                 .n_acc = 1,
                 .acc = {lower_wide(x->dtype)},
                 .start = sum_start,
                 .step = sum_step,
                 .finish = sum_finish,
                 .context = &w};
    nest_lower(l, &nest);
}
