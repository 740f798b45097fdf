/* fuse_parallel.c - convolutions that read the same map with the same geometry become one, whose
 * channels are sliced.
 *
 * It pays where whoever reads the slices takes them element by element; a convolution behind one
 * would want its channels in a map of their own, so that a copy would be made: such are left alone.
 * REAL: a sum may be cut elsewhere. */
#include "match.h"
#include "parallel.h"
#include "pass.h"

#include <string.h>

enum { MOST_JOINED = 8, DEEPEST = 8 };

bool conv_can_join(const Node *n) {
    if (n->op->id != OP_Conv || node_int(n, "group") != 1 || !n->inputs[1]->constant) return false;
    return (!node_has_input(n, 2) || n->inputs[2]->constant) && !n->outputs[0]->is_output;
}

static bool same_list(const Node *a, const Node *b, const char *name) {
    int na, nb;
    const int64_t *x = node_ints(a, name, &na), *y = node_ints(b, name, &nb);
    return na == nb && (!na || !memcmp(x, y, (size_t)na * sizeof *x));
}

static bool same_kernel(const Node *a, const Node *b) {
    const Value *x = a->inputs[1], *y = b->inputs[1];
    if (x->rank != y->rank || x->dtype != y->dtype) return false;
    for (int d = 1; d < x->rank; d++)
        if (x->dims[d].size != y->dims[d].size) return false;
    return true;
}

static bool same_geometry(const Node *a, const Node *b) {
    return same_kernel(a, b) && same_list(a, b, "pads") && same_list(a, b, "strides") &&
           same_list(a, b, "dilations") &&
           !strcmp(node_string(a, "auto_pad"), node_string(b, "auto_pad"));
}

Node *parallel_conv(const Graph *g, const Node *n, const Value *x) {
    for (int i = 0; i < g->nodes.n; i++) {
        Node *other = g->nodes.at[i];
        if (other == n || other->dead || other->op->id != OP_Conv || other->inputs[0] != x)
            continue;
        if (conv_can_join(other) && same_geometry(n, other)) return other;
    }
    return NULL;
}

/* Whoever reads v takes it element by element. */
static bool is_read_by_element(const Graph *g, const Value *v, int depth) {
    if (v->is_output || depth > DEEPEST) return false;
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        for (int k = 0; k < n->n_inputs && !n->dead; k++) {
            if (n->inputs[k] != v) continue;
            bool deform = n->op->id == OP_DeformConv && (k == 2 || k == 4);
            bool passes_on = n->op->kind == OK_ELEM && n->n_outputs == 1;
            bool takes = deform || n->op->kind == OK_EXPAND || n->op->kind == OK_REDUCE;
            if (!takes && !(passes_on && is_read_by_element(g, n->outputs[0], depth + 1)))
                return false;
        }
    }
    return true;
}

/* The weights, or biases, one behind the other. */
static Value *joined(Graph *g, Node *const *convs, int n, int input) {
    const Tensor *first = convs[0]->inputs[1]->constant;
    size_t bytes = (size_t)dtypes[first->dtype].bytes, at = 0;
    int64_t dims[MAX_RANK], channels = 0;
    memcpy(dims, first->dims, (size_t)first->rank * sizeof *dims);
    for (int i = 0; i < n; i++) channels += convs[i]->inputs[1]->dims[0].size;
    dims[0] = channels;
    Tensor *t = tensor_new(g->unit->arena, first->dtype, input == 1 ? first->rank : 1, dims);
    for (int i = 0; i < n; i++) {
        int64_t own = convs[i]->inputs[1]->dims[0].size,
                count = input == 1 ? value_count(convs[i]->inputs[1]) : own;
        if (node_has_input(convs[i], input))
            memcpy((char *)t->data + at, convs[i]->inputs[input]->constant->data,
                   (size_t)count * bytes);
        at += (size_t)count * bytes;
    }
    return graph_add_constant(g, convs[0]->inputs[1]->name, t);
}

/* The one with most channels first: where a slice begins matters to vectors. */
static void put_in_order(Node **convs, int n) {
    for (int i = 1; i < n; i++)
        for (int j = i;
             j > 0 && convs[j]->inputs[1]->dims[0].size > convs[j - 1]->inputs[1]->dims[0].size;
             j--) {
            Node *other = convs[j];
            convs[j] = convs[j - 1];
            convs[j - 1] = other;
        }
}

static int find_parallel(const Graph *g, Node *n, Node **convs) {
    int count = 0;
    for (int i = 0; i < g->nodes.n && count < MOST_JOINED; i++) {
        Node *other = g->nodes.at[i];
        if (other->dead || other->op->id != OP_Conv || other->inputs[0] != n->inputs[0]) continue;
        if (!conv_can_join(other) || !same_geometry(n, other)) continue;
        if (is_read_by_element(g, other->outputs[0], 0)) convs[count++] = other;
    }
    return count;
}

static bool join(Graph *g, const PassOptions *options, Node *n) {
    Node *convs[MOST_JOINED];
    if (!conv_can_join(n) || !parallel_conv(g, n, n->inputs[0])) return false;
    int count = find_parallel(g, n, convs);
    if (count < 2) {
        remark(g, options, REMARK_MISSED, n,
               "not joined with its neighbour: a convolution behind one would want a copy");
        return false;
    }
    if (convs[0] != n || !rewrite_allowed(g, options, n)) return false;
    remark(g, options, REMARK_MATCHED, n, "%d convolutions of one map are one", count);
    put_in_order(convs, count);
    Value *inputs[] = {n->inputs[0], joined(g, convs, count, 1), joined(g, convs, count, 2)};
    Node *made = node_open(g, convs[0], OP_Conv, inputs, 3);
    copy_attrs(g, made, n);
    Value *all = node_close(g, made);
    int64_t at = 0;
    for (int i = 0; i < count; i++) {
        int64_t channels = convs[i]->inputs[1]->dims[0].size;
        node_become(g, convs[i], make_sliced(g, convs[i], all, 1, at, at + channels));
        at += channels;
    }
    return true;
}

bool pass_fuse_parallel(Graph *g, const PassOptions *options) {
    static RewriteFn *const rewrites[] = {join};
    rewrite_everywhere(g, options, rewrites, 1);
    return true;
}
