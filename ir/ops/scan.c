/* scan.c - operators that walk along an axis in order: CumSum, CumProd, TopK; and MaxUnpool, which
 * walks over its input. */
#include "nest.h"
#include "ops.h"

/* CumSum-14, CumProd-26 */

static bool scan_axis(Infer *f, Node *n, int rank, int *axis) {
    int64_t given[1];
    int count;
    if (!infer_ints(f, n, 1, given, &count, 1)) return false;
    if (count != 1) return infer_fail(f, n, D_SHAPE, "the axis must be one number");
    *axis = infer_axis(f, n, given[0], rank, "axis");
    return *axis >= 0;
}

bool infer_cumulative(Infer *f, Node *n) {
    int64_t dims[MAX_RANK];
    int rank = infer_dims(f, n, 0, dims), axis;
    DType t = n->inputs[0]->dtype;
    if (rank < 0 || !scan_axis(f, n, rank, &axis)) return false;
    if (!dtype_is_float(t) && !dtype_is_int(t))
        return infer_fail(f, n, D_DTYPE, "the input must be numbers");
    infer_set(f, n, 0, t, rank, dims);
    return true;
}

/* Loops over all axes but one; tells whether there is anything to do. */
static bool open_others(Lower *l, const Value *v, int axis, const Expr **index) {
    if (value_count(v) == 0) return false;
    for (int d = 0; d < v->rank; d++)
        if (d != axis)
            index[d] =
                st_for_n(l->b, d == (axis == 0) ? LOOP_PARALLEL : LOOP_SERIAL, "i", dim_of(v, d));
    return true;
}

static void close_others(Lower *l, const Value *v) {
    for (int d = 1; d < v->rank; d++) st_end(l->b);
}

static void accumulate(Lower *l, const Node *n, Buffer *acc, const Expr *const *index) {
    const Expr *zero = ex_index(l->b, 0), *x = lower_load_wide(l, n->inputs[0], index);
    if (n->op->id == OP_CumSum)
        st_acc(l->b, acc, zero, x);
    else
        st_store(l->b, acc, zero, ex_mul(l->b, ex_load(l->b, acc, zero), x));
}

static void scan_line(Lower *l, const Node *n, int axis, const Expr **index) {
    const Value *x = n->inputs[0], *out = n->outputs[0];
    DType wide = lower_wide(x->dtype);
    int64_t extent = dim_of(x, axis);
    const Expr *zero = ex_index(l->b, 0);
    Buffer *acc = st_local(l->b, "acc", wide, 1, 0);
    st_store(l->b, acc, zero, ex_const(l->b, wide, n->op->id == OP_CumSum ? 0 : 1));
    const Expr *i = st_for_n(l->b, LOOP_SERIAL, "k", extent);
    index[axis] = node_int(n, "reverse") ? ex_sub(l->b, ex_index(l->b, extent - 1), i) : i;
    if (node_int(n, "exclusive")) lower_store(l, out, index, ex_load(l->b, acc, zero));
    accumulate(l, n, acc, index);
    if (!node_int(n, "exclusive")) lower_store(l, out, index, ex_load(l->b, acc, zero));
    st_end(l->b);
}

void code_cumulative(Lower *l, Node *n) {
    const Value *x = n->inputs[0];
    int64_t axis = tensor_get_int(infer_constant(n, 1), 0);
    if (axis < 0) axis += x->rank;
    const Expr *index[MAX_RANK];
    lower_begin_kernel(l, n, NULL);
    if (open_others(l, x, (int)axis, index)) {
        scan_line(l, n, (int)axis, index);
        close_others(l, x);
    }
    lower_end_kernel(l);
}

/* TopK-24: k times the best element behind the one before, by value and then by index. */

bool infer_top_k(Infer *f, Node *n) {
    int64_t dims[MAX_RANK], k[1];
    int rank = infer_dims(f, n, 0, dims), count;
    DType t = n->inputs[0]->dtype;
    if (rank < 0 || !infer_ints(f, n, 1, k, &count, 1)) return false;
    int axis = infer_axis(f, n, node_int(n, "axis"), rank, "axis");
    if (axis < 0) return false;
    if (!dtype_is_float(t) && !dtype_is_int(t))
        return infer_fail(f, n, D_DTYPE, "the input must be numbers");
    if (count != 1 || k[0] < 0 || k[0] > dims[axis])
        return infer_fail(f, n, D_SHAPE, "k is not within the axis");
    dims[axis] = k[0];
    infer_set(f, n, 0, t, rank, dims);
    infer_set(f, n, 1, DT_I64, rank, dims);
    return true;
}

