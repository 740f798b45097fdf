/* tidy.c - one way to write what moves no data, or moves it twice.
 *
 * Identity and whatever else gives its input is gone; Flatten, Squeeze and Unsqueeze are Reshape,
 * two in a row one; two Transpose in a row are one; a Slice looks through a Concat to what it
 * takes; what only repeats elements before an operator that broadcasts is gone; attributes that say
 * the default, or do not matter, are dropped, so that equal nodes look equal.  BIT: no number is
 * touched. */
#include "match.h"
#include "pass.h"

#include "infer.h"

#include <stdlib.h>
#include <string.h>

/* Slice of a static value: per axis where it begins, its step. */
static bool all_forward(const Node *n) {
    Ints steps;
    if (!node_has_input(n, 4)) return true;
    if (!match_ints(n->inputs[4], &steps)) return false;
    for (int i = 0; i < steps.n; i++)
        if (steps.at[i] < 1) return false;
    return true;
}

static bool all_of(const Ints *x, int64_t want) {
    for (int i = 0; i < x->n; i++)
        if (x->at[i] != want) return false;
    return true;
}

static bool keeps_order(const Node *n) {
    int count;
    const int64_t *perm = node_ints(n, "perm", &count);
    int64_t last = -1;
    for (int d = 0; d < n->outputs[0]->rank; d++) {
        int64_t from = perm ? perm[d] : n->outputs[0]->rank - 1 - d;
        if (n->outputs[0]->dims[d].size == 1) continue;
        if (from < last) return false;
        last = from;
    }
    return true;
}

/* Every element of the output is the input's at the same flat place. */
static bool moves_nothing(const Node *n) {
    Ints given;
    if (n->n_inputs < 1 || !n->inputs[0] || n->inputs[0]->dtype != n->outputs[0]->dtype)
        return false;
    switch ((int)n->op->id) {
    case OP_Identity:
    case OP_Cast:
    case OP_Reshape:
    case OP_Flatten:
    case OP_Squeeze:
    case OP_Unsqueeze: return true;
    case OP_Expand:
    case OP_Tile: return value_count(n->inputs[0]) == value_count(n->outputs[0]);
    case OP_Slice: return same_shape(n->inputs[0], n->outputs[0]) && all_forward(n);
    case OP_Pad:
        return node_has_input(n, 1) && match_ints(n->inputs[1], &given) && all_of(&given, 0);
    case OP_Concat: return n->n_inputs == 1;
    case OP_Split: return n->n_outputs == 1;
    case OP_Transpose: return keeps_order(n);
    case OP_Sum:
    case OP_Max:
    case OP_Min:
    case OP_Mean: return n->n_inputs == 1;
    default: return false;
    }
}

static bool is_static_node(const Node *n) {
    for (int k = 0; k < n->n_inputs; k++)
        if (n->inputs[k] && !value_is_static(n->inputs[k])) return false;
    return n->n_outputs >= 1 && n->outputs[0] && value_is_static(n->outputs[0]);
}

/* A node that moves nothing is gone, or a Reshape where it changes the shape. */
static bool drop_or_reshape(Graph *g, const PassOptions *options, Node *n) {
    if (!is_static_node(n) || !moves_nothing(n)) return false;
    int64_t dims[MAX_RANK];
    Value *x = n->inputs[0], *out = n->outputs[0];
    const Node *before = match_op(x, OP_Reshape);
    bool same = same_shape(x, out), twice = before && !same,
         back = twice && same_shape(before->inputs[0], out);
    if (!same && !twice && n->op->id == OP_Reshape) return false;
    if (out->is_output && (x->is_input || x->is_output || x->constant) && same) return false;
    if (!rewrite_allowed(g, options, n)) return false;
    remark(g, options, REMARK_MATCHED, n,
           same || back ? "gives its input" : "only gives another shape: a Reshape");
    if (twice) x = before->inputs[0];
    node_become(g, n, same || back ? x : make_reshaped(g, n, x, value_sizes(out, dims), out->rank));
    return true;
}

