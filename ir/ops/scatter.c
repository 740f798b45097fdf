/* scatter.c - ScatterElements and ScatterND: a copy of the data, then the updates one after the
 * other in the order of their elements, so that of several for one place the last one counts.
 *
 * With a reduction the results grow in a scratch array and are stored at the end: what is stored
 * may already be the work of a following node. */
#include "ops/move.h"

#include <string.h>

typedef enum Reduction {
    REDUCTION_NONE,
    REDUCTION_ADD,
    REDUCTION_MUL,
    REDUCTION_MAX,
    REDUCTION_MIN,
    REDUCTION_UNKNOWN
} Reduction;

static Reduction reduction_of(const Node *n) {
    static const char *const names[] = {"none", "add", "mul", "max", "min"};
    const char *text = node_string(n, "reduction");
    for (int i = 0; i < REDUCTION_UNKNOWN; i++)
        if (strcmp(text, names[i]) == 0) return (Reduction)i;
    return REDUCTION_UNKNOWN;
}

static bool check_scatter(Infer *f, const Node *n) {
    DType t = n->inputs[0]->dtype, indices = n->inputs[1]->dtype;
    Reduction reduction = reduction_of(n);
    if (indices != DT_I32 && indices != DT_I64)
        return infer_fail(f, n, D_DTYPE, "the indices should be of type i64 or i32");
    if (n->inputs[2]->dtype != t)
        return infer_fail(f, n, D_DTYPE, "the updates' type is not that of the data");
    if (reduction == REDUCTION_UNKNOWN)
        return infer_fail_attr(f, n, "reduction", "'%s' is not none, add, mul, max or min",
                               node_string(n, "reduction"));
    if (t == DT_BOOL && reduction != REDUCTION_NONE)
        return infer_fail(f, n, D_DTYPE, "bool values are not reduced");
    return true;
}

/* Updates for an axis without elements have no place. */
static bool check_place(Infer *f, const Node *n, int64_t size, const int64_t *updates, int rank) {
    if (size > 0 || dims_product(updates, rank) == 0) return true;
    return infer_fail(f, n, D_SHAPE, "an axis without elements is indexed");
}

bool infer_scatter_elements(Infer *f, Node *n) {
    int64_t data[MAX_RANK], indices[MAX_RANK], updates[MAX_RANK];
    int rank = infer_dims(f, n, 0, data), rank_indices = infer_dims(f, n, 1, indices);
    int rank_updates = infer_dims(f, n, 2, updates);
    if (rank < 0 || rank_indices < 0 || rank_updates < 0 || !check_scatter(f, n)) return false;
    int axis = infer_axis(f, n, node_int(n, "axis"), rank, "axis");
    if (axis < 0) return false;
    bool fits = rank_indices == rank && rank_updates == rank;
    for (int d = 0; fits && d < rank; d++)
        fits = indices[d] == updates[d] && (d == axis || indices[d] <= data[d]);
    if (!fits) return infer_fail(f, n, D_SHAPE, "data, indices and updates do not fit each other");
    if (!check_place(f, n, data[axis], updates, rank) || !move_infer_within(f, n, data + axis, 1))
        return false;
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, data);
    return true;
}

bool infer_scatter_nd(Infer *f, Node *n) {
    int64_t data[MAX_RANK], indices[MAX_RANK], updates[MAX_RANK], indexed = 1;
    int rank = infer_dims(f, n, 0, data), rank_indices = infer_dims(f, n, 1, indices);
    int rank_updates = infer_dims(f, n, 2, updates);
    if (rank < 0 || rank_indices < 0 || rank_updates < 0 || !check_scatter(f, n)) return false;
    int64_t depth = rank_indices ? indices[rank_indices - 1] : 0;
    bool fits = rank_indices >= 1 && depth >= 0 && depth <= rank &&
                rank_updates == rank_indices - 1 + rank - depth;
    for (int d = 0; fits && d < rank_updates; d++) {
        int from = (int)depth + d - (rank_indices - 1);
        fits = updates[d] == (d < rank_indices - 1 ? indices[d] : data[from]);
    }
    if (!fits) return infer_fail(f, n, D_SHAPE, "data, indices and updates do not fit each other");
    for (int d = 0; d < depth; d++)
        if (data[d] == 0) indexed = 0;
    if (!check_place(f, n, indexed, updates, rank_updates)) return false;
    if (depth && !move_infer_within(f, n, data, depth)) return false;
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, data);
    return true;
}

typedef struct Scatter {
    const Node *node;
    Reduction reduction;
    DType wide;
    Buffer *scratch; /* NULL without a reduction */
} Scatter;

static const Expr *flat_index(Lower *l, const Value *v, const Expr *const *index) {
    const Expr *flat = ex_index(l->b, 0);
    for (int d = 0; d < v->rank; d++) flat = ex_offset(l->b, flat, move_dim(v, d), index[d]);
    return flat;
}

