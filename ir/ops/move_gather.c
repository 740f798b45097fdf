/* move_gather.c - elements found by indices that are data: Gather, GatherElements, GatherND,
 * OneHot; and Compress and NonZero of constants.
 *
 * An index outside of its axis has no meaning in ONNX; it is clamped, so that no access can leave
 * the tensor. */
#include "ops/move.h"

#include <string.h>

static bool check_indices(Infer *f, const Node *n) {
    DType t = n->inputs[1]->dtype;
    if (t == DT_I32 || t == DT_I64) return true;
    return infer_fail(f, n, D_DTYPE, "the indices should be of type i64 or i32");
}

bool move_infer_within(Infer *f, Node *n, const int64_t *dims, int64_t depth) {
    const Tensor *t = infer_constant(n, 1);
    for (int64_t i = 0; t && i < t->count; i++) {
        int64_t index = tensor_get_int(t, i), size = dims[i % depth];
        if (index < -size || index >= size)
            return infer_fail(f, n, D_SHAPE,
                              arena_format(f->unit->arena, "index %lld is outside an axis of %lld",
                                           (long long)index, (long long)size));
    }
    return true;
}

/* Something is wanted of an axis without elements. */
static bool check_axis(Infer *f, const Node *n, int64_t size, const int64_t *out, int rank) {
    if (size > 0 || dims_product(out, rank) == 0) return true;
    return infer_fail(f, n, D_SHAPE, "an axis without elements is indexed");
}

bool infer_gather(Infer *f, Node *n) {
    int64_t in[MAX_RANK], indices[MAX_RANK], out[2 * MAX_RANK];
    int rank_in = infer_dims(f, n, 0, in), rank_indices = infer_dims(f, n, 1, indices), rank = 0;
    if (rank_in < 0 || rank_indices < 0 || !check_indices(f, n)) return false;
    int axis = infer_axis(f, n, node_int(n, "axis"), rank_in, "axis");
    if (axis < 0) return false;
    if (rank_in + rank_indices - 1 > MAX_RANK)
        return infer_fail(f, n, D_UNSUPPORTED, "a tensor of so high a rank");
    for (int d = 0; d < axis; d++) out[rank++] = in[d];
    for (int d = 0; d < rank_indices; d++) out[rank++] = indices[d];
    for (int d = axis + 1; d < rank_in; d++) out[rank++] = in[d];
    if (!check_axis(f, n, in[axis], out, rank) || !move_infer_within(f, n, in + axis, 1))
        return false;
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, out);
    return true;
}

const Expr *move_gather(Lower *l, const Node *n, int k, const Expr *const *index) {
    const Value *in = n->inputs[0];
    const Expr *from[MAX_RANK];
    int axis = move_axis(n, "axis", in->rank), rank_indices = n->inputs[1]->rank;
    (void)k;
    for (int d = 0; d < axis; d++) from[d] = index[d];
    for (int d = axis + 1; d < in->rank; d++) from[d] = index[d + rank_indices - 1];
    const Expr *at = lower_load(l, n->inputs[1], index + axis);
    from[axis] = move_wrap(l, at, move_dim(in, axis));
    return lower_load(l, in, from);
}

bool infer_gather_elements(Infer *f, Node *n) {
    int64_t in[MAX_RANK], out[MAX_RANK];
    int rank = infer_dims(f, n, 0, in), rank_indices = infer_dims(f, n, 1, out);
    if (rank < 0 || rank_indices < 0 || !check_indices(f, n)) return false;
    int axis = infer_axis(f, n, node_int(n, "axis"), rank, "axis");
    if (axis < 0) return false;
    bool fits = rank_indices == rank;
    for (int d = 0; fits && d < rank; d++) fits = d == axis || out[d] <= in[d];
    if (!fits)
        return infer_fail(f, n, D_SHAPE, "the indices exceed the data in more than the axis");
    if (!check_axis(f, n, in[axis], out, rank) || !move_infer_within(f, n, in + axis, 1))
        return false;
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, out);
    return true;
}

const Expr *move_gather_elements(Lower *l, const Node *n, int k, const Expr *const *index) {
    const Value *in = n->inputs[0];
    const Expr *from[MAX_RANK];
    int axis = move_axis(n, "axis", in->rank);
    (void)k;
    for (int d = 0; d < in->rank; d++) from[d] = index[d];
    from[axis] = move_wrap(l, lower_load(l, n->inputs[1], index), move_dim(in, axis));
    return lower_load(l, in, from);
}

