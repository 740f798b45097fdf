/* reduce.c - operators that fold elements over axes into one: their rules and types.
 *
 * Arithmetic is in the wide type of the input.  Over no elements at all a sum is 0, a product 1, a
 * maximum the smallest value of the type, and a mean NaN (integers: 0). */
#include "elem.h"
#include "infer.h"
#include "ops.h"

#include <math.h>
#include <string.h>

/* Axes. */

static bool reduces_spatial(const Node *n) {
    return n->op->id == OP_GlobalAveragePool || n->op->id == OP_GlobalMaxPool;
}

static bool is_arg(const Node *n) { return n->op->id == OP_ArgMax || n->op->id == OP_ArgMin; }

void reduce_axes(const Node *n, bool *axes, bool *keepdims) {
    int rank = n->inputs[0]->rank;
    const Tensor *given = infer_constant(n, 1);
    bool all = !is_arg(n) && (!given || given->count == 0) && !node_int(n, "noop_with_empty_axes");
    for (int d = 0; d < rank; d++) axes[d] = reduces_spatial(n) ? d >= 2 : all;
    *keepdims = reduces_spatial(n) || node_int(n, "keepdims");
    if (is_arg(n)) {
        int64_t axis = node_int(n, "axis");
        axes[axis < 0 ? axis + rank : axis] = true;
    }
    for (int64_t i = 0; given && i < given->count; i++) {
        int64_t axis = tensor_get_int(given, i);
        axes[axis < 0 ? axis + rank : axis] = true;
    }
}

static bool check_axes(Infer *f, Node *n, int rank) {
    int64_t axes[MAX_RANK];
    bool seen[MAX_RANK] = {false};
    int count = 0;
    if (is_arg(n) && infer_axis(f, n, node_int(n, "axis"), rank, "axis") < 0) return false;
    if (node_has_input(n, 1) && !infer_ints(f, n, 1, axes, &count, MAX_RANK)) return false;
    for (int i = 0; i < count; i++) {
        int axis = infer_axis(f, n, axes[i], rank, "axes");
        if (axis < 0) return false;
        if (seen[axis]) return infer_fail_attr(f, n, "axes", "axis %d is named twice", axis);
        seen[axis] = true;
    }
    return true;
}

static bool set_reduced(Infer *f, Node *n, DType dtype) {
    int64_t dims[MAX_RANK];
    bool axes[MAX_RANK], keepdims;
    int rank = infer_dims(f, n, 0, dims), kept = 0;
    if (rank < 0 || !check_axes(f, n, rank)) return false;
    reduce_axes(n, axes, &keepdims);
    for (int d = 0; d < rank; d++) {
        if (!axes[d])
            dims[kept++] = dims[d];
        else if (keepdims)
            dims[kept++] = 1;
    }
    infer_set(f, n, 0, dtype, kept, dims);
    return true;
}

static bool check_number(Infer *f, const Node *n, bool bools_too) {
    DType t = n->inputs[0]->dtype;
    bool wide = t != DT_I4 && t != DT_U4;
    if (wide && (dtype_is_float(t) || dtype_is_int(t) || (bools_too && t == DT_BOOL))) return true;
    return infer_fail(
        f, n, D_DTYPE,
        arena_format(f->unit->arena, "input 0 is %s; the operator takes numbers", dtypes[t].text));
}

bool infer_reduce(Infer *f, Node *n) {
    bool is_extreme = n->op->id == OP_ReduceMax || n->op->id == OP_ReduceMin;
    return check_number(f, n, is_extreme) && set_reduced(f, n, n->inputs[0]->dtype);
}

bool infer_arg(Infer *f, Node *n) {
    if (!check_number(f, n, false) || !set_reduced(f, n, DT_I64)) return false;
    int64_t axis = node_int(n, "axis");
    const Value *v = n->inputs[0];
    if (v->dims[axis < 0 ? axis + v->rank : axis].size) return true;
    return infer_fail(f, n, D_SHAPE, "there is no element to find along an axis of size 0");
}

bool infer_global_pool(Infer *f, Node *n) {
    if (!dtype_is_float(n->inputs[0]->dtype))
        return infer_fail(f, n, D_DTYPE, "the operator takes floats");
    if (n->inputs[0]->rank < 2)
        return infer_fail(f, n, D_SHAPE, "the input should have a batch and a channel axis");
    return set_reduced(f, n, n->inputs[0]->dtype);
}

/* Starts. */

static void start_one(Lower *l, const Node *n, DType wide, const Expr **acc) {
    (void)n;
    acc[0] = ex_const(l->b, wide, 1);
}

static int64_t smallest_int(DType t) {
    if (dtypes[t].kind != DK_SIGNED) return 0;
    return -(int64_t)((UINT64_C(1) << (8 * dtypes[t].bytes - 1)) - 1) - 1;
}

static const Expr *smallest(Lower *l, DType t) {
    if (dtype_is_float(t)) return ex_float(l->b, t, -INFINITY);
    return ex_int(l->b, t, t == DT_BOOL ? 0 : smallest_int(t));
}

static const Expr *largest(Lower *l, DType t) {
    if (dtype_is_float(t)) return ex_float(l->b, t, INFINITY);
    if (t == DT_BOOL) return ex_bool(l->b, true);
    return ex_int(l->b, t, -1 - smallest_int(t)); /* wraps to all ones where unsigned */
}

