/* fuse_pad.c - a Pad of spatial axes before what can pad by itself.
 *
 *     zeros before Conv, and before an AveragePool that then counts them;  -infinity before MaxPool
 *
 * BIT: the same numbers are read. */
#include "match.h"
#include "pass.h"

#include <math.h>
#include <string.h>

/* What n itself pads with. */
static bool own_padding(const Node *n, double *fill) {
    bool counts = node_int(n, "count_include_pad") || !node_has(n, "pads");
    *fill = n->op->id == OP_MaxPool ? -INFINITY : 0;
    return n->op->id == OP_Conv || n->op->id == OP_MaxPool ||
           (n->op->id == OP_AveragePool && counts);
}

static bool pads_with(const Node *pad, double fill) {
    const char *mode = node_string(pad, "mode");
    if (mode && strcmp(mode, "constant")) return false;
    return node_has_input(pad, 2) ? match_scalar_is(pad->inputs[2], fill) : fill == 0;
}

/* Amounts of the spatial axes in the order of a window's pads, with those that n has; false: other
 * axes too. */
static bool joined_pads(const Node *pad, const Node *n, int64_t *pads) {
    Ints amounts;
    int rank = pad->inputs[0]->rank, axes = rank - 2, count;
    const int64_t *own = node_ints(n, "pads", &count);
    if (node_has_input(pad, 3) || !match_ints(pad->inputs[1], &amounts) || amounts.n != 2 * rank)
        return false;
    for (int d = 0; d < 2 * rank; d++) {
        if (d % rank < 2 ? amounts.at[d] != 0 : amounts.at[d] < 0) return false;
        if (d % rank < 2) continue;
        int at = d % rank - 2 + (d < rank ? 0 : axes);
        pads[at] = amounts.at[d] + (own ? own[at] : 0);
    }
    return true;
}

/* A pool's window may not lie in the padding alone. */
static bool smaller_than_window(const Node *n, const int64_t *pads, int axes) {
    int count;
    const int64_t *kernel = node_ints(n, "kernel_shape", &count);
    if (n->op->id == OP_Conv) return true;
    for (int d = 0; d < 2 * axes; d++)
        if (!kernel || pads[d] >= kernel[d % axes]) return false;
    return !node_int(n, "ceil_mode");
}

static bool pad_before(Graph *g, const PassOptions *options, Node *n) {
    double fill;
    int64_t pads[2 * MAX_RANK];
    if (!own_padding(n, &fill)) return false;
    const Node *pad = match_op(n->inputs[0], OP_Pad);
    if (!pad || !value_is_static(pad->inputs[0]) || pad->inputs[0]->rank < 3) return false;
    const char *mode = node_string(n, "auto_pad");
    int axes = pad->inputs[0]->rank - 2;
    bool fits = pads_with(pad, fill) && (!mode || !strcmp(mode, "NOTSET")) &&
                joined_pads(pad, n, pads) && smaller_than_window(n, pads, axes);
    if (!fits) {
        remark(g, options, REMARK_MISSED, n,
               "'%s' is no padding of spatial axes with what it pads with itself", pad->name);
        return false;
    }
    if (!rewrite_allowed(g, options, n)) return false;
    remark(g, options, REMARK_MATCHED, n, "pads by itself, instead of '%s'", pad->name);
    node_set_ints(g, n, "pads", pads, 2 * axes);
    if (n->op->id == OP_AveragePool) node_set_int(g, n, "count_include_pad", 1);
    n->inputs[0] = pad->inputs[0];
    return true;
}

bool pass_fuse_pad(Graph *g, const PassOptions *options) {
    static RewriteFn *const rewrites[] = {pad_before};
    rewrite_everywhere(g, options, rewrites, 1);
    return true;
}
