/* graph.c - graphs, values, nodes and attributes: building, uses, order.
 *
 * Nodes of a subgraph may name values of the graphs around it; whatever walks the inputs of a node
 * walks those too. */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

Graph *graph_new(Unit *u, const char *name) {
    Graph *g = NEW(u->arena, Graph);
    g->unit = u;
    g->name = name_intern(u->names, name ? name : "");
    g->by_name.arena = u->arena;
    return g;
}

static const char *name_unique(const Graph *g, const char *wanted) {
    const char *name = name_intern(g->unit->names, wanted && *wanted ? wanted : "value");
    if (!map_get(&g->by_name, (uintptr_t)name) && wanted && *wanted) return name;
    for (int i = g->values.n;; i++) {
        const char *text = arena_format(g->unit->arena, "%s_%d", name, i);
        const char *next = name_intern(g->unit->names, text);
        if (!map_get(&g->by_name, (uintptr_t)next)) return next;
    }
}

static void value_rename(Graph *g, Value *v, const char *name) {
    v->name = name;
    map_set(&g->by_name, (uintptr_t)name, v);
}

Value *graph_add_value(Graph *g, const char *name) {
    Value *v = NEW(g->unit->arena, Value);
    const char *unique = name_unique(g, name);
    v->id = g->values.n;
    v->rank = -1;
    vec_push(g->unit->arena, &g->values, v);
    value_rename(g, v, unique);
    return v;
}

static void value_set_dims(Graph *g, Value *v, DType dtype, int rank, const Dim *dims) {
    Dim *own = NEW_ARRAY(g->unit->arena, Dim, rank < 0 ? 0 : rank);
    if (rank > 0) memcpy(own, dims, (size_t)rank * sizeof *own);
    v->dtype = dtype;
    v->rank = rank;
    v->dims = own;
}

Value *graph_add_input(Graph *g, const char *name, DType dtype, int rank, const Dim *dims) {
    Value *v = graph_add_value(g, name);
    value_set_dims(g, v, dtype, rank, dims);
    v->is_input = true;
    vec_push(g->unit->arena, &g->inputs, v);
    return v;
}

Value *graph_add_constant(Graph *g, const char *name, const Tensor *t) {
    Value *v = graph_add_value(g, name);
    v->constant = t;
    value_set_type(g, v, t->dtype, t->rank, t->dims);
    return v;
}

Value *graph_find_value(const Graph *g, const char *name) {
    return map_get(&g->by_name, (uintptr_t)name_intern(g->unit->names, name));
}

void graph_set_output(Graph *g, Value *v) {
    if (v->is_output) return;
    v->is_output = true;
    vec_push(g->unit->arena, &g->outputs, v);
}

static Value **values_copy(Graph *g, Value *const *values, int n) {
    Value **copy = NEW_ARRAY(g->unit->arena, Value *, n);
    if (n) memcpy(copy, values, (size_t)n * sizeof *copy);
    return copy;
}

Node *graph_add_node(Graph *g, const OpInfo *op, const char *name, Value *const *inputs,
                     int n_inputs, Value *const *outputs, int n_outputs) {
    Node *n = NEW(g->unit->arena, Node);
    n->op = op;
    n->name = name_intern(g->unit->names, name ? name : "");
    n->inputs = values_copy(g, inputs, n_inputs);
    n->outputs = values_copy(g, outputs, n_outputs);
    n->n_inputs = n_inputs;
    n->n_outputs = n_outputs;
    n->position = -1;
    for (int k = 0; k < n_outputs; k++) {
        Value *v = outputs[k];
        if (!v) continue;
        if (v->producer && !v->producer->dead)
            BUG(g->unit, "value '%s' is produced twice", v->name);
        v->producer = n;
    }
    vec_push(g->unit->arena, &g->nodes, n);
    return n;
}

void value_set_type(Graph *g, Value *v, DType dtype, int rank, const int64_t *dims) {
    v->dims = NEW_ARRAY(g->unit->arena, Dim, rank);
    for (int i = 0; i < rank; i++) v->dims[i] = (Dim){dims[i], NULL};
    v->dtype = dtype;
    v->rank = rank;
}

bool value_is_static(const Value *v) {
    for (int i = 0; i < v->rank; i++)
        if (v->dims[i].size < 0) return false;
    return v->rank >= 0;
}

int64_t value_count(const Value *v) { return v->rank < 0 ? -1 : dims_count(v->dims, v->rank); }

static Attr *find_attr(const Node *n, const char *name) {
    for (int i = 0; i < n->n_attrs; i++)
        if (strcmp(n->attrs[i].name, name) == 0) return &n->attrs[i];
    return NULL;
}