static void start_smallest(Lower *l, const Node *n, DType wide, const Expr **acc) {
    (void)n;
    acc[0] = smallest(l, wide);
}

static void start_largest(Lower *l, const Node *n, DType wide, const Expr **acc) {
    (void)n;
    acc[0] = largest(l, wide);
}

/* Maps and steps. */

static const Expr *map_abs(Lower *l, const Node *n, const Expr *x) {
    (void)n;
    return dtypes[x->type].kind == DK_UNSIGNED ? x : ex_scalar(l->b, SC_ABS, x, NULL, NULL);
}

static const Expr *map_square(Lower *l, const Node *n, const Expr *x) {
    (void)n;
    return ex_mul(l->b, x, x);
}

static void step_mul(Lower *l, const Node *n, const Expr **acc, const Expr *x,
                     const Expr *position) {
    (void)n;
    (void)position;
    acc[0] = ex_mul(l->b, acc[0], x);
}

static void step_max(Lower *l, const Node *n, const Expr **acc, const Expr *x,
                     const Expr *position) {
    (void)n;
    (void)position;
    acc[0] = x->type == DT_BOOL ? ex_or(l->b, acc[0], x) : elem_larger(l, acc[0], x);
}

static void step_min(Lower *l, const Node *n, const Expr **acc, const Expr *x,
                     const Expr *position) {
    (void)n;
    (void)position;
    acc[0] = x->type == DT_BOOL ? ex_and(l->b, acc[0], x) : elem_smaller(l, acc[0], x);
}

/* ArgMax and ArgMin start below position 0 so that the first element is always taken; the first NaN
 * wins. */
static void start_arg(Lower *l, const Node *n, DType wide, const Expr **acc) {
    (void)n;
    acc[0] = ex_const(l->b, wide, 0);
    acc[1] = ex_index(l->b, -1);
}

static const Expr *beats(Lower *l, const Node *n, const Expr *acc, const Expr *x) {
    bool or_equal = node_int(n, "select_last_index");
    const Expr *lower = n->op->id == OP_ArgMax ? acc : x,
               *higher = n->op->id == OP_ArgMax ? x : acc;
    const Expr *better = or_equal ? ex_le(l->b, lower, higher) : ex_lt(l->b, lower, higher);
    if (!dtype_is_float(x->type)) return better;
    const Expr *acc_nan = elem_is_nan(l, acc), *x_nan = elem_is_nan(l, x);
    if (or_equal) return ex_or(l->b, better, x_nan);
    return ex_or(l->b, better, ex_and(l->b, x_nan, ex_not(l->b, acc_nan)));
}

static void step_arg(Lower *l, const Node *n, const Expr **acc, const Expr *x,
                     const Expr *position) {
    const Expr *first = ex_lt(l->b, acc[1], ex_index(l->b, 0));
    const Expr *take = ex_or(l->b, first, beats(l, n, acc[0], x));
    acc[0] = ex_select(l->b, take, x, acc[0]);
    acc[1] = ex_select(l->b, take, position, acc[1]);
}

/* Finishes. */

static const Expr *finish_mean(Lower *l, const Node *n, const Expr *const *acc, int64_t count) {
    (void)n;
    DType t = acc[0]->type;
    if (dtype_is_float(t)) return ex_div(l->b, acc[0], ex_const(l->b, t, (double)count));
    return elem_int_div(l, acc[0], ex_int(l->b, t, count));
}

/* Functions of floats; integers go by way of f64. */
static const Expr *apply(Lower *l, const Expr *x, const Expr *(*math)(Builder *b, const Expr *x)) {
    if (dtype_is_float(x->type)) return math(l->b, x);
    return elem_convert(l, x->type, math(l->b, ex_cast(l->b, DT_F64, x)));
}

static const Expr *finish_sqrt(Lower *l, const Node *n, const Expr *const *acc, int64_t count) {
    (void)n;
    (void)count;
    return apply(l, acc[0], math_sqrt);
}

static const Expr *finish_log(Lower *l, const Node *n, const Expr *const *acc, int64_t count) {
    (void)n;
    (void)count;
    return apply(l, acc[0], math_log);
}

static const Expr *finish_position(Lower *l, const Node *n, const Expr *const *acc, int64_t count) {
    (void)l;
    (void)n;
    (void)count;
    return acc[1];
}

const ReduceRule reduce_sum = {.n_acc = 1};
const ReduceRule reduce_mean = {.n_acc = 1, .finish = finish_mean};
const ReduceRule reduce_prod = {.n_acc = 1, .start = start_one, .step = step_mul};
const ReduceRule reduce_max = {.n_acc = 1, .start = start_smallest, .step = step_max};
const ReduceRule reduce_min = {.n_acc = 1, .start = start_largest, .step = step_min};
const ReduceRule reduce_l1 = {.n_acc = 1, .map = map_abs};
const ReduceRule reduce_l2 = {.n_acc = 1, .map = map_square, .finish = finish_sqrt};
const ReduceRule reduce_sum_square = {.n_acc = 1, .map = map_square};
const ReduceRule reduce_log_sum = {.n_acc = 1, .finish = finish_log};
const ReduceRule reduce_arg = {
    .n_acc = 2, .start = start_arg, .step = step_arg, .finish = finish_position};
