/* match.c - looking at a graph, and making nodes. */
#include "match.h"

#include "infer.h"

#include <string.h>

enum { MAX_ROUNDS = 32 };

Node *match_op(const Value *v, OpId op) {
    Node *n = v ? v->producer : NULL;
    return n && !n->dead && n->op->id == op ? n : NULL;
}

bool value_is_private(const Value *v) { return v->n_uses == 1 && !v->is_output && !v->is_input; }

Node *match_single(const Value *v, OpId op) {
    Node *n = match_op(v, op);
    return n && value_is_private(v) ? n : NULL;
}

bool match_scalar(const Value *v, double *x) {
    const Tensor *t = v ? v->constant : NULL;
    if (!t || t->count < 1 || t->dtype == DT_STRING) return false;
    *x = tensor_get_double(t, 0);
    for (int64_t i = 1; i < t->count; i++)
        if (tensor_get_double(t, i) != *x) return false;
    return *x == *x;
}

bool match_scalar_is(const Value *v, double x) {
    double got;
    return match_scalar(v, &got) && got == x;
}

bool match_ints(const Value *v, Ints *out) {
    const Tensor *t = v ? v->constant : NULL;
    if (!t || t->rank > 1 || t->count > 2 * MAX_RANK || !dtype_is_int(t->dtype)) return false;
    out->n = (int)t->count;
    for (int i = 0; i < out->n; i++) out->at[i] = tensor_get_int(t, i);
    return true;
}

static int64_t clamp(int64_t x, int64_t lo, int64_t hi) { return x < lo ? lo : x > hi ? hi : x; }

bool match_cut(const Node *n, Cut *cut) {
    Ints begin, axes, steps;
    int rank = n->inputs[0]->rank;
    if (!match_ints(n->inputs[1], &begin)) return false;
    bool has_axes = node_has_input(n, 3), has_steps = node_has_input(n, 4);
    if ((has_axes && !match_ints(n->inputs[3], &axes)) ||
        (has_steps && !match_ints(n->inputs[4], &steps)))
        return false;
    for (int d = 0; d < rank; d++) cut->begin[d] = 0, cut->step[d] = 1;
    for (int i = 0; i < begin.n; i++) {
        int64_t d = has_axes ? axes.at[i] : i, size;
        d += d < 0 ? rank : 0;
        size = n->inputs[0]->dims[d].size;
        cut->step[d] = has_steps ? steps.at[i] : 1;
        cut->begin[d] = clamp(begin.at[i] < 0 ? begin.at[i] + size : begin.at[i], 0, size);
    }
    return true;
}

Value *match_either(const Node *n, ValueTest *is, Value **rest) {
    for (int k = 0; k < 2 && n->n_inputs == 2; k++) {
        *rest = n->inputs[1 - k];
        if (is(n->inputs[k])) return n->inputs[k];
    }
    return NULL;
}

bool value_is_constant(const Value *v) { return v->constant != NULL; }

bool same_shape(const Value *a, const Value *b) {
    return a->rank == b->rank && a->rank >= 0 && dims_equal(a->dims, b->dims, a->rank);
}

bool is_image(const Value *v) {
    return v->rank == 4 && value_is_static(v) && dtype_is_float(v->dtype);
}

bool is_per_channel(const Value *v, int rank, int64_t channels) {
    if (v->rank > rank) return false;
    for (int d = 0; d < v->rank; d++) {
        bool channel_axis = d + rank - v->rank == 1;
        if (v->dims[d].size != 1 && !(channel_axis && v->dims[d].size == channels)) return false;
    }
    return true;
}

int value_axis(const Node *n, const char *name) {
    int64_t axis = node_int(n, name);
    return (int)(axis < 0 ? axis + n->inputs[0]->rank : axis);
}

unsigned reduced_axes(const Node *n) {
    int rank = n->inputs[0]->rank;
    Ints axes = {.n = 0};
    if (n->op->id == OP_GlobalAveragePool || n->op->id == OP_GlobalMaxPool)
        return (1u << rank) - 1 - 3;
    if (node_has_input(n, 1) && !match_ints(n->inputs[1], &axes)) return 0;
    if (!axes.n) return node_int(n, "noop_with_empty_axes") ? 0 : (1u << rank) - 1;
    unsigned bits = 0;
    for (int i = 0; i < axes.n; i++)
        bits |= 1u << (axes.at[i] < 0 ? axes.at[i] + rank : axes.at[i]);
    return bits;
}

Node *node_open(Graph *g, const Node *like, OpId op, Value *const *inputs, int n_inputs) {
    Value *out =
        graph_add_value(g, like->n_outputs && like->outputs[0] ? like->outputs[0]->name : "made");
    Node *n = graph_add_node(g, &op_infos[op], like->name, inputs, n_inputs, &out, 1);
    n->position = like->position;
    n->scope = like->scope;
    return n;
}

Value *node_close(Graph *g, Node *n) {
    if (!node_infer(g, n)) BUG(g->unit, "a pass made a wrong %s from '%s'", n->op->name, n->name);
    return n->outputs[0];
}

Value *make_op(Graph *g, const Node *like, OpId op, Value *x, Value *y) {
    Value *inputs[] = {x, y};
    return node_close(g, node_open(g, like, op, inputs, y ? 2 : 1));
}

Value *make_int_vector(Graph *g, const char *name, const int64_t *values, int n) {
    return graph_add_constant(g, name, tensor_from_ints(g->unit->arena, values, n));
}

Value *make_reshaped(Graph *g, const Node *like, Value *x, const int64_t *dims, int rank) {
    return make_op(g, like, OP_Reshape, x, make_int_vector(g, "shape", dims, rank));
}

Value *make_sliced(Graph *g, const Node *like, Value *x, int axis, int64_t begin, int64_t end) {
    int64_t along = axis;
    Value *inputs[] = {x, make_int_vector(g, "begin", &begin, 1),
                       make_int_vector(g, "end", &end, 1), make_int_vector(g, "axis", &along, 1)};
    return node_close(g, node_open(g, like, OP_Slice, inputs, 4));
}

void node_become(Graph *g, Node *n, Value *by) {
    graph_replace_uses(g, n->outputs[0], by);
    n->dead = true;
}

void copy_attrs(Graph *g, Node *to, const Node *from) {
    for (int i = 0; i < from->n_attrs; i++)
        *node_set_attr(g, to, from->attrs[i].name, from->attrs[i].kind) = from->attrs[i];
}

int64_t *value_sizes(const Value *v, int64_t *dims) {
    for (int d = 0; d < v->rank; d++) dims[d] = v->dims[d].size;
    return dims;
}

static bool rewrite_round(Graph *g, const struct PassOptions *options, RewriteFn *const *rewrites,
                          int count) {
    bool changed = false;
    graph_count_uses(g);
    for (int i = 0; i < g->nodes.n; i++) {
        Node *n = g->nodes.at[i];
        for (int k = 0; k < count && !n->dead; k++) {
            if (!rewrites[k](g, options, n)) continue;
            changed = true;
            graph_count_uses(g);
            break;
        }
    }
    return changed;
}

void rewrite_everywhere(Graph *g, const struct PassOptions *options, RewriteFn *const *rewrites,
                        int n) {
    for (int round = 0; round < MAX_ROUNDS; round++) {
        if (!rewrite_round(g, options, rewrites, n)) return;
        graph_sort(g);
        graph_sweep(g);
    }
}