Attr *node_set_attr(Graph *g, Node *n, const char *name, AttrKind kind) {
    Attr *attr = find_attr(n, name);
    if (!attr) {
        Attr *attrs = NEW_ARRAY(g->unit->arena, Attr, n->n_attrs + 1);
        if (n->n_attrs) memcpy(attrs, n->attrs, (size_t)n->n_attrs * sizeof *attrs);
        n->attrs = attrs;
        attr = &attrs[n->n_attrs++];
    }
    *attr = (Attr){.name = name_intern(g->unit->names, name), .kind = kind};
    return attr;
}

void node_set_int(Graph *g, Node *n, const char *name, int64_t i) {
    node_set_attr(g, n, name, AT_INT)->u.i = i;
}

void node_set_float(Graph *g, Node *n, const char *name, float f) {
    node_set_attr(g, n, name, AT_FLOAT)->u.f = f;
}

void node_set_string(Graph *g, Node *n, const char *name, const char *s) {
    node_set_attr(g, n, name, AT_STRING)->u.s = name_intern(g->unit->names, s);
}

void node_set_ints(Graph *g, Node *n, const char *name, const int64_t *ints, int count) {
    int64_t *copy = NEW_ARRAY(g->unit->arena, int64_t, count);
    if (count) memcpy(copy, ints, (size_t)count * sizeof *copy);
    Attr *attr = node_set_attr(g, n, name, AT_INTS);
    attr->n = count;
    attr->u.ints = copy;
}

void node_drop_attr(Node *n, const char *name) {
    Attr *attr = find_attr(n, name);
    if (!attr) return;
    Attr *end = n->attrs + --n->n_attrs;
    memmove(attr, attr + 1, (size_t)(end - attr) * sizeof *attr);
}

const Attr *node_attr(const Node *n, const char *name) { return find_attr(n, name); }

static const char *default_text(const Node *n, const char *name) {
    const AttrInfo *info = op_find_attr(n->op, name);
    return info ? info->default_text : NULL;
}

int64_t node_int(const Node *n, const char *name) {
    const Attr *attr = find_attr(n, name);
    if (attr && attr->kind == AT_INT) return attr->u.i;
    const char *text = default_text(n, name);
    return text ? strtoll(text, NULL, 10) : 0;
}

float node_float(const Node *n, const char *name) {
    const Attr *attr = find_attr(n, name);
    if (attr && attr->kind == AT_FLOAT) return attr->u.f;
    const char *text = default_text(n, name);
    return text ? strtof(text, NULL) : 0;
}

const char *node_string(const Node *n, const char *name) {
    const Attr *attr = find_attr(n, name);
    if (attr && attr->kind == AT_STRING) return attr->u.s;
    return default_text(n, name);
}

const int64_t *node_ints(const Node *n, const char *name, int *count) {
    const Attr *attr = find_attr(n, name);
    bool given = attr && attr->kind == AT_INTS;
    *count = given ? attr->n : 0;
    return given ? attr->u.ints : NULL;
}

/* Replaces in nodes only, those of subgraphs included. */
static void replace_inputs(Graph *g, Value *old, Value *by) {
    for (int i = 0; i < g->nodes.n; i++) {
        Node *n = g->nodes.at[i];
        for (int k = 0; k < n->n_inputs; k++)
            if (n->inputs[k] == old) n->inputs[k] = by;
        for (int k = 0; k < n->n_attrs; k++)
            if (n->attrs[k].kind == AT_GRAPH) replace_inputs(n->attrs[k].u.graph, old, by);
    }
}

static void replace_output(Graph *g, Value *old, Value *by) {
    for (int i = 0; i < g->outputs.n; i++)
        if (g->outputs.at[i] == old) g->outputs.at[i] = by;
    old->is_output = false;
    by->is_output = true;
}

/* The caller knows outputs by name, so `by` takes the name of an output that it replaces.  An
 * input, or what is an output already, has a name that counts: it is copied by an Identity node. */
void graph_replace_uses(Graph *g, Value *old, Value *by) {
    replace_inputs(g, old, by);
    if (!old->is_output || old == by) return;
    if (by->is_input || by->is_output) {
        Value *copy = graph_add_value(g, old->name);
        value_set_dims(g, copy, by->dtype, by->rank, by->dims);
        graph_add_node(g, op_find("", "Identity"), "", &by, 1, &copy, 1);
        by = copy;
    }
    const char *name = old->name;
    value_rename(g, old, by->name);
    value_rename(g, by, name);
    replace_output(g, old, by);
}

static void count_inputs(const Graph *g, int by);

static void count_node(const Node *n, int by) {
    for (int k = 0; k < n->n_inputs; k++)
        if (n->inputs[k]) n->inputs[k]->n_uses += by;
    for (int k = 0; k < n->n_attrs; k++)
        if (n->attrs[k].kind == AT_GRAPH) count_inputs(n->attrs[k].u.graph, by);
}

