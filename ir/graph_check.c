/* graph_check.c - the invariants of a graph; arity and attributes come from the operator table.
 *
 * A defined value has exactly one of: a place among the inputs, a constant, a producer that stands
 * earlier. */
#include "graph.h"

#include <string.h>

typedef struct Check {
    const Graph *g;
    bool *defined; /* by id of the value */
} Check;

static const char *fail_node(const Check *c, const Node *n, const char *what) {
    return arena_format(c->g->unit->arena, "node '%s' (%s): %s", n->name, n->op ? n->op->name : "?",
                        what);
}

static const char *fail_value(const Check *c, const Value *v, const char *what) {
    return arena_format(c->g->unit->arena, "value '%s' %s", v->name ? v->name : "?", what);
}

static bool owns(const Graph *g, const Value *v) {
    return v->id >= 0 && v->id < g->values.n && g->values.at[v->id] == v;
}

static const char *check_constant(const Check *c, const Value *v) {
    const Tensor *t = v->constant;
    if (v->dtype != t->dtype || v->rank != t->rank)
        return fail_value(c, v, "differs in type from its constant");
    for (int i = 0; i < t->rank; i++)
        if (v->dims[i].size != t->dims[i])
            return fail_value(c, v, "differs in shape from its constant");
    return NULL;
}

static const char *check_value(const Check *c, const Value *v, int id) {
    if (v->id != id) return fail_value(c, v, "does not stand at its id");
    if (!v->name || map_get(&c->g->by_name, (uintptr_t)v->name) != v)
        return fail_value(c, v, "is not the one of its name");
    if (v->rank < -1 || v->rank > MAX_RANK) return fail_value(c, v, "has an impossible rank");
    if (v->is_input + (v->constant != NULL) + (v->producer != NULL) > 1)
        return fail_value(c, v, "has more than one origin");
    if (v->constant) return check_constant(c, v);
    return NULL;
}

static const char *check_inputs(const Check *c, const Node *n) {
    if (n->n_inputs < n->op->min_inputs ||
        (n->op->max_inputs >= 0 && n->n_inputs > n->op->max_inputs))
        return fail_node(c, n, "has a wrong number of inputs");
    for (int k = 0; k < n->n_inputs; k++) {
        const Value *v = n->inputs[k];
        if (!v && k < n->op->min_inputs) return fail_node(c, n, "lacks an input that is needed");
        if (!v) continue;
        bool outer = false;
        for (const Graph *g = c->g->outer; g; g = g->outer) outer |= owns(g, v);
        if (!outer && !owns(c->g, v)) return fail_node(c, n, "has an input from another graph");
        if (!outer && !c->defined[v->id])
            return fail_node(c, n, fail_value(c, v, "is used before it is defined"));
    }
    return NULL;
}

static const char *check_outputs(const Check *c, const Node *n) {
    if (n->n_outputs < n->op->min_outputs ||
        (n->op->max_outputs >= 0 && n->n_outputs > n->op->max_outputs))
        return fail_node(c, n, "has a wrong number of outputs");
    for (int k = 0; k < n->n_outputs; k++) {
        const Value *v = n->outputs[k];
        if (!v) continue;
        if (!owns(c->g, v)) return fail_node(c, n, "has an output from another graph");
        if (v->producer != n) return fail_value(c, v, "does not know its producer");
        if (c->defined[v->id]) return fail_value(c, v, "is assigned twice");
        c->defined[v->id] = true;
    }
    return NULL;
}

static const char *check_attrs(const Check *c, const Node *n) {
    for (int i = 0; i < n->n_attrs; i++) {
        const Attr *attr = &n->attrs[i];
        const AttrInfo *info = op_find_attr(n->op, attr->name);
        if (!info)
            return fail_node(c, n,
                             arena_format(c->g->unit->arena, "has no attribute '%s'", attr->name));
        if (info->kind != (int)attr->kind)
            return fail_node(
                c, n, arena_format(c->g->unit->arena, "'%s' is of a wrong kind", attr->name));
        if (node_attr(n, attr->name) != attr) return fail_node(c, n, "has an attribute twice");
        if (attr->kind != AT_GRAPH) continue;
        const char *inner = graph_check(attr->u.graph);
        if (inner) return fail_node(c, n, inner);
    }
    return NULL;
}

static const char *check_node(const Check *c, const Node *n) {
    if (!n->op) return fail_node(c, n, "has no operator");
    if (n->dead) return fail_node(c, n, "is dead and was not swept");
    const char *wrong = check_inputs(c, n);
    if (!wrong) wrong = check_outputs(c, n);
    if (!wrong) wrong = check_attrs(c, n);
    return wrong;
}

static const char *check_ports(const Check *c) {
    for (int i = 0; i < c->g->inputs.n; i++)
        if (!c->g->inputs.at[i]->is_input)
            return fail_value(c, c->g->inputs.at[i], "is not marked as an input");
    for (int i = 0; i < c->g->outputs.n; i++) {
        const Value *v = c->g->outputs.at[i];
        if (owns(c->g, v) && !v->is_output) return fail_value(c, v, "is not marked as an output");
        if (owns(c->g, v) && !c->defined[v->id])
            return fail_value(c, v, "is an output and not defined");
        if (!owns(c->g, v) && !c->g->outer)
            return fail_value(c, v, "is an output of another graph");
    }
    return NULL;
}

const char *graph_check(const Graph *g) {
    Check c = {g, NEW_ARRAY(g->unit->arena, bool, g->values.n)};
    const char *wrong = NULL;
    for (int i = 0; i < g->values.n && !wrong; i++) {
        const Value *v = g->values.at[i];
        wrong = check_value(&c, v, i);
        c.defined[i] = v->is_input || v->constant;
    }
    for (int i = 0; i < g->nodes.n && !wrong; i++) wrong = check_node(&c, g->nodes.at[i]);
    return wrong ? wrong : check_ports(&c);
}
