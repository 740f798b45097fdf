/* pool.c - MaxPool, AveragePool, LpPool: a window over the spatial axes of N x C x D1 x .. .
 *
 * A tap outside of the input reads the nearest element inside, so that every load is in bounds;
 * what it read is then left out by a select.  A maximum needs no select where that element is in
 * the window anyway. */
#include "nest.h"
#include "ops.h"
#include "window.h"

#include <math.h>

typedef struct Pool {
    Window window;
    int axes;
    bool clamped_is_inside; /* MaxPool: a clamped tap is another tap of the window */
    bool include_pad;       /* AveragePool */
    int64_t power;          /* LpPool */
} Pool;

bool infer_pool(Infer *f, Node *n) {
    int64_t dims[MAX_RANK];
    int rank = infer_dims(f, n, 0, dims);
    DType t = n->inputs[0]->dtype;
    bool integers = n->op->id == OP_MaxPool && (t == DT_I8 || t == DT_U8);
    Window w;
    if (rank < 0) return false;
    if (rank < 3 || rank > 2 + WINDOW_AXES)
        return infer_fail(f, n, D_SHAPE, "the input must have rank 3 to 5");
    if (!dtype_is_float(t) && !integers)
        return infer_fail(f, n, D_DTYPE, "the input must be of a float type");
    if (n->op->id == OP_LpPool && node_int(n, "p") < 1)
        return infer_fail_attr(f, n, "p", "is %lld, must be at least 1",
                               (long long)node_int(n, "p"));
    for (int d = 2; d < rank; d++)
        if (dims[d] < 1)
            return infer_fail(f, n, D_SHAPE, "a spatial axis of the input has no elements");
    if (!window_infer(f, n, rank - 2, dims + 2, NULL, &w)) return false;
    for (int d = 0; d < rank - 2; d++) dims[d + 2] = w.out[d];
    infer_set(f, n, 0, t, rank, dims);
    if (n->op->id == OP_MaxPool) infer_set(f, n, 1, DT_I64, rank, dims);
    return true;
}

static Pool pool_of(const Node *n) {
    const Value *x = n->inputs[0];
    int64_t size[WINDOW_AXES];
    Pool p = {.axes = x->rank - 2, .clamped_is_inside = true};
    for (int d = 0; d < p.axes; d++) size[d] = dim_of(x, d + 2);
    window_of(n, p.axes, size, NULL, &p.window);
    const Window *w = &p.window;
    for (int d = 0; d < p.axes; d++) {
        bool ends_inside = (w->out[d] - 1) * w->stride[d] - w->pad_begin[d] < size[d];
        if (w->dilation[d] != 1 || w->pad_begin[d] >= w->kernel[d] || !ends_inside)
            p.clamped_is_inside = false;
    }
    if (n->op->id == OP_AveragePool) p.include_pad = node_int(n, "count_include_pad");
    if (n->op->id == OP_LpPool) p.power = node_int(n, "p");
    return p;
}

static const Expr *window_start(Lower *l, const Pool *p, int d, const Expr *o) {
    return ex_offset(l->b, o, p->window.stride[d], ex_index(l->b, -p->window.pad_begin[d]));
}

/* The element under a tap, the nearest inside; `at` is where that is. */
static const Expr *tap(Lower *l, const Nest *nest, const Expr *const *index, const Expr *const *k,
                       const Expr **at, const Expr **inside) {
    const Pool *p = nest->context;
    const Value *x = nest->node->inputs[0];
    *inside = ex_bool(l->b, true);
    at[0] = index[0];
    at[1] = index[1];
    for (int d = 0; d < p->axes; d++) {
        const Expr *i =
            ex_offset(l->b, k[d], p->window.dilation[d], window_start(l, p, d, index[d + 2]));
        *inside = ex_and(l->b, *inside, index_inside(l, i, dim_of(x, d + 2)));
        at[d + 2] = index_clamp(l, i, dim_of(x, d + 2));
    }
    return lower_load_wide(l, x, at);
}

static Nest nest_of(const Node *n, const Pool *p) {
    Nest nest = {.node = n, .out = n->outputs[0], .n_inner = p->axes, .n_acc = 1, .context = p};
    nest.acc[0] = lower_wide(n->inputs[0]->dtype);
    for (int d = 0; d < p->axes; d++) nest.inner[d] = p->window.kernel[d];
    return nest;
}

/* MaxPool: the first of equal maxima; a NaN never is one. */

static void max_start(Lower *l, const Nest *nest, const Expr *const *index, const Expr **acc) {
    DType t = nest->acc[0];
    (void)index;
    acc[0] = dtype_is_float(t) ? ex_float(l->b, t, -INFINITY)
                               : ex_int(l->b, t, t == DT_I8 ? INT8_MIN : 0);
    if (nest->n_acc > 1) acc[1] = ex_index(l->b, 0);
}

/* Place in the whole input; with storage_order 1 the first spatial axis runs fastest. */
static const Expr *flat_place(Lower *l, const Node *n, const Expr *const *at) {
    const Value *x = n->inputs[0];
    const Expr *flat = ex_offset(l->b, at[0], dim_of(x, 1), at[1]);
    bool reversed = node_int(n, "storage_order") != 0;
    for (int i = 2; i < x->rank; i++) {
        int d = reversed ? x->rank + 1 - i : i;
        flat = ex_offset(l->b, flat, dim_of(x, d), at[d]);
    }
    return flat;
}