static bool merge_transposes(Graph *g, const PassOptions *options, Node *n) {
    const Node *before = n->op->id == OP_Transpose ? match_op(n->inputs[0], OP_Transpose) : NULL;
    if (!before || !is_static_node(n)) return false;
    int rank = n->outputs[0]->rank, count;
    int64_t perm[MAX_RANK];
    const int64_t *late = node_ints(n, "perm", &count), *early = node_ints(before, "perm", &count);
    for (int d = 0; d < rank; d++) {
        int64_t middle = late ? late[d] : rank - 1 - d;
        perm[d] = early ? early[middle] : rank - 1 - middle;
    }
    if (!rewrite_allowed(g, options, n)) return false;
    remark(g, options, REMARK_MATCHED, n, "two Transpose in a row are one");
    Node *made = node_open(g, n, OP_Transpose, &before->inputs[0], 1);
    node_set_ints(g, made, "perm", perm, rank);
    node_become(g, n, node_close(g, made));
    return true;
}

/* A Slice along one axis of a Concat along the same, which falls into one of the joined values. */
static bool slice_of_concat(Graph *g, const PassOptions *options, Node *n) {
    const Node *concat = n->op->id == OP_Slice ? match_op(n->inputs[0], OP_Concat) : NULL;
    Cut cut;
    if (!concat || !is_static_node(n) || !match_cut(n, &cut)) return false;
    int axis = value_axis(concat, "axis");
    const Value *in = n->inputs[0], *out = n->outputs[0];
    for (int d = 0; d < in->rank; d++)
        if (d == axis ? cut.step[d] != 1 : in->dims[d].size != out->dims[d].size || cut.step[d] < 1)
            return false;
    int64_t begin = cut.begin[axis], size = out->dims[axis].size;
    for (int k = 0; k < concat->n_inputs; k++) {
        Value *part = concat->inputs[k];
        int64_t have = part->dims[axis].size;
        if (begin >= have) {
            begin -= have;
            continue;
        }
        if (begin + size > have || !rewrite_allowed(g, options, n)) return false;
        remark(g, options, REMARK_MATCHED, n,
               "what the Slice takes of the Concat is from one of its inputs");
        node_become(g, n, size == have ? part : make_sliced(g, n, part, axis, begin, begin + size));
        return true;
    }
    return false;
}

static bool broadcasts(OpId op) {
    switch ((int)op) {
    case OP_Add:
    case OP_Sub:
    case OP_Mul:
    case OP_Div:
    case OP_Max:
    case OP_Min:
    case OP_Pow:
    case OP_Where:
    case OP_Equal:
    case OP_Less:
    case OP_Greater:
    case OP_LessOrEqual:
    case OP_GreaterOrEqual:
    case OP_And:
    case OP_Or: return true;
    default: return false;
    }
}

/* Repeats only axes of size 1. */
static bool only_broadcasts(const Node *n) {
    if (n->op->id == OP_Expand) return true;
    Ints repeats;
    if (n->op->id != OP_Tile || !match_ints(n->inputs[1], &repeats)) return false;
    for (int d = 0; d < repeats.n; d++)
        if (repeats.at[d] != 1 && n->inputs[0]->dims[d].size != 1) return false;
    return true;
}

static bool shape_without(const Node *n, int k, const Value *small) {
    int64_t dims[MAX_RANK], next[MAX_RANK];
    int rank = 0;
    for (int i = 0; i < n->n_inputs; i++) {
        const Value *v = i == k ? small : n->inputs[i];
        rank = dims_broadcast(dims, rank, value_sizes(v, next), v->rank, dims);
        if (rank < 0) return false;
    }
    const Value *out = n->outputs[0];
    for (int d = 0; d < rank && rank == out->rank; d++)
        if (dims[d] != out->dims[d].size) return false;
    return rank == out->rank;
}

static bool expand_before_broadcast(Graph *g, const PassOptions *options, Node *n) {
    if (!broadcasts(n->op->id) || !is_static_node(n)) return false;
    for (int k = 0; k < n->n_inputs; k++) {
        const Node *expand = n->inputs[k]->producer;
        if (!expand || expand->dead || (expand->op->id != OP_Expand && expand->op->id != OP_Tile))
            continue;
        if (!is_static_node(expand) || !only_broadcasts(expand)) continue;
        if (!shape_without(n, k, expand->inputs[0]) || !rewrite_allowed(g, options, n)) continue;
        remark(g, options, REMARK_MATCHED, n, "%s of input %d: the operator broadcasts anyway",
               expand->op->name, k);
        n->inputs[k] = expand->inputs[0];
        return true;
    }
    return false;
}

