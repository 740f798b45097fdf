/* exchange.c - Conv after a linear Resize becomes UpsampleConv, where that saves multiply-adds.
 *
 * REAL: products are taken before the interpolation, not after. */
#include "pass.h"

#include "ops/resize.h"

#include <string.h>

enum { LEAST_GAIN = 2 }; /* elements of the upsampled map for one of the small map */

static bool all_are(const Node *n, const char *name, int64_t value) {
    int count;
    const int64_t *ints = node_ints(n, name, &count);
    for (int i = 0; i < count; i++)
        if (ints[i] != value) return false;
    return true;
}

static bool is_simple_conv(const Node *n) {
    return n->op->id == OP_Conv && n->outputs[0]->rank == 4 && node_int(n, "group") == 1 &&
           all_are(n, "strides", 1) && all_are(n, "dilations", 1) &&
           !strcmp(node_string(n, "auto_pad"), "NOTSET") && n->inputs[1]->constant;
}

/* The Resize that alone feeds n and enlarges the two spatial axes; NULL if there is none. */
static Node *upsampling_before(const Node *n) {
    const Value *v = n->inputs[0];
    Node *r = v->producer;
    if (!r || r->op->id != OP_Resize || v->n_uses != 1 || v->is_output) return NULL;
    const Value *x = r->inputs[0];
    bool keeps =
        x->rank == 4 && x->dims[0].size == v->dims[0].size && x->dims[1].size == v->dims[1].size;
    return keeps && value_count(v) >= LEAST_GAIN * value_count(x) ? r : NULL;
}

/* UpsampleConv always has one. */
static Value *bias_of(Graph *g, const Node *n) {
    const Value *w = n->inputs[1];
    return node_has_input(n, 2)
               ? n->inputs[2]
               : graph_add_constant(g, "bias",
                                    tensor_new(g->unit->arena, w->dtype, 1, &w->dims[0].size));
}

static void exchange(Graph *g, const PassOptions *options, Node *n) {
    Node *r = is_simple_conv(n) ? upsampling_before(n) : NULL;
    const Tensor *source[2], *weight[2];
    if (!r || !resize_two_taps(g, r, 2, &source[0], &weight[0]) ||
        !resize_two_taps(g, r, 3, &source[1], &weight[1]))
        return;
    if (!rewrite_allowed(g, options, n)) return;
    remark(g, options, REMARK_MATCHED, n, "the products are taken before the upsampling by '%s'",
           r->name);
    Value *inputs[7] = {r->inputs[0], n->inputs[1], bias_of(g, n)};
    for (int a = 0; a < 2; a++) {
        inputs[3 + 2 * a] = graph_add_constant(g, a ? "source_x" : "source_y", source[a]);
        inputs[4 + 2 * a] = graph_add_constant(g, a ? "weight_x" : "weight_y", weight[a]);
    }
    int count;
    const int64_t none[4] = {0}, *pads = node_ints(n, "pads", &count);
    n->inputs = NEW_ARRAY(g->unit->arena, Value *, 7);
    for (int k = 0; k < 7; k++) n->inputs[k] = inputs[k];
    n->n_inputs = 7;
    n->op = op_infos + OP_UpsampleConv;
    if (!pads) pads = none;
    n->n_attrs = 0;
    node_set_ints(g, n, "pads", pads, 4);
}

bool pass_exchange(Graph *g, const PassOptions *options) {
    graph_count_uses(g);
    for (int i = 0; i < g->nodes.n; i++) exchange(g, options, g->nodes.at[i]);
    graph_sweep(g);
    return true;
}