static void max_step(Lower *l, const Nest *nest, const Expr *const *index, const Expr *const *k,
                     const Expr **acc) {
    const Pool *p = nest->context;
    const Expr *at[MAX_RANK], *inside, *x = tap(l, nest, index, k, at, &inside);
    if (nest->n_acc == 1) {
        if (!p->clamped_is_inside) x = ex_select(l->b, inside, x, acc[0]);
        acc[0] = ex_max(l->b, x, acc[0]);
        return;
    }
    const Expr *better = ex_and(l->b, inside, ex_lt(l->b, acc[0], x));
    acc[0] = ex_select(l->b, better, x, acc[0]);
    acc[1] = ex_select(l->b, better, flat_place(l, nest->node, at), acc[1]);
}

static void max_finish(Lower *l, const Nest *nest, const Expr *const *index,
                       const Expr *const *acc) {
    lower_store(l, nest->out, index, acc[0]);
    if (nest->n_acc > 1) lower_store(l, nest->node->outputs[1], index, acc[1]);
}

void code_max_pool(Lower *l, Node *n) {
    Pool p = pool_of(n);
    Nest nest = nest_of(n, &p);
    nest.start = max_start;
    nest.step = max_step;
    nest.finish = max_finish;
    if (node_has_output(n, 1)) {
        nest.n_acc = 2;
        nest.acc[1] = DT_I64;
        if (!nest.out) nest.out = n->outputs[1];
    }
    nest_lower(l, &nest);
}

/* Sums. */

static void sum_start(Lower *l, const Nest *nest, const Expr *const *index, const Expr **acc) {
    (void)index;
    acc[0] = ex_const(l->b, nest->acc[0], 0);
}

static void average_step(Lower *l, const Nest *nest, const Expr *const *index, const Expr *const *k,
                         const Expr **acc) {
    const Expr *at[MAX_RANK], *inside, *x = tap(l, nest, index, k, at, &inside);
    acc[0] = ex_add(l->b, acc[0], ex_select(l->b, inside, x, ex_const(l->b, nest->acc[0], 0)));
}

/* ceil(x / c), or something not above 0 where x is not */
static const Expr *steps_to(Lower *l, const Expr *x, int64_t c) {
    return ex_div(l->b, ex_add(l->b, x, ex_index(l->b, c - 1)), ex_index(l->b, c));
}

/* Taps along an axis between low and high. */
static const Expr *taps_between(Lower *l, const Pool *p, int d, const Expr *start, int64_t low,
                                int64_t high) {
    const Expr *first =
        steps_to(l, ex_sub(l->b, ex_index(l->b, low), start), p->window.dilation[d]);
    const Expr *last =
        steps_to(l, ex_sub(l->b, ex_index(l->b, high), start), p->window.dilation[d]);
    first = ex_max(l->b, first, ex_index(l->b, 0));
    last = ex_min(l->b, last, ex_index(l->b, p->window.kernel[d]));
    return ex_sub(l->b, last, first);
}

static void average_finish(Lower *l, const Nest *nest, const Expr *const *index,
                           const Expr *const *acc) {
    const Pool *p = nest->context;
    const Expr *count = ex_index(l->b, 1);
    for (int d = 0; d < p->axes; d++) {
        int64_t size = dim_of(nest->node->inputs[0], d + 2), low = 0;
        const Expr *start = window_start(l, p, d, index[d + 2]);
        if (p->include_pad) {
            low = -p->window.pad_begin[d];
            size += p->window.pad_end[d];
        }
        count = ex_mul(l->b, count, taps_between(l, p, d, start, low, size));
    }
    lower_store(l, nest->out, index, ex_div(l->b, acc[0], ex_cast(l->b, nest->acc[0], count)));
}

void code_average_pool(Lower *l, Node *n) {
    Pool p = pool_of(n);
    Nest nest = nest_of(n, &p);
    nest.start = sum_start;
    nest.step = average_step;
    nest.finish = average_finish;
    nest_lower(l, &nest);
}

static void lp_step(Lower *l, const Nest *nest, const Expr *const *index, const Expr *const *k,
                    const Expr **acc) {
    const Pool *p = nest->context;
    const Expr *at[MAX_RANK], *inside, *x = tap(l, nest, index, k, at, &inside);
    x = ex_select(l->b, inside, ex_scalar(l->b, SC_ABS, x, NULL, NULL),
                  ex_const(l->b, nest->acc[0], 0));
    if (p->power == 2)
        x = ex_mul(l->b, x, x);
    else if (p->power != 1)
        x = math_pow(l->b, x, ex_const(l->b, nest->acc[0], (double)p->power));
    acc[0] = ex_add(l->b, acc[0], x);
}

static void lp_finish(Lower *l, const Nest *nest, const Expr *const *index,
                      const Expr *const *acc) {
    const Pool *p = nest->context;
    const Expr *x = acc[0];
    if (p->power == 2)
        x = math_sqrt(l->b, x);
    else if (p->power != 1)
        x = math_pow(l->b, x, ex_const(l->b, nest->acc[0], 1 / (double)p->power));
    lower_store(l, nest->out, index, x);
}

void code_lp_pool(Lower *l, Node *n) {
    Pool p = pool_of(n);
    Nest nest = nest_of(n, &p);
    nest.start = sum_start;
    nest.step = lp_step;
    nest.finish = lp_finish;
    nest_lower(l, &nest);
}
