/* fuse_branches.c - a map that is scaled in several ways, pixel by pixel, and joined, is not made.
 *
 *     x = Concat(c * s1, c * s2), s1 and s2 of one channel each
 *     DeformConv(x, w, ..)         BranchDeformConv(c, w, .., Concat(s1, s2)): c's neighbours are loaded once, and weighted
 *                                  for each branch
 *     Conv(x, w, b)                TapSum(Conv 1x1 (c, w by branch, tap and output), Concat(s1, s2), b): as many products
 *
 * All readers of x are rewritten, or none.  So ACSNet's spatial attention neither stores its two branches nor gathers
 * twice.  REAL: the scales are multiplied later, and sums run in another order. */
#include "match.h"
#include "pass.h"

#include <string.h>

enum { MOST_BRANCHES = 4, MOST_READERS = 4 };

typedef struct Branches {
    Node *concat;
    Value *map, *scales[MOST_BRANCHES];
    int n;
    Node *readers[MOST_READERS];
    int n_readers;
    bool has_deform;
} Branches;

/* Whether one factor of v is the map (any, if there is none yet), the other one channel of its size. */
static bool find_branch(Value *v, Branches *b) {
    const Node *mul = match_single(v, OP_Mul);
    for (int k = 0; mul && k < 2; k++) {
        Value *map = mul->inputs[k], *scale = mul->inputs[1 - k];
        if ((b->map && map != b->map) || map->constant || !same_shape(map, v) || scale->rank != 4) continue;
        bool fits = scale->dims[0].size == map->dims[0].size && scale->dims[1].size == 1 &&
                    scale->dims[2].size == map->dims[2].size && scale->dims[3].size == map->dims[3].size;
        if (!fits || map->dims[1].size == 1) continue;
        b->map = map;
        b->scales[b->n++] = scale;
        return true;
    }
    return false;
}

static bool all_are(const Node *n, const char *name, int64_t value) {
    int count;
    const int64_t *ints = node_ints(n, name, &count);
    for (int i = 0; i < count; i++)
        if (ints[i] != value) return false;
    return true;
}

static bool is_plain_deform(const Node *n, const Value *x) {
    if (n->op->id != OP_DeformConv || n->inputs[0] != x) return false;
    for (int k = 1; k < n->n_inputs; k++)
        if (n->inputs[k] == x) return false;
    return node_int(n, "group") == 1 && node_int(n, "offset_group") == 1;
}

/* A convolution that has no more products than its input has channels, so that storing them is no loss. */
static bool is_narrow_conv(const Node *n, const Value *x) {
    if (n->op->id != OP_Conv || n->inputs[0] != x || !n->inputs[1]->constant) return false;
    const Dim *w = n->inputs[1]->dims;
    return node_int(n, "group") == 1 && all_are(n, "strides", 1) && all_are(n, "dilations", 1) &&
           !strcmp(node_string(n, "auto_pad"), "NOTSET") && w[0].size * w[2].size * w[3].size <= w[1].size;
}

static const char *find_readers(const Graph *g, Branches *b) {
    const Value *x = b->concat->outputs[0];
    int seen = 0;
    for (int i = 0; i < g->nodes.n; i++) {
        Node *n = g->nodes.at[i];
        for (int k = 0; k < n->n_inputs && !n->dead; k++) {
            if (n->inputs[k] != x) continue;
            bool deform = is_plain_deform(n, x);
            if (!deform && !is_narrow_conv(n, x)) return "is read by what is neither a deformable nor a narrow convolution";
            if (seen == MOST_READERS) return "has many readers";
            b->readers[seen++] = n;
            b->has_deform |= deform;
        }
    }
    b->n_readers = seen;
    return seen == x->n_uses && !x->is_output ? NULL : "is read elsewhere, too";
}

static Value *joined_scales(Graph *g, const Branches *b) {
    Node *made = node_open(g, b->concat, OP_Concat, b->scales, b->n);
    node_set_int(g, made, "axis", 1);
    return node_close(g, made);
}

