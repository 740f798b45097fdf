/* graph_copy.c - copies of graphs, and of parts of them. */
#include "graph.h"

#include <string.h>

/* The values of the graph and of those around it, old -> new. */
typedef struct Copy {
    Unit *unit;
    Map values;
} Copy;

static const char *renamed(const Copy *c, const char *name) {
    return name ? name_intern(c->unit->names, name) : NULL;
}

static Value *copied(const Copy *c, const Value *v) {
    return v ? map_get(&c->values, (uintptr_t)v) : NULL;
}

static void copy_value(Copy *c, Graph *to, const Value *v) {
    Value *own = graph_add_value(to, v->name);
    own->dtype = v->dtype;
    own->rank = v->rank;
    own->constant = v->constant;
    own->dims = NEW_ARRAY(c->unit->arena, Dim, v->rank < 0 ? 0 : v->rank);
    for (int d = 0; d < v->rank; d++)
        own->dims[d] = (Dim){v->dims[d].size, renamed(c, v->dims[d].symbol)};
    map_set(&c->values, (uintptr_t)v, own);
}

static Graph *copy_graph(Copy *c, const Graph *g, Graph *outer);

static void copy_attr(Copy *c, Graph *to, Node *n, const Attr *attr) {
    Attr *own = node_set_attr(to, n, attr->name, attr->kind);
    own->n = attr->n;
    own->u = attr->u;
    if (attr->kind == AT_GRAPH) own->u.graph = copy_graph(c, attr->u.graph, to);
}

static void copy_node(Copy *c, Graph *to, const Node *n) {
    Arena *a = c->unit->arena;
    Value **inputs = NEW_ARRAY(a, Value *, n->n_inputs),
          **outputs = NEW_ARRAY(a, Value *, n->n_outputs);
    for (int k = 0; k < n->n_inputs; k++) inputs[k] = copied(c, n->inputs[k]);
    for (int k = 0; k < n->n_outputs; k++) outputs[k] = copied(c, n->outputs[k]);
    Node *own = graph_add_node(to, n->op, n->name, inputs, n->n_inputs, outputs, n->n_outputs);
    own->position = n->position;
    own->scope = renamed(c, n->scope);
    for (int i = 0; i < n->n_attrs; i++) copy_attr(c, to, own, &n->attrs[i]);
}

static Graph *copy_graph(Copy *c, const Graph *g, Graph *outer) {
    Graph *to = graph_new(c->unit, g->name);
    to->outer = outer;
    for (int i = 0; i < g->values.n; i++) copy_value(c, to, g->values.at[i]);
    for (int i = 0; i < g->inputs.n; i++) {
        Value *v = copied(c, g->inputs.at[i]);
        v->is_input = true;
        vec_push(c->unit->arena, &to->inputs, v);
    }
    for (int i = 0; i < g->nodes.n; i++)
        if (!g->nodes.at[i]->dead) copy_node(c, to, g->nodes.at[i]);
    for (int i = 0; i < g->outputs.n; i++) graph_set_output(to, copied(c, g->outputs.at[i]));
    return to;
}

Graph *graph_copy(Unit *u, const Graph *g) {
    Copy c = {.unit = u, .values.arena = u->arena};
    return copy_graph(&c, g, NULL);
}

/* Parts. */

/* Which values nodes of one side take. */
static void mark_inputs(const Graph *g, const bool *keep, bool side, bool *taken) {
    for (int i = 0; i < g->nodes.n; i++)
        for (int k = 0; keep[i] == side && k < g->nodes.at[i]->n_inputs; k++)
            if (g->nodes.at[i]->inputs[k]) taken[g->nodes.at[i]->inputs[k]->id] = true;
}

static bool set_inputs(Graph *g, const bool *taken) {
    g->inputs.n = 0;
    for (int i = 0; i < g->values.n; i++) {
        Value *v = g->values.at[i];
        v->is_input = taken[i] && !v->producer && !v->constant;
        if (!v->is_input) continue;
        if (v->rank < 0 || v->dtype == DT_NONE) return false;
        vec_push(g->unit->arena, &g->inputs, v);
    }
    return true;
}

static void set_outputs(Graph *g, const bool *taken) {
    int n = g->outputs.n;
    Value **before = g->outputs.at;
    memset(&g->outputs, 0, sizeof g->outputs);
    for (int i = 0; i < n; i++) {
        before[i]->is_output = false;
        if (before[i]->producer) graph_set_output(g, before[i]);
    }
    for (int i = 0; i < g->values.n; i++)
        if (taken[i] && g->values.at[i]->producer) graph_set_output(g, g->values.at[i]);
}

Graph *graph_extract(Unit *u, const Graph *g, const bool *keep) {
    Graph *to = graph_copy(u, g);
    bool *inside = NEW_ARRAY(u->arena, bool, to->values.n + 1),
         *outside = NEW_ARRAY(u->arena, bool, to->values.n + 1);
    mark_inputs(to, keep, true, inside);
    mark_inputs(to, keep, false, outside);
    int kept = 0;
    for (int i = 0; i < to->nodes.n; i++) {
        Node *n = to->nodes.at[i];
        for (int k = 0; !keep[i] && k < n->n_outputs; k++)
            if (n->outputs[k]) n->outputs[k]->producer = NULL;
        if (keep[i]) to->nodes.at[kept++] = n;
    }
    to->nodes.n = kept;
    set_outputs(to, outside);
    return set_inputs(to, inside) && to->outputs.n ? to : NULL;
}
