/* move_slice.c - parts of tensors, and tensors of parts: Slice, Split, Concat. */
#include "ops/move.h"

/* The output's element i along an axis is the input's start + i * step. */
typedef struct Part {
    int64_t start, step, count;
} Part;

static int64_t clip(int64_t x, int64_t lo, int64_t hi) { return x < lo ? lo : x > hi ? hi : x; }

static Part slice_part(int64_t size, int64_t start, int64_t end, int64_t step) {
    Part p = {0, 1, 0};
    if (step == INT64_MIN) step++;
    if (start < 0) start += size;
    if (end < 0) end += size;
    start = clip(start, 0, step > 0 ? size : size - 1); /* as ONNX says; Python differs */
    end = step > 0 ? clip(end, 0, size) : clip(end, -1, size - 1);
    if (size == 0 || (step > 0 ? start >= end : start <= end)) return p;
    p.start = start;
    p.count = step > 0 ? (end - start - 1) / step + 1 : (start - end - 1) / -step + 1;
    if (p.count > 1) p.step = step;
    return p;
}

/* The part of each axis; the axes input is checked before. */
static void slice_parts(const Node *n, int rank, const int64_t *dims, Part *parts) {
    Ints starts = move_ints(n, 1), ends = move_ints(n, 2), axes = move_ints(n, 3),
         steps = move_ints(n, 4);
    for (int d = 0; d < rank; d++) parts[d] = (Part){0, 1, dims[d]};
    for (int i = 0; i < starts.n; i++) {
        int64_t axis = node_has_input(n, 3) ? axes.at[i] : i;
        if (axis < 0) axis += rank;
        parts[axis] = slice_part(dims[axis], starts.at[i], ends.at[i],
                                 node_has_input(n, 4) ? steps.at[i] : 1);
    }
}

static bool check_slice(Infer *f, Node *n, int rank) {
    Ints starts, ends, axes, steps;
    if (!move_infer_ints(f, n, 1, &starts) || !move_infer_ints(f, n, 2, &ends)) return false;
    if (!move_infer_axes(f, n, 3, rank, &axes)) return false;
    if (node_has_input(n, 4) && !move_infer_ints(f, n, 4, &steps)) return false;
    bool fits = starts.n == ends.n && starts.n <= rank;
    if (node_has_input(n, 3)) fits = fits && axes.n == starts.n;
    if (node_has_input(n, 4)) fits = fits && steps.n == starts.n;
    if (!fits) return infer_fail(f, n, D_SHAPE, "starts, ends, axes and steps differ in length");
    for (int i = 0; node_has_input(n, 4) && i < steps.n; i++)
        if (steps.at[i] == 0) return infer_fail(f, n, D_SHAPE, "a step is 0");
    return true;
}

bool infer_slice(Infer *f, Node *n) {
    int64_t dims[MAX_RANK];
    Part parts[MAX_RANK];
    int rank = infer_dims(f, n, 0, dims);
    if (rank < 0 || !check_slice(f, n, rank)) return false;
    slice_parts(n, rank, dims, parts);
    for (int d = 0; d < rank; d++) dims[d] = parts[d].count;
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, dims);
    return true;
}

const Expr *move_slice(Lower *l, const Node *n, int k, const Expr *const *index) {
    const Value *in = n->inputs[0];
    const Expr *from[MAX_RANK];
    int64_t dims[MAX_RANK];
    Part parts[MAX_RANK];
    (void)k;
    for (int d = 0; d < in->rank; d++) dims[d] = move_dim(in, d);
    slice_parts(n, in->rank, dims, parts);
    for (int d = 0; d < in->rank; d++)
        from[d] = ex_offset(l->b, index[d], parts[d].step, ex_index(l->b, parts[d].start));
    return lower_load(l, in, from);
}

static bool split_given(Infer *f, Node *n, int64_t size, int64_t *sizes) {
    const Tensor *t = infer_constant(n, 1);
    int count = 0;
    int64_t sum = 0;
    if (!infer_ints(f, n, 1, sizes, &count, t ? n->n_outputs : 0)) return false;
    if (count != n->n_outputs)
        return infer_fail(f, n, D_SHAPE, "there is not one size for each output");
    for (int i = 0; i < count; i++) {
        if (sizes[i] < 0 || sizes[i] > size - sum)
            return infer_fail(f, n, D_SHAPE, "the sizes exceed the axis");
        sum += sizes[i];
    }
    if (sum != size) return infer_fail(f, n, D_SHAPE, "the sizes do not fill the axis");
    return true;
}