/* Kept attributes are what both operators have. */
static void fuse_deform(Graph *g, const Branches *b, Node *n, Value *scale) {
    Value *inputs[] = {b->map, n->inputs[1], n->inputs[2], NULL, NULL, scale};
    for (int k = 3; k < n->n_inputs; k++) inputs[k] = n->inputs[k];
    Node *made = node_open(g, n, OP_BranchDeformConv, inputs, 6);
    copy_attrs(g, made, n);
    node_become(g, n, node_close(g, made));
}

/* [output, branch and channel, tap] to [branch, tap, output; channel]. */
static Value *by_branch_and_tap(Graph *g, const Branches *b, const Value *w) {
    const Tensor *t = w->constant;
    int64_t outputs = t->dims[0], channels = t->dims[1] / b->n, taps = t->dims[2] * t->dims[3];
    int64_t dims[] = {b->n * taps * outputs, channels, 1, 1};
    Tensor *made = tensor_new(g->unit->arena, t->dtype, 4, dims);
    size_t bytes = (size_t)dtypes[t->dtype].bytes;
    for (int64_t to = 0; to < made->count; to++) {
        int64_t channel = to % channels, output = to / channels % outputs, tap = to / channels / outputs % taps;
        int64_t branch = to / channels / outputs / taps;
        int64_t from = (output * b->n * channels + branch * channels + channel) * taps + tap;
        memcpy((char *)made->data + (size_t)to * bytes, (const char *)t->data + (size_t)from * bytes, bytes);
    }
    return graph_add_constant(g, w->name, made);
}

static void fuse_conv(Graph *g, const Branches *b, Node *n, Value *scale) {
    const Value *w = n->inputs[1];
    int64_t kernel[] = {w->dims[2].size, w->dims[3].size}, none[4] = {0};
    int count;
    const int64_t *pads = node_ints(n, "pads", &count);
    Value *inputs[] = {b->map, by_branch_and_tap(g, b, w)};
    Value *products = node_close(g, node_open(g, n, OP_Conv, inputs, 2));
    Value *bias = node_has_input(n, 2)
                      ? n->inputs[2]
                      : graph_add_constant(g, "bias", tensor_new(g->unit->arena, w->dtype, 1, &w->dims[0].size));
    Node *made = node_open(g, n, OP_TapSum, (Value *[]){products, scale, bias}, 3);
    node_set_ints(g, made, "kernel_shape", kernel, 2);
    node_set_ints(g, made, "pads", pads ? pads : none, 4);
    node_become(g, n, node_close(g, made));
}

static bool fuse_branches(Graph *g, const PassOptions *options, Node *n) {
    Branches b = {.concat = n};
    if (n->op->id != OP_Concat || !is_image(n->outputs[0]) || value_axis(n, "axis") != 1) return false;
    if (n->n_inputs < 2 || n->n_inputs > MOST_BRANCHES) return false;
    for (int k = 0; k < n->n_inputs; k++)
        if (!find_branch(n->inputs[k], &b)) return false;
    const char *why = find_readers(g, &b);
    if (!why && !b.has_deform) return false;
    if (why) {
        remark(g, options, REMARK_MISSED, n, "its branches stay apart: it %s", why);
        return false;
    }
    if (!rewrite_allowed(g, options, n)) return false;
    remark(g, options, REMARK_MATCHED, n, "%d scalings of one map are not made, but where they are read", b.n);
    Value *scale = joined_scales(g, &b);
    for (int i = 0; i < b.n_readers; i++)
        (b.readers[i]->op->id == OP_Conv ? fuse_conv : fuse_deform)(g, &b, b.readers[i], scale);
    return true;
}

bool pass_fuse_branches(Graph *g, const PassOptions *options) {
    static RewriteFn *const rewrites[] = {fuse_branches};
    rewrite_everywhere(g, options, rewrites, 1);
    return true;
}