typedef struct Best {
    Buffer *value, *place, *last_value, *last_place;
} Best;

/* Is x, at place i, better than y?  NaN is better than nothing else and never chosen before a
 * number. */
static const Expr *better(Lower *l, const Node *n, const Expr *x, const Expr *y) {
    const Expr *r = node_int(n, "largest") ? ex_lt(l->b, y, x) : ex_lt(l->b, x, y);
    if (!dtype_is_float(x->type)) return r;
    return ex_or(l->b, r, ex_and(l->b, ex_eq(l->b, x, x), ex_scalar(l->b, SC_NE, y, y, NULL)));
}

/* Keeps element i of the axis, if it comes behind the last one chosen and is better than the best
 * so far. */
static void consider(Lower *l, const Node *n, const Best *s, const Expr *j, const Expr *i,
                     const Expr *const *index) {
    const Expr *zero = ex_index(l->b, 0), *none = ex_index(l->b, -1);
    const Expr *x = st_let(l->b, "x", lower_load_wide(l, n->inputs[0], index));
    const Expr *last = ex_load(l->b, s->last_value, zero),
               *last_place = ex_load(l->b, s->last_place, zero);
    const Expr *equal =
        ex_and(l->b, ex_not(l->b, better(l, n, x, last)), ex_not(l->b, better(l, n, last, x)));
    const Expr *behind =
        ex_or(l->b, better(l, n, last, x), ex_and(l->b, equal, ex_lt(l->b, last_place, i)));
    behind = ex_or(l->b, ex_eq(l->b, j, zero), behind);
    const Expr *empty = ex_eq(l->b, ex_load(l->b, s->place, zero), none);
    st_if(l->b,
          ex_and(l->b, behind, ex_or(l->b, empty, better(l, n, x, ex_load(l->b, s->value, zero)))));
    st_store(l->b, s->value, zero, x);
    st_store(l->b, s->place, zero, i);
    st_end(l->b);
}

void code_top_k(Lower *l, Node *n) {
    const Value *x = n->inputs[0], *shape = n->outputs[0] ? n->outputs[0] : n->outputs[1];
    int axis = (int)(node_int(n, "axis") < 0 ? node_int(n, "axis") + x->rank : node_int(n, "axis"));
    DType wide = lower_wide(x->dtype);
    lower_begin_kernel(l, n, NULL);
    const Expr *index[MAX_RANK], *zero = ex_index(l->b, 0);
    if (open_others(l, shape, axis, index)) {
        Best s = {st_local(l->b, "best", wide, 1, 0), st_local(l->b, "place", DT_I64, 1, 0),
                  st_local(l->b, "last", wide, 1, 0), st_local(l->b, "last_place", DT_I64, 1, 0)};
        st_store(l->b, s.last_value, zero, ex_const(l->b, wide, 0));
        st_store(l->b, s.last_place, zero, ex_index(l->b, -1));
        const Expr *j = st_for_n(l->b, LOOP_SERIAL, "j", dim_of(shape, axis));
        st_store(l->b, s.value, zero, ex_const(l->b, wide, 0));
        st_store(l->b, s.place, zero, ex_index(l->b, -1));
        index[axis] = st_for_n(l->b, LOOP_SERIAL, "i", dim_of(x, axis));
        consider(l, n, &s, j, index[axis], index);
        st_end(l->b);
        st_store(l->b, s.last_value, zero, ex_load(l->b, s.value, zero));
        st_store(l->b, s.last_place, zero, ex_load(l->b, s.place, zero));
        index[axis] = j;
        if (node_has_output(n, 0))
            lower_store(l, n->outputs[0], index, ex_load(l->b, s.value, zero));
        if (node_has_output(n, 1))
            lower_store(l, n->outputs[1], index, ex_load(l->b, s.place, zero));
        st_end(l->b);
        close_others(l, shape);
    }
    lower_end_kernel(l);
}

/* MaxUnpool-22: zeros, then every element to its index in the output that the window geometry
 * gives; a larger output asked for has that one in its corner. */

