/* fuse_gate.c - factors that are one number an image are taken out of sums and pulled through
 * convolutions.
 *
 *     x * a + x * b  ->  x * (a + b)                    a, b smaller than x
 *     conv(x * s)    ->  conv(x) * s, then the bias     s one number an image; only where another
 * convolution of the same geometry reads x, with which it becomes one (fuse_parallel)
 *
 * REAL. */
#include "match.h"
#include "parallel.h"
#include "pass.h"

/* Of Add(Mul(x, a), Mul(x, b)): x. */
static Value *common_factor(const Node *left, const Node *right, Value **a, Value **b) {
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            if (left->inputs[i] != right->inputs[j]) continue;
            *a = left->inputs[1 - i];
            *b = right->inputs[1 - j];
            return left->inputs[i];
        }
    return NULL;
}

static bool distribute_back(Graph *g, const PassOptions *options, Node *n) {
    if (n->op->id != OP_Add || !dtype_is_float(n->outputs[0]->dtype)) return false;
    const Node *left = match_single(n->inputs[0], OP_Mul),
               *right = match_single(n->inputs[1], OP_Mul);
    Value *a, *b, *x = left && right ? common_factor(left, right, &a, &b) : NULL;
    if (!x || !same_shape(x, n->outputs[0])) return false;
    if (value_count(a) >= value_count(x) || value_count(b) >= value_count(x)) {
        remark(g, options, REMARK_MISSED, n,
               "the common factor stays: what would be added is no smaller than it");
        return false;
    }
    if (!rewrite_allowed(g, options, n)) return false;
    remark(g, options, REMARK_MATCHED, n, "x * a + x * b is x * (a + b)");
    node_become(g, n, make_op(g, n, OP_Mul, x, make_op(g, n, OP_Add, a, b)));
    return true;
}

/* One number an image: [N,1,1,1], or a scalar of a batch of one. */
static bool is_image_scalar(const Value *s, const Value *x) {
    if (s->constant || s->rank > x->rank) return false;
    if (value_count(s) == 1) return true;
    return s->rank == x->rank && s->dims[0].size == x->dims[0].size &&
           value_count(s) == s->dims[0].size;
}

static Value *along_channels(Graph *g, const Node *like, Value *bias, int rank) {
    int64_t dims[MAX_RANK];
    for (int d = 0; d < rank; d++) dims[d] = d == 1 ? value_count(bias) : 1;
    Tensor *t = tensor_new(g->unit->arena, bias->dtype, rank, dims);
    t->data = bias->constant->data;
    return graph_add_constant(g, like->name, t);
}

static bool gate_through_conv(Graph *g, const PassOptions *options, Node *n) {
    if (n->op->id != OP_Conv || !conv_can_join(n)) return false;
    const Node *mul = match_single(n->inputs[0], OP_Mul);
    if (!mul) return false;
    for (int k = 0; k < 2; k++) {
        Value *x = mul->inputs[k], *s = mul->inputs[1 - k];
        if (x->rank < 3 || !same_shape(x, n->inputs[0]) || !is_image_scalar(s, x)) continue;
        if (!parallel_conv(g, n, x)) {
            remark(g, options, REMARK_MISSED, n,
                   "the gate stays before it: no convolution of its geometry reads the same map");
            return false;
        }
        if (!rewrite_allowed(g, options, n)) return false;
        remark(g, options, REMARK_MATCHED, n, "the gate goes behind it");
        Value *inputs[] = {x, n->inputs[1]};
        Node *conv = node_open(g, n, OP_Conv, inputs, 2);
        copy_attrs(g, conv, n);
        Value *y = make_op(g, n, OP_Mul, node_close(g, conv), s);
        if (node_has_input(n, 2))
            y = make_op(g, n, OP_Add, y, along_channels(g, n, n->inputs[2], y->rank));
        node_become(g, n, y);
        return true;
    }
    return false;
}

bool pass_fuse_gate(Graph *g, const PassOptions *options) {
    static RewriteFn *const rewrites[] = {distribute_back, gate_through_conv};
    rewrite_everywhere(g, options, rewrites, (int)(sizeof rewrites / sizeof *rewrites));
    return true;
}