/* Max and min keep a NaN that is there and take one that comes. */
static const Expr *reduced(Lower *l, const Scatter *s, const Expr *old, const Expr *x) {
    const Expr *better = NULL;
    switch (s->reduction) {
    case REDUCTION_ADD: return ex_add(l->b, old, x);
    case REDUCTION_MUL: return ex_mul(l->b, old, x);
    case REDUCTION_MAX: better = ex_lt(l->b, old, x); break;
    case REDUCTION_MIN: better = ex_lt(l->b, x, old); break;
    case REDUCTION_NONE:
    case REDUCTION_UNKNOWN: return x;
    }
    if (dtype_is_float(x->type)) better = ex_or(l->b, better, ex_scalar(l->b, SC_NE, x, x, NULL));
    return ex_select(l->b, better, x, old);
}

static void put(Lower *l, const Scatter *s, const Expr *const *index, const Expr *x) {
    const Value *out = s->node->outputs[0];
    if (!s->scratch) {
        lower_store(l, out, index, x);
        return;
    }
    const Expr *flat = flat_index(l, out, index);
    const Expr *old = ex_load(l->b, s->scratch, flat);
    st_store(l->b, s->scratch, flat, reduced(l, s, old, x));
}

static void copy_in(Lower *l, const Expr *const *index, void *context) {
    const Scatter *s = context;
    const Value *in = s->node->inputs[0];
    if (!s->scratch) {
        lower_store(l, s->node->outputs[0], index, lower_load(l, in, index));
        return;
    }
    const Expr *flat = flat_index(l, in, index);
    st_store(l->b, s->scratch, flat, lower_load_wide(l, in, index));
}

static void copy_out(Lower *l, const Expr *const *index, void *context) {
    const Scatter *s = context;
    const Value *out = s->node->outputs[0];
    lower_store(l, out, index, ex_load(l->b, s->scratch, flat_index(l, out, index)));
}

/* Where the update at index `at` goes. */
typedef void PlaceFn(Lower *l, const Node *n, const Expr *const *at, const Expr **to);

static void place_elements(Lower *l, const Node *n, const Expr *const *at, const Expr **to) {
    const Value *data = n->inputs[0];
    int axis = move_axis(n, "axis", data->rank);
    for (int d = 0; d < data->rank; d++) to[d] = at[d];
    to[axis] = move_wrap(l, lower_load(l, n->inputs[1], at), move_dim(data, axis));
}

static void place_nd(Lower *l, const Node *n, const Expr *const *at, const Expr **to) {
    const Value *data = n->inputs[0], *indices = n->inputs[1];
    int last = indices->rank - 1, depth = (int)move_dim(indices, last);
    const Expr *from[MAX_RANK];
    for (int d = 0; d < last; d++) from[d] = at[d];
    for (int d = 0; d < depth; d++) {
        from[last] = ex_index(l->b, d);
        to[d] = move_wrap(l, lower_load(l, indices, from), move_dim(data, d));
    }
    for (int d = depth; d < data->rank; d++) to[d] = at[last + d - depth];
}

static void update(Lower *l, const Scatter *s, PlaceFn *place) {
    const Value *updates = s->node->inputs[2];
    const Expr *at[MAX_RANK], *to[MAX_RANK];
    for (int d = 0; d < updates->rank; d++)
        at[d] = st_for_n(l->b, LOOP_SERIAL, "u", move_dim(updates, d));
    place(l, s->node, at, to);
    const Expr *x = s->scratch ? lower_load_wide(l, updates, at) : lower_load(l, updates, at);
    put(l, s, to, x);
    for (int d = 0; d < updates->rank; d++) st_end(l->b);
}

static void scatter(Lower *l, Node *n, PlaceFn *place) {
    Scatter s = {.node = n, .reduction = reduction_of(n), .wide = lower_wide(n->inputs[0]->dtype)};
    int64_t count = value_count(n->outputs[0]);
    if (s.reduction != REDUCTION_NONE) s.scratch = lower_scratch(l, "sums", s.wide, count);
    lower_begin_kernel(l, n, "copy");
    lower_for_each(l, n->outputs[0], copy_in, &s);
    lower_end_kernel(l);
    lower_begin_kernel(l, n, NULL);
    if (count) update(l, &s, place);
    lower_end_kernel(l);
    if (!s.scratch) return;
    lower_begin_kernel(l, n, "store");
    lower_for_each(l, n->outputs[0], copy_out, &s);
    lower_end_kernel(l);
}

void code_scatter_elements(Lower *l, Node *n) { scatter(l, n, place_elements); }

void code_scatter_nd(Lower *l, Node *n) { scatter(l, n, place_nd); }