static bool split_equal(Infer *f, const Node *n, int64_t size, int64_t *sizes) {
    int64_t parts = node_has(n, "num_outputs") ? node_int(n, "num_outputs") : n->n_outputs;
    if (parts != n->n_outputs)
        return infer_fail_attr(f, n, "num_outputs", "is %lld, the node has %d", (long long)parts,
                               n->n_outputs);
    int64_t part = size / parts + (size % parts != 0), left = size;
    for (int i = 0; i < n->n_outputs; i++) {
        sizes[i] = left < part ? left : part;
        left -= sizes[i];
    }
    return true;
}

bool infer_split(Infer *f, Node *n) {
    int64_t dims[MAX_RANK];
    int rank = infer_dims(f, n, 0, dims);
    if (rank < 0) return false;
    int axis = infer_axis(f, n, node_int(n, "axis"), rank, "axis");
    if (axis < 0) return false;
    int64_t *sizes = NEW_ARRAY(f->unit->arena, int64_t, n->n_outputs), size = dims[axis];
    bool given = node_has_input(n, 1);
    if (!(given ? split_given(f, n, size, sizes) : split_equal(f, n, size, sizes))) return false;
    for (int i = 0; i < n->n_outputs; i++) {
        dims[axis] = sizes[i];
        infer_set(f, n, i, n->inputs[0]->dtype, rank, dims);
    }
    return true;
}

/* Where output k begins.  Outputs that nobody wants have no type, so the sizes are looked up
 * again. */
static int64_t split_begin(const Node *n, int axis, int k) {
    int64_t begin = 0, size = move_dim(n->inputs[0], axis), parts = n->n_outputs;
    const Tensor *sizes = infer_constant(n, 1);
    for (int i = 0; sizes && i < k; i++) begin += tensor_get_int(sizes, i);
    if (sizes) return begin;
    int64_t part = size / parts + (size % parts != 0);
    return part * k < size ? part * k : size;
}

const Expr *move_split(Lower *l, const Node *n, int k, const Expr *const *index) {
    const Value *in = n->inputs[0];
    const Expr *from[MAX_RANK];
    int axis = move_axis(n, "axis", in->rank);
    for (int d = 0; d < in->rank; d++) from[d] = index[d];
    from[axis] = ex_add(l->b, index[axis], ex_index(l->b, split_begin(n, axis, k)));
    return lower_load(l, in, from);
}

bool infer_concat(Infer *f, Node *n) {
    int64_t dims[MAX_RANK], next[MAX_RANK];
    int rank = infer_dims(f, n, 0, dims);
    if (rank < 0) return false;
    if (!node_has(n, "axis")) return infer_fail_attr(f, n, "axis", "is needed");
    int axis = infer_axis(f, n, node_int(n, "axis"), rank, "axis");
    if (axis < 0) return false;
    for (int k = 1; k < n->n_inputs; k++) {
        int next_rank = infer_dims(f, n, k, next);
        if (next_rank < 0) return false;
        if (n->inputs[k]->dtype != n->inputs[0]->dtype)
            return infer_fail(f, n, D_DTYPE, "the inputs differ in type");
        bool fits = next_rank == rank;
        for (int d = 0; fits && d < rank; d++) fits = d == axis || next[d] == dims[d];
        if (!fits) return infer_fail(f, n, D_SHAPE, "the inputs differ in more than the axis");
        if (next[axis] > INT64_MAX - dims[axis])
            return infer_fail(f, n, D_SHAPE, "the axis grows too long");
        dims[axis] += next[axis];
    }
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, dims);
    return true;
}

/* A chain of selections from the last input to the first; in each the index is kept inside of its
 * input, so that both sides of a selection may be loaded. */
const Expr *move_concat(Lower *l, const Node *n, int k, const Expr *const *index) {
    const Value *out = n->outputs[0];
    int axis = move_axis(n, "axis", out->rank);
    int64_t end = move_dim(out, axis);
    const Expr *from[MAX_RANK], *element = NULL;
    (void)k;
    for (int d = 0; d < out->rank; d++) from[d] = index[d];
    for (int i = n->n_inputs - 1; i >= 0; i--) {
        int64_t size = move_dim(n->inputs[i], axis), begin = end - size;
        if (size == 0) continue;
        from[axis] = move_clamp(l, ex_sub(l->b, index[axis], ex_index(l->b, begin)), size);
        const Expr *here = lower_load(l, n->inputs[i], from);
        const Expr *inside = ex_lt(l->b, index[axis], ex_index(l->b, end));
        element = element ? ex_select(l->b, inside, here, element) : here;
        end = begin;
    }
    return element ? element : ex_const(l->b, out->dtype, 0);
}
