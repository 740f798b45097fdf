/* fuse_part.c - the sigmoid of some channels of a convolution runs where the convolution stores them.
 *
 *     y = Conv(x), Sigmoid(Slice(y)), Slice(y)            z = SigmoidWhere(Conv(x), these channels), Slice(z), Slice(z)
 *
 * So offsets and mask of a deformable convolution, one convolution by now, need no sweep of their own.  BIT: every
 * element is computed from the same one by the same formula. */
#include "match.h"
#include "pass.h"

#include <string.h>

typedef struct Channels { int64_t begin, end; } Channels;

/* The channels that a Slice takes; false: it takes them in steps, or cuts another axis. */
static bool takes_channels(const Node *slice, Channels *c) {
    const Value *in = slice->inputs[0], *out = slice->outputs[0];
    Cut cut;
    if (slice->op->id != OP_Slice || !value_is_static(in) || !value_is_static(out) || in->rank < 3 || !match_cut(slice, &cut))
        return false;
    for (int d = 0; d < in->rank; d++)
        if (cut.step[d] != 1 || (d != 1 && in->dims[d].size != out->dims[d].size)) return false;
    *c = (Channels){cut.begin[1], cut.begin[1] + out->dims[1].size};
    return true;
}

/* Everybody else who reads y takes other channels. */
static bool others_are_apart(const Graph *g, const Value *y, const Node *slice, Channels own) {
    int64_t seen = 0;
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        Channels c;
        if (n->dead || n->n_inputs < 1 || n->inputs[0] != y) continue;
        seen++;
        if (n != slice && (!takes_channels(n, &c) || (c.begin < own.end && own.begin < c.end))) return false;
    }
    return seen == y->n_uses;
}

static Value *marks(Graph *g, const Value *y, Channels own) {
    int64_t dims[MAX_RANK];
    for (int d = 0; d < y->rank; d++) dims[d] = d == 1 ? y->dims[1].size : 1;
    Tensor *t = tensor_new(g->unit->arena, y->dtype, y->rank, dims);
    const Tensor *one = tensor_scalar(g->unit->arena, y->dtype, 1);
    size_t bytes = (size_t)dtypes[y->dtype].bytes;
    for (int64_t c = own.begin; c < own.end; c++) memcpy((char *)t->data + (size_t)c * bytes, one->data, bytes);
    return graph_add_constant(g, "marks", t);
}

static bool sigmoid_of_part(Graph *g, const PassOptions *options, Node *n) {
    Node *slice = n->op->id == OP_Sigmoid ? match_single(n->inputs[0], OP_Slice) : NULL;
    Channels own;
    if (!slice || !takes_channels(slice, &own)) return false;
    Value *y = slice->inputs[0];
    Node *conv = match_op(y, OP_Conv) ? y->producer : match_op(y, OP_TapSum);
    if (!conv || y->is_output) return false;
    if (!others_are_apart(g, y, slice, own)) {
        remark(g, options, REMARK_MISSED, n, "not where '%s' stores: the same channels are read without it", conv->name);
        return false;
    }
    if (!rewrite_allowed(g, options, n)) return false;
    remark(g, options, REMARK_MATCHED, n, "on channels %d to %d where '%s' stores them", (int)own.begin,
           (int)own.end - 1, conv->name);
    Value *inputs[] = {y, marks(g, y, own)};
    Value *z = node_close(g, node_open(g, n, OP_SigmoidWhere, inputs, 2));
    graph_replace_uses(g, y, z);
    z->producer->inputs[0] = y;
    node_become(g, n, slice->outputs[0]);
    return true;
}

bool pass_fuse_part(Graph *g, const PassOptions *options) {
    static RewriteFn *const rewrites[] = {sigmoid_of_part};
    rewrite_everywhere(g, options, rewrites, 1);
    return true;
}
