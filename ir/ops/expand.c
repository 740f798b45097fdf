/* expand.c - EXPAND operators give way to graphs of others; the helpers that write those. */
#include "expand.h"

#include <string.h>

enum { MAX_ROUNDS = 8 }; /* an expansion may hold EXPAND nodes, so deep */

int value_dims(const Value *v, int64_t *dims) {
    for (int d = 0; d < v->rank; d++) dims[d] = v->dims[d].size;
    return v->rank;
}

DType node_dtype(const Node *n, const char *name) {
    int64_t code = node_int(n, name);
    return code > 0 && code < INT32_MAX ? dtype_from_onnx((int)code) : DT_NONE;
}

Expansion expansion_begin(Graph *g, Node *n) {
    return (Expansion){.graph = g, .node = n, .first = g->nodes.n};
}

static const char *derived_name(const Expansion *e, const char *suffix) {
    const Node *n = e->node;
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k])
            return arena_format(e->graph->unit->arena, "%s_%s", n->outputs[k]->name, suffix);
    return suffix;
}

Node *make_open(Expansion *e, OpId op, Value *const *inputs, int n_inputs) {
    const OpInfo *info = op_infos + op;
    Value *output = graph_add_value(e->graph, derived_name(e, info->name));
    Node *n = graph_add_node(e->graph, info, output->name, inputs, n_inputs, &output, 1);
    n->position = e->node->position;
    n->scope = e->node->scope;
    return n;
}

Value *make_output(Expansion *e, Node *n) {
    Value **outputs = NEW_ARRAY(e->graph->unit->arena, Value *, n->n_outputs + 1);
    memcpy(outputs, n->outputs, (size_t)n->n_outputs * sizeof *outputs);
    Value *v = graph_add_value(e->graph, derived_name(e, n->op->name));
    outputs[n->n_outputs++] = v;
    n->outputs = outputs;
    v->producer = n;
    return v;
}

/* What could not be typed is told; its outputs get a type all the same, so that the expansion
 * can go on. */
Value *make_close(Expansion *e, Node *n) {
    if (!node_infer(e->graph, n)) {
        e->failed = true;
        const Value *like = n->inputs[0];
        int64_t dims[MAX_RANK];
        int rank = value_dims(like, dims);
        for (int k = 0; k < n->n_outputs; k++)
            value_set_type(e->graph, n->outputs[k], like->dtype, rank, dims);
    }
    return n->outputs[0];
}

Value *make_unary(Expansion *e, OpId op, Value *x) {
    return make_close(e, make_open(e, op, &x, 1));
}

Value *make_binary(Expansion *e, OpId op, Value *x, Value *y) {
    Value *inputs[] = {x, y};
    return make_close(e, make_open(e, op, inputs, 2));
}

Value *make_where(Expansion *e, Value *cond, Value *yes, Value *no) {
    Value *inputs[] = {cond, yes, no};
    return make_close(e, make_open(e, OP_Where, inputs, 3));
}

Value *make_cast(Expansion *e, Value *x, DType to) {
    if (x->dtype == to) return x;
    Node *n = make_open(e, OP_Cast, &x, 1);
    node_set_int(e->graph, n, "to", dtypes[to].onnx);
    return make_close(e, n);
}

Value *make_tensor(Expansion *e, const Tensor *t) {
    return graph_add_constant(e->graph, derived_name(e, "constant"), t);
}

Value *make_scalar(Expansion *e, DType t, double value) {
    return make_tensor(e, tensor_scalar(e->graph->unit->arena, t, value));
}

Value *make_ints(Expansion *e, const int64_t *values, int n) {
    return make_tensor(e, tensor_from_ints(e->graph->unit->arena, values, n));
}

Value *make_reduce(Expansion *e, OpId op, Value *x, const bool *axes) {
    int64_t list[MAX_RANK];
    int n = 0;
    for (int d = 0; d < x->rank; d++)
        if (axes[d]) list[n++] = d;
    Value *inputs[] = {x, make_ints(e, list, n)};
    Node *reduce = make_open(e, op, inputs, 2);
    node_set_int(e->graph, reduce, "keepdims", 1);
    node_set_int(e->graph, reduce, "noop_with_empty_axes", 1);
    return make_close(e, reduce);
}

Value *make_arg(Expansion *e, OpId op, Value *x, int axis) {
    Node *n = make_open(e, op, &x, 1);
    node_set_int(e->graph, n, "axis", axis);
    node_set_int(e->graph, n, "keepdims", 1);
    return make_close(e, n);
}

Value *make_reshape(Expansion *e, Value *x, int rank, const int64_t *dims) {
    int64_t own[MAX_RANK];
    value_dims(x, own);
    if (rank == x->rank && !memcmp(own, dims, (size_t)rank * sizeof *own)) return x;
    Value *inputs[] = {x, make_ints(e, dims, rank)};
    Node *n = make_open(e, OP_Reshape, inputs, 2);
    node_set_int(e->graph, n, "allowzero", 1);
    return make_close(e, n);
}

Value *make_expand(Expansion *e, Value *x, int rank, const int64_t *dims) {
    return make_binary(e, OP_Expand, x, make_ints(e, dims, rank));
}