static void count_inputs(const Graph *g, int by) {
    for (int i = 0; i < g->nodes.n; i++)
        if (!g->nodes.at[i]->dead) count_node(g->nodes.at[i], by);
    for (int i = 0; i < g->outputs.n; i++) g->outputs.at[i]->n_uses += by;
}

static void clear_uses(Graph *g) {
    for (int i = 0; i < g->values.n; i++) g->values.at[i]->n_uses = 0;
    for (int i = 0; i < g->nodes.n; i++)
        for (int k = 0; k < g->nodes.at[i]->n_attrs; k++)
            if (g->nodes.at[i]->attrs[k].kind == AT_GRAPH)
                clear_uses(g->nodes.at[i]->attrs[k].u.graph);
}

void graph_count_uses(Graph *g) {
    clear_uses(g);
    count_inputs(g, 1);
}

static bool node_is_used(const Node *n) {
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k] && n->outputs[k]->producer == n && n->outputs[k]->n_uses) return true;
    return false;
}

static void node_unlink(Node *n) {
    n->dead = true;
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k] && n->outputs[k]->producer == n) n->outputs[k]->producer = NULL;
}

void graph_sweep(Graph *g) {
    graph_count_uses(g);
    for (int i = g->nodes.n - 1; i >= 0; i--) {
        Node *n = g->nodes.at[i];
        if (!n->dead && !node_is_used(n)) {
            count_node(n, -1);
            n->dead = true;
        }
        if (n->dead) node_unlink(n);
    }
    int kept = 0;
    for (int i = 0; i < g->nodes.n; i++)
        if (!g->nodes.at[i]->dead) g->nodes.at[kept++] = g->nodes.at[i];
    g->nodes.n = kept;
}

/* Depth first over producers, starting from each node in the old order: a sorted graph stays as it
 * is.  A node that is met again while it is open stands in a cycle; it is left where it is for
 * graph_check to find. */
typedef struct Sort {
    Arena *arena;
    Map state; /* Node -> SORT_*; only nodes of this graph */
    VEC(Node *) stack;
    VEC(Node *) order;
} Sort;

enum { SORT_NEW = 1, SORT_OPEN, SORT_DONE };

static uintptr_t sort_state(const Sort *s, const Node *n) {
    return (uintptr_t)map_get(&s->state, (uintptr_t)n);
}

static void sort_set(Sort *s, const Node *n, uintptr_t state) {
    map_set(&s->state, (uintptr_t)n, (void *)state);
}

static void push_producers(Sort *s, const Node *n) {
    for (int k = n->n_attrs - 1; k >= 0; k--) {
        const Graph *inner = n->attrs[k].kind == AT_GRAPH ? n->attrs[k].u.graph : NULL;
        for (int i = 0; inner && i < inner->nodes.n; i++) push_producers(s, inner->nodes.at[i]);
    }
    for (int k = n->n_inputs - 1; k >= 0; k--) {
        Node *producer = n->inputs[k] ? n->inputs[k]->producer : NULL;
        if (producer && sort_state(s, producer) == SORT_NEW)
            vec_push(s->arena, &s->stack, producer);
    }
}

static void sort_from(Sort *s, Node *start) {
    vec_push(s->arena, &s->stack, start);
    while (s->stack.n) {
        Node *n = s->stack.at[s->stack.n - 1];
        uintptr_t state = sort_state(s, n);
        if (state == SORT_NEW) {
            sort_set(s, n, SORT_OPEN);
            push_producers(s, n);
            continue;
        }
        s->stack.n--;
        if (state == SORT_DONE) continue;
        sort_set(s, n, SORT_DONE);
        vec_push(s->arena, &s->order, n);
    }
}

void graph_sort(Graph *g) {
    if (!g->nodes.n) return;
    Arena *arena = g->unit->arena;
    ArenaMark mark = arena_mark(arena);
    Sort s = {.arena = arena, .state = {.arena = arena}};
    for (int i = 0; i < g->nodes.n; i++) sort_set(&s, g->nodes.at[i], SORT_NEW);
    for (int i = 0; i < g->nodes.n; i++) sort_from(&s, g->nodes.at[i]);
    memcpy(g->nodes.at, s.order.at, (size_t)g->nodes.n * sizeof *g->nodes.at);
    arena_release(arena, mark);
}

Place node_place(const Node *n) { return node_place_attr(n, NULL); }

Place node_place_attr(const Node *n, const char *attribute) {
    return (Place){.node = n->position,
                   .name = n->name,
                   .op = n->op ? n->op->name : NULL,
                   .attribute = attribute,
                   .scope = n->scope};
}