bool infer_gather_nd(Infer *f, Node *n) {
    int64_t in[MAX_RANK], indices[MAX_RANK], out[2 * MAX_RANK], indexed = 1,
                                                                batch = node_int(n, "batch_dims");
    int rank_in = infer_dims(f, n, 0, in), rank_indices = infer_dims(f, n, 1, indices), rank = 0;
    if (rank_in < 0 || rank_indices < 0 || !check_indices(f, n)) return false;
    if (batch < 0 || batch >= rank_indices || batch >= rank_in)
        return infer_fail_attr(f, n, "batch_dims", "%lld is out of range", (long long)batch);
    int64_t depth = indices[rank_indices - 1];
    if (depth < 1 || depth > rank_in - batch)
        return infer_fail(f, n, D_SHAPE, "the indices name too many axes, or none");
    for (int d = 0; d < batch; d++)
        if (in[d] != indices[d]) return infer_fail(f, n, D_SHAPE, "the batch dimensions differ");
    for (int d = 0; d < rank_indices - 1; d++) out[rank++] = indices[d];
    for (int d = (int)(batch + depth); d < rank_in; d++) out[rank++] = in[d];
    if (rank > MAX_RANK) return infer_fail(f, n, D_UNSUPPORTED, "a tensor of so high a rank");
    for (int d = (int)batch; d < batch + depth; d++)
        if (in[d] == 0) indexed = 0;
    if (!check_axis(f, n, indexed, out, rank) || !move_infer_within(f, n, in + batch, depth))
        return false;
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, out);
    return true;
}

const Expr *move_gather_nd(Lower *l, const Node *n, int k, const Expr *const *index) {
    const Value *in = n->inputs[0], *indices = n->inputs[1];
    const Expr *from[MAX_RANK], *at[MAX_RANK];
    int batch = (int)node_int(n, "batch_dims"), last = indices->rank - 1;
    int depth = (int)move_dim(indices, last);
    (void)k;
    for (int d = 0; d < batch; d++) from[d] = index[d];
    for (int d = 0; d < last; d++) at[d] = index[d];
    for (int d = 0; d < depth; d++) {
        at[last] = ex_index(l->b, d);
        from[batch + d] = move_wrap(l, lower_load(l, indices, at), move_dim(in, batch + d));
    }
    for (int d = batch + depth; d < in->rank; d++) from[d] = index[last + d - batch - depth];
    return lower_load(l, in, from);
}

bool infer_one_hot(Infer *f, Node *n) {
    int64_t in[MAX_RANK], values[MAX_RANK], out[MAX_RANK + 1];
    int rank = infer_dims(f, n, 0, in), rank_values = infer_dims(f, n, 2, values);
    const Tensor *depth = infer_constant(n, 1);
    if (rank < 0 || rank_values < 0) return false;
    if (!depth) return infer_fail(f, n, D_DYNAMIC_SHAPE, "the depth is not a constant");
    int64_t size = depth->count == 1 ? tensor_get_int(depth, 0) : -1;
    if (size < 1 || size > (int64_t)1 << 40)
        return infer_fail(f, n, D_SHAPE, "the depth should be one positive number");
    if (rank_values != 1 || values[0] != 2)
        return infer_fail(f, n, D_SHAPE, "the values should be two");
    if (n->inputs[0]->dtype == DT_BOOL)
        return infer_fail(f, n, D_DTYPE, "the indices should be numbers");
    if (rank + 1 > MAX_RANK) return infer_fail(f, n, D_UNSUPPORTED, "a tensor of so high a rank");
    int axis = infer_axis(f, n, node_int(n, "axis"), rank + 1, "axis");
    if (axis < 0) return false;
    for (int d = 0; d <= rank; d++) out[d] = d == axis ? size : in[d < axis ? d : d - 1];
    infer_set(f, n, 0, n->inputs[2]->dtype, rank + 1, out);
    return true;
}

/* Is x, which may be counted from the end, the place i of `size`?  Floats are compared as such: a
 * NaN is no place. */
static const Expr *is_place(Lower *l, const Expr *x, const Expr *i, int64_t size) {
    if (dtype_is_float(x->type)) {
        x = math_trunc(l->b, x);
    } else {
        x = ex_cast(l->b, DT_I64, x);
    }
    const Expr *from_start = ex_cast(l->b, x->type, i);
    const Expr *from_end = ex_cast(l->b, x->type, ex_sub(l->b, i, ex_index(l->b, size)));
    const Expr *at_start = ex_eq(l->b, x, from_start);
    return ex_or(l->b, at_start, ex_eq(l->b, x, from_end));
}