static int64_t unpooled_size(const Node *n, const int64_t *x, int rank, int d) {
    int count, axes = rank - 2;
    const int64_t *kernel = node_ints(n, "kernel_shape", &count), *strides, *pads;
    int64_t size = x[d] - 1, k = kernel[d - 2];
    strides = node_ints(n, "strides", &count);
    if (strides) size *= strides[d - 2];
    pads = node_ints(n, "pads", &count);
    if (pads) size -= pads[d - 2] + pads[axes + d - 2];
    return size + k;
}

static bool check_list(Infer *f, Node *n, const char *name, int want, bool needed) {
    int count;
    const int64_t *given = node_ints(n, name, &count);
    if (!given && !needed) return true;
    if (count != want)
        return infer_fail_attr(f, n, name, "has %d entries, must have %d", count, want);
    for (int i = 0; i < count; i++)
        if (given[i] < 0 || given[i] > INT64_C(1) << 30)
            return infer_fail_attr(f, n, name, "entry %d is %lld", i, (long long)given[i]);
    return true;
}

bool infer_max_unpool(Infer *f, Node *n) {
    int64_t x[MAX_RANK], places[MAX_RANK], out[MAX_RANK], asked[MAX_RANK];
    int rank = infer_dims(f, n, 0, x), place_rank = infer_dims(f, n, 1, places), count;
    if (rank < 0 || place_rank < 0) return false;
    bool same = rank >= 3 && place_rank == rank && n->inputs[1]->dtype == DT_I64;
    for (int d = 0; same && d < rank; d++) same = x[d] == places[d] && x[d] < INT64_C(1) << 31;
    if (!same)
        return infer_fail(f, n, D_SHAPE,
                          "input and indices must have the same shape of rank 3 or more");
    if (!check_list(f, n, "kernel_shape", rank - 2, true) ||
        !check_list(f, n, "strides", rank - 2, false) ||
        !check_list(f, n, "pads", 2 * (rank - 2), false))
        return false;
    if (node_has_input(n, 2) && (!infer_ints(f, n, 2, asked, &count, MAX_RANK) || count != rank))
        return infer_fail(f, n, D_SHAPE, "the output shape must have one element an axis");
    for (int d = 0; d < rank; d++) {
        out[d] = d < 2 ? x[d] : unpooled_size(n, x, rank, d);
        bool fits = out[d] >= 0 && (!node_has_input(n, 2) || asked[d] >= out[d]);
        if (!fits)
            return infer_fail(f, n, D_SHAPE, "the output is smaller than what is unpooled into it");
        if (node_has_input(n, 2)) out[d] = asked[d];
    }
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, out);
    return true;
}

static void store_zero(Lower *l, const Expr *const *index, void *context) {
    const Node *n = context;
    DType wide = lower_wide(n->outputs[0]->dtype);
    lower_store(l, n->outputs[0], index, ex_const(l->b, wide, 0));
}

void code_max_unpool(Lower *l, Node *n) {
    const Value *x = n->inputs[0], *out = n->outputs[0];
    int64_t in[MAX_RANK], total = 1;
    const Expr *index[MAX_RANK], *at[MAX_RANK];
    lower_begin_kernel(l, n, NULL);
    lower_for_each(l, out, store_zero, n);
    for (int d = 0; d < x->rank; d++) in[d] = dim_of(x, d);
    for (int d = 0; d < x->rank; d++) index[d] = st_for_n(l->b, LOOP_SERIAL, "i", in[d]);
    const Expr *flat = st_let(l->b, "place", lower_load(l, n->inputs[1], index));
    const Expr *rest = flat;
    for (int d = x->rank - 1; d >= 0; d--) {
        int64_t size = d < 2 ? in[d] : unpooled_size(n, in, x->rank, d);
        total *= size;
        size = size > 0 ? size : 1;
        at[d] = index_clamp(l, ex_rem(l->b, rest, ex_index(l->b, size)), size);
        rest = ex_div(l->b, rest, ex_index(l->b, size));
    }
    st_if(l->b, index_inside(l, flat, total));
    lower_store(l, out, at, lower_load_wide(l, x, index));
    st_end(l->b);
    for (int d = 0; d < x->rank; d++) st_end(l->b);
    lower_end_kernel(l);
}
