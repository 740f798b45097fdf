/* simplify.c - nodes that exporters write at length and that are one node of another kind.
 *
 * BIT: only data movement is rewritten. */
#include "pass.h"

/* Concat of one value with itself: Tile.  (A mask repeated over the channels is exported so, with
 * as many inputs.) */
static void concat_of_one(Graph *g, const PassOptions *options, Node *n) {
    Value *in = n->inputs[0], *out = n->outputs[0];
    if (n->op->id != OP_Concat || n->n_inputs < 2 || out->rank < 0) return;
    for (int k = 1; k < n->n_inputs; k++)
        if (n->inputs[k] != in) return;
    if (!rewrite_allowed(g, options, n)) return;
    remark(g, options, REMARK_MATCHED, n, "a Concat of one value, %d times, is a Tile",
           n->n_inputs);
    int64_t axis = node_int(n, "axis"),
            *repeats = NEW_ARRAY(g->unit->arena, int64_t, out->rank + 1);
    for (int d = 0; d < out->rank; d++) repeats[d] = 1;
    repeats[axis < 0 ? axis + out->rank : axis] = n->n_inputs;
    Value *count =
        graph_add_constant(g, "repeats", tensor_from_ints(g->unit->arena, repeats, out->rank));
    n->op = op_infos + OP_Tile;
    n->n_inputs = 2;
    n->inputs[1] = count;
    node_drop_attr(n, "axis");
}

bool pass_simplify(Graph *g, const PassOptions *options) {
    for (int i = 0; i < g->nodes.n; i++) concat_of_one(g, options, g->nodes.at[i]);
    return true;
}
