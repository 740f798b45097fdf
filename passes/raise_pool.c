/* raise_pool.c - a mean or maximum over all spatial axes is GlobalAveragePool or GlobalMaxPool,
 * however it is written:
 *
 *     ReduceMean, ReduceMax over axes 2.. of N x C x ...;  AveragePool, MaxPool with a window as
 * large as the map
 *
 * and a Slice of channels behind it is taken before it.  REAL: sums may be in another order. */
#include "match.h"
#include "pass.h"

static OpId global_pool_of(OpId op) {
    switch ((int)op) {
    case OP_ReduceMean:
    case OP_AveragePool: return OP_GlobalAveragePool;
    case OP_ReduceMax:
    case OP_MaxPool: return OP_GlobalMaxPool;
    default: return OP_NONE;
    }
}

static bool ints_are(const Node *n, const char *name, int64_t want) {
    int count;
    const int64_t *at = node_ints(n, name, &count);
    for (int i = 0; at && i < count; i++)
        if (at[i] != want) return false;
    return true;
}

static bool window_is_map(const Node *n) {
    int count;
    const int64_t *kernel = node_ints(n, "kernel_shape", &count);
    const Value *x = n->inputs[0];
    if (n->n_outputs > 1 || !kernel || count != x->rank - 2 || node_has(n, "auto_pad") ||
        node_int(n, "ceil_mode"))
        return false;
    for (int d = 0; d < count; d++)
        if (kernel[d] != x->dims[d + 2].size) return false;
    return ints_are(n, "pads", 0) && ints_are(n, "dilations", 1);
}

static bool reduces_map(const Node *n) {
    unsigned spatial = (1u << n->inputs[0]->rank) - 1 - 3;
    return reduced_axes(n) == spatial;
}

static bool raise_pool(Graph *g, const PassOptions *options, Node *n) {
    OpId op = global_pool_of(n->op->id);
    if (!op || n->n_inputs < 1) return false;
    Value *x = n->inputs[0], *out = n->outputs[0];
    if (x->rank < 3 || !value_is_static(x) || !dtype_is_float(x->dtype)) return false;
    bool reduces = n->op->kind == OK_REDUCE;
    if (!(reduces ? reduces_map(n) : window_is_map(n)) || !rewrite_allowed(g, options, n))
        return false;
    remark(g, options, REMARK_MATCHED, n, "%s over the whole map", n->op->name);
    int64_t dims[MAX_RANK];
    Value *pooled = make_op(g, n, op, x, NULL);
    node_become(g, n,
                same_shape(pooled, out)
                    ? pooled
                    : make_reshaped(g, n, pooled, value_sizes(out, dims), out->rank));
    return true;
}

static bool is_global_pool(const Node *n) {
    return n && (n->op->id == OP_GlobalAveragePool || n->op->id == OP_GlobalMaxPool);
}

/* Slice(pool(x)) of channels is pool(Slice(x)): the others need not be pooled. */
static bool slice_before_pool(Graph *g, const PassOptions *options, Node *n) {
    const Node *pool =
        n->op->id == OP_Slice && n->inputs[0]->n_uses == 1 ? n->inputs[0]->producer : NULL;
    Ints axes;
    if (!is_global_pool(pool) || !node_has_input(n, 3) || !match_ints(n->inputs[3], &axes))
        return false;
    if (axes.n != 1 || axes.at[0] != 1 || n->inputs[0]->is_output ||
        !rewrite_allowed(g, options, n))
        return false;
    remark(g, options, REMARK_MATCHED, n, "only these channels are pooled");
    Value *inputs[5] = {pool->inputs[0]};
    for (int k = 1; k < n->n_inputs; k++) inputs[k] = n->inputs[k];
    Value *part = node_close(g, node_open(g, n, OP_Slice, inputs, n->n_inputs));
    node_become(g, n, make_op(g, pool, pool->op->id, part, NULL));
    return true;
}

bool pass_raise_pool(Graph *g, const PassOptions *options) {
    static RewriteFn *const rewrites[] = {raise_pool, slice_before_pool};
    rewrite_everywhere(g, options, rewrites, (int)(sizeof rewrites / sizeof *rewrites));
    return true;
}
