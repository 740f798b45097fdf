/* flatten.c - a vector for every image, from maps of one pixel, is reduced as a vector: for the lowering, which would
 * store the maps, and copy them to where the matrix product behind wants its input.
 *
 *     Reshape (N x C) of GlobalAveragePool, GlobalMaxPool      ReduceMean, ReduceMax without the reduced axes
 *     Reshape (N x C) of Concat along the channels             Concat of Reshape
 *
 * BIT: the same sums in the same order. */
#include "match.h"
#include "pass.h"

/* N x C x 1 x ... */
static bool is_pixel(const Value *v) {
    if (v->rank < 3 || !value_is_static(v)) return false;
    for (int d = 2; d < v->rank; d++)
        if (v->dims[d].size != 1) return false;
    return true;
}

/* What n reshapes to N x C, and nothing else reads. */
static Value *flattened(const Node *n) {
    if (n->op->id != OP_Reshape || !value_is_private(n->inputs[0]) || !is_pixel(n->inputs[0])) return NULL;
    const Value *in = n->inputs[0], *out = n->outputs[0];
    bool fits = out->rank == 2 && out->dims[0].size == in->dims[0].size && out->dims[1].size == in->dims[1].size;
    return fits ? n->inputs[0] : NULL;
}

static bool flatten_pool(Graph *g, const PassOptions *options, Node *n) {
    Value *pixel = flattened(n);
    Node *mean = match_op(pixel, OP_GlobalAveragePool), *pool = mean ? mean : match_op(pixel, OP_GlobalMaxPool);
    if (!pool || !rewrite_allowed(g, options, n)) return false;
    remark(g, options, REMARK_MATCHED, n, "%s gives a vector at once", pool->op->name);
    int64_t axes[MAX_RANK];
    int rank = pool->inputs[0]->rank;
    for (int d = 2; d < rank; d++) axes[d - 2] = d;
    Value *inputs[] = {pool->inputs[0], make_int_vector(g, "axes", axes, rank - 2)};
    Node *made = node_open(g, pool, mean ? OP_ReduceMean : OP_ReduceMax, inputs, 2);
    node_set_int(g, made, "keepdims", 0);
    node_become(g, n, node_close(g, made));
    return true;
}

static bool flatten_concat(Graph *g, const PassOptions *options, Node *n) {
    const Node *concat = match_op(flattened(n), OP_Concat);
    if (!concat || value_axis(concat, "axis") != 1 || !rewrite_allowed(g, options, n)) return false;
    remark(g, options, REMARK_MATCHED, n, "vectors are joined, not maps of one pixel");
    Value **parts = NEW_ARRAY(g->unit->arena, Value *, concat->n_inputs);
    for (int k = 0; k < concat->n_inputs; k++) {
        int64_t dims[] = {concat->inputs[k]->dims[0].size, concat->inputs[k]->dims[1].size};
        parts[k] = make_reshaped(g, n, concat->inputs[k], dims, 2);
    }
    Node *made = node_open(g, concat, OP_Concat, parts, concat->n_inputs);
    node_set_int(g, made, "axis", 1);
    node_become(g, n, node_close(g, made));
    return true;
}

bool pass_flatten(Graph *g, const PassOptions *options) {
    static RewriteFn *const rewrites[] = {flatten_pool, flatten_concat};
    rewrite_everywhere(g, options, rewrites, (int)(sizeof rewrites / sizeof *rewrites));
    return true;
}