/* What the attributes say, said in one way. */

static bool is_default(const Node *n, const Attr *a) {
    const AttrInfo *info = op_find_attr(n->op, a->name);
    const char *text = info ? info->default_text : NULL;
    if (!text) return false;
    switch (a->kind) {
    case AT_INT: return strtoll(text, NULL, 10) == a->u.i;
    case AT_FLOAT: return strtof(text, NULL) == a->u.f;
    case AT_STRING: return !strcmp(text, a->u.s);
    case AT_NONE:
    case AT_TENSOR:
    case AT_GRAPH:
    case AT_INTS:
    case AT_FLOATS:
    case AT_STRINGS: return false;
    }
    return false;
}

static bool all_ints_are(const Attr *a, int64_t want) {
    for (int i = 0; i < a->n; i++)
        if (a->u.ints[i] != want) return false;
    return true;
}

static bool takes_kernel_from_weights(OpId op) {
    return op == OP_Conv || op == OP_DeformConv || op == OP_ConvTranspose;
}

/* That the node means the same without it. */
static bool says_nothing(const Node *n, const Attr *a) {
    const char *mode = n->op->id == OP_Resize ? node_string(n, "mode") : NULL;
    if (is_default(n, a)) return true;
    if (a->kind == AT_INTS && (!strcmp(a->name, "strides") || !strcmp(a->name, "dilations")))
        return all_ints_are(a, 1);
    if (a->kind == AT_INTS && !strcmp(a->name, "pads") && n->op->id != OP_Pad)
        return all_ints_are(a, 0);
    if (!strcmp(a->name, "kernel_shape")) return takes_kernel_from_weights(n->op->id);
    if (!strcmp(a->name, "allowzero")) return n->op->id == OP_Reshape;
    if (!strcmp(a->name, "stash_type")) return n->outputs[0]->dtype == DT_F32 && a->u.i == 1;
    if (mode && !strcmp(a->name, "cubic_coeff_a")) return strcmp(mode, "cubic") != 0;
    if (mode && !strcmp(a->name, "nearest_mode")) return strcmp(mode, "nearest") != 0;
    return false;
}

static int compare_attrs(const void *a, const void *b) {
    return strcmp(((const Attr *)a)->name, ((const Attr *)b)->name);
}

static bool has_axis_of_input(OpId op) {
    switch ((int)op) {
    case OP_Concat:
    case OP_Gather:
    case OP_GatherElements:
    case OP_Softmax:
    case OP_LogSoftmax:
    case OP_Split:
    case OP_LayerNormalization:
    case OP_ArgMax:
    case OP_ArgMin: return true;
    default: return false;
    }
}

static void tidy_attrs(Graph *g, Node *n) {
    if (has_axis_of_input(n->op->id) && n->inputs[0] && n->inputs[0]->rank >= 0)
        node_set_int(g, n, "axis", value_axis(n, "axis"));
    for (int i = n->n_attrs - 1; i >= 0; i--)
        if (says_nothing(n, &n->attrs[i])) node_drop_attr(n, n->attrs[i].name);
    if (n->n_attrs) qsort(n->attrs, (size_t)n->n_attrs, sizeof *n->attrs, compare_attrs);
}

static bool commutes(OpId op) { return op == OP_Add || op == OP_Mul; }

/* A constant operand comes second, else the smaller one. */
static void tidy_operands(Node *n) {
    if (!commutes(n->op->id) || n->n_inputs != 2) return;
    Value *a = n->inputs[0], *b = n->inputs[1];
    bool swap = a->constant ? !b->constant : !b->constant && value_count(a) < value_count(b);
    if (!swap) return;
    n->inputs[0] = b;
    n->inputs[1] = a;
}

bool pass_tidy(Graph *g, const PassOptions *options) {
    static RewriteFn *const rewrites[] = {drop_or_reshape, merge_transposes, slice_of_concat,
                                          expand_before_broadcast};
    for (int i = 0; i < g->nodes.n; i++) {
        tidy_attrs(g, g->nodes.at[i]);
        tidy_operands(g->nodes.at[i]);
    }
    rewrite_everywhere(g, options, rewrites, (int)(sizeof rewrites / sizeof *rewrites));
    return true;
}