Value *make_transpose(Expansion *e, Value *x, const int64_t *perm) {
    Node *n = make_open(e, OP_Transpose, &x, 1);
    node_set_ints(e->graph, n, "perm", perm, x->rank);
    return make_close(e, n);
}

Value *make_slice(Expansion *e, Value *x, int axis, int64_t begin, int64_t end) {
    int64_t along = axis;
    Value *inputs[] = {x, make_ints(e, &begin, 1), make_ints(e, &end, 1), make_ints(e, &along, 1)};
    return make_close(e, make_open(e, OP_Slice, inputs, 4));
}

Value *make_concat(Expansion *e, Value *const *x, int n, int axis) {
    Node *concat = make_open(e, OP_Concat, x, n);
    node_set_int(e->graph, concat, "axis", axis);
    return make_close(e, concat);
}

Value *make_pad(Expansion *e, Value *x, int axis, int64_t before, int64_t after, Value *fill) {
    int64_t pads[] = {before, after}, along = axis;
    Value *inputs[] = {x, make_ints(e, pads, 2), fill, make_ints(e, &along, 1)};
    return make_close(e, make_open(e, OP_Pad, inputs, 4));
}

Value *make_along(Expansion *e, Value *vector, int rank, int axis) {
    int64_t dims[MAX_RANK];
    for (int d = 0; d < rank; d++) dims[d] = d == axis ? vector->dims[0].size : 1;
    return make_reshape(e, vector, rank, dims);
}

Value *make_iota(Expansion *e, DType t, int rank, int axis, int64_t extent) {
    Value *inputs[] = {make_scalar(e, DT_I64, 0), make_scalar(e, DT_I64, (double)extent),
                       make_scalar(e, DT_I64, 1)};
    Value *range = make_close(e, make_open(e, OP_Range, inputs, 3));
    return make_along(e, make_cast(e, range, t), rank, axis);
}

Moments make_moments(Expansion *e, Value *x, const bool *axes, double epsilon) {
    Moments m = {.mean = make_reduce(e, OP_ReduceMean, x, axes)};
    m.centred = make_binary(e, OP_Sub, x, m.mean);
    Value *square = make_binary(e, OP_Mul, m.centred, m.centred);
    Value *variance = make_reduce(e, OP_ReduceMean, square, axes);
    Value *shifted = make_binary(e, OP_Add, variance, make_scalar(e, x->dtype, epsilon));
    m.inverse_std = make_unary(e, OP_Reciprocal, make_unary(e, OP_Sqrt, shifted));
    return m;
}

/* Takes the place of `old` in the nodes of the expansion. */
static void replace_in_expansion(Expansion *e, Value *old, Value *by) {
    for (int i = e->first; i < e->graph->nodes.n; i++) {
        Node *n = e->graph->nodes.at[i];
        for (int k = 0; k < n->n_inputs; k++)
            if (n->inputs[k] == old) n->inputs[k] = by;
    }
}

static bool is_ours(const Expansion *e, const Value *v) {
    for (int i = e->first; i < e->graph->nodes.n; i++)
        if (e->graph->nodes.at[i] == v->producer) return v->producer->n_outputs == 1;
    return false;
}

void expansion_give(Expansion *e, int k, Value *v) {
    if (!node_has_output(e->node, k) || e->failed) return;
    Value *wanted = e->node->outputs[k];
    v = make_cast(e, v, wanted->dtype);
    for (int i = 0; i < k; i++) /* one value as two outputs */
        if (v == e->node->outputs[i]) v = make_unary(e, OP_Identity, v);
    if (!is_ours(e, v)) v = make_unary(e, OP_Identity, v);
    if (v->rank != wanted->rank || !dims_equal(v->dims, wanted->dims, v->rank))
        BUG(e->graph->unit, "%s '%s' expands to another shape", e->node->op->name, e->node->name);
    Node *n = v->producer;
    n->outputs[0] = wanted;
    if (k == 0) n->name = e->node->name;
    v->producer = NULL;
    wanted->producer = n;
    replace_in_expansion(e, v, wanted);
}

static bool expand_node(Graph *g, Node *n) {
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k]) n->outputs[k]->producer = NULL;
    return n->op->expand(g, n);
}

/* Every node in its place, EXPAND nodes by their expansions.  Tells whether there were any. */
static bool expand_round(Graph *g, bool (*wanted)(const Node *n), bool *ok) {
    Node **nodes = g->nodes.at;
    int count = g->nodes.n;
    bool found = false;
    g->nodes.at = NULL;
    g->nodes.n = g->nodes.cap = 0;
    for (int i = 0; i < count; i++) {
        if (!wanted(nodes[i])) {
            vec_push(g->unit->arena, &g->nodes, nodes[i]);
            continue;
        }
        found = true;
        *ok &= expand_node(g, nodes[i]);
    }
    return found;
}

static bool is_expandable(const Node *n) { return n->op->kind == OK_EXPAND; }

bool graph_expand(Graph *g) { return graph_expand_some(g, is_expandable); }

bool graph_expand_some(Graph *g, bool (*wanted)(const Node *n)) {
    bool ok = true;
    for (int round = 0; round < MAX_ROUNDS; round++)
        if (!expand_round(g, wanted, &ok) || !ok) return ok;
    BUG(g->unit, "expansions do not end");
}