const Expr *move_one_hot(Lower *l, const Node *n, int k, const Expr *const *index) {
    const Value *in = n->inputs[0], *out = n->outputs[0];
    const Expr *from[MAX_RANK], *off = ex_index(l->b, 0), *on = ex_index(l->b, 1);
    int axis = move_axis(n, "axis", out->rank);
    (void)k;
    for (int d = 0; d < in->rank; d++) from[d] = index[d < axis ? d : d + 1];
    const Expr *x = lower_load_wide(l, in, from);
    const Expr *here = is_place(l, x, index[axis], move_dim(out, axis));
    off = lower_load(l, n->inputs[2], &off);
    on = lower_load(l, n->inputs[2], &on);
    return ex_select(l->b, here, on, off);
}

/* The places of those elements of t that are not zero. */
static Tensor *nonzero_places(Arena *a, const Tensor *t) {
    int64_t count = 0, at = 0;
    for (int64_t i = 0; i < t->count; i++) count += tensor_get_double(t, i) != 0;
    Tensor *places = tensor_new(a, DT_I64, 1, &count);
    int64_t *data = (int64_t *)places->data;
    for (int64_t i = 0; i < t->count; i++)
        if (tensor_get_double(t, i) != 0) data[at++] = i;
    return places;
}

bool infer_compress(Infer *f, Node *n) {
    int64_t dims[MAX_RANK], flat;
    int rank = infer_dims(f, n, 0, dims), axis = 0;
    const Tensor *condition = infer_constant(n, 1);
    if (rank < 0) return false;
    if (!condition) return infer_fail(f, n, D_DYNAMIC_SHAPE, "the condition is not a constant");
    if (condition->dtype != DT_BOOL || condition->rank != 1)
        return infer_fail(f, n, D_SHAPE, "the condition should be a vector of type bool");
    if (node_has(n, "axis")) axis = infer_axis(f, n, node_int(n, "axis"), rank, "axis");
    if (axis < 0) return false;
    flat = node_has(n, "axis") ? dims[axis] : dims_product(dims, rank);
    if (condition->count > flat)
        return infer_fail(f, n, D_SHAPE, "the condition is longer than the axis");
    Tensor *places = nonzero_places(f->unit->arena, condition);
    if (node_has(n, "axis"))
        dims[axis] = places->count;
    else
        dims[0] = places->count;
    infer_set(f, n, 0, n->inputs[0]->dtype, node_has(n, "axis") ? rank : 1, dims);
    return true;
}

bool expand_compress(Graph *g, Node *n) {
    Arena *a = g->unit->arena;
    Value *data = n->inputs[0];
    if (!node_has(n, "axis")) {
        int64_t count = value_count(data);
        Value *shape = graph_add_constant(g, "", tensor_from_ints(a, &count, 1)),
              *flat = graph_add_value(g, "");
        Value *inputs[] = {data, shape};
        graph_add_node(g, &op_infos[OP_Reshape], n->name, inputs, 2, &flat, 1);
        value_set_type(g, flat, data->dtype, 1, &count);
        data = flat;
    }
    Value *places = graph_add_constant(g, "", nonzero_places(a, n->inputs[1]->constant));
    Value *inputs[] = {data, places};
    Node *gather = graph_add_node(g, &op_infos[OP_Gather], n->name, inputs, 2, n->outputs, 1);
    node_set_int(g, gather, "axis", node_int(n, "axis"));
    return true;
}

bool infer_non_zero(Infer *f, Node *n) {
    const Tensor *t = infer_constant(n, 0);
    if (!t) return infer_fail(f, n, D_DYNAMIC_SHAPE, "the input is not a constant");
    int64_t dims[2] = {t->rank, nonzero_places(f->unit->arena, t)->count};
    infer_set(f, n, 0, DT_I64, 2, dims);
    return true;
}

bool expand_non_zero(Graph *g, Node *n) {
    const Tensor *t = n->inputs[0]->constant, *places = nonzero_places(g->unit->arena, t);
    int64_t dims[2] = {t->rank, places->count};
    Tensor *out = tensor_new(g->unit->arena, DT_I64, 2, dims);
    int64_t *data = (int64_t *)out->data;
    for (int64_t i = 0; i < places->count; i++) {
        int64_t flat = tensor_get_int(places, i);
        for (int d = t->rank - 1; d >= 0; d--) {
            data[d * places->count + i] = flat % t->dims[d];
            flat /= t->dims[d];
        }
    }
    Value *value = graph_add_constant(g, "", out);
    graph_add_node(g, &op_infos[OP_Identity], n->name, &value, 1, n->outputs, 1);
    return true;
}
