/* order.c - puts a graph's nodes into topological order, keeping the file's order where it can;
 * reports a cycle.
 *
 * A depth-first walk with a stack of its own.  What a subgraph takes from the graph around it
 * counts as an input of the node that holds the subgraph. */
#include "reader.h"

#include <string.h>

typedef enum Mark { MARK_NEW, MARK_OPEN, MARK_DONE } Mark;

typedef VEC(Node *) Nodes;

typedef struct Order {
    Reader *reader;
    Graph *graph;
    Map index; /* Node -> its number + 1 */
    uint8_t *marks;
    Nodes sorted;
    VEC(int) stack; /* open nodes */
    int *next;      /* of an open node: which dependency comes next */
    Nodes *needs;   /* of an open node */
} Order;

static bool belongs(const Graph *g, const Value *v) {
    return v->id < g->values.n && g->values.at[v->id] == v;
}

static void add_need(Order *o, Nodes *needs, const Value *v) {
    if (v && v->producer && belongs(o->graph, v))
        vec_push(o->reader->unit->arena, needs, v->producer);
}

static void add_needs(Order *o, Nodes *needs, const Node *n) {
    for (int i = 0; i < n->n_inputs; i++) add_need(o, needs, n->inputs[i]);
    for (int i = 0; i < n->n_attrs; i++) {
        if (n->attrs[i].kind != AT_GRAPH) continue;
        const Graph *inner = n->attrs[i].u.graph;
        for (int k = 0; k < inner->nodes.n; k++) add_needs(o, needs, inner->nodes.at[k]);
    }
}

static int number_of(const Order *o, const Node *n) {
    return (int)(uintptr_t)map_get(&o->index, (uintptr_t)n) - 1;
}

static void report_cycle(Order *o, int again) {
    Text text = {.arena = o->reader->unit->arena};
    int from = o->stack.n - 1;
    while (o->stack.at[from] != again) from--;
    int length = o->stack.n - from;
    for (int i = o->stack.n - 1; i >= from; i--) {
        const Node *n = o->graph->nodes.at[o->stack.at[i]];
        int shown = o->stack.n - 1 - i;
        if (shown == 8 && length > 10) text_add(&text, "... -> ");
        if (shown >= 8 && length > 10 && i > from) continue;
        text_add(&text, "node %d '%s' (%s) -> ", n->position, n->name, n->op->name);
    }
    const Node *last = o->graph->nodes.at[o->stack.at[o->stack.n - 1]];
    text_add(&text, "node %d '%s'", last->position, last->name);
    diag(o->reader->unit, node_place(o->graph->nodes.at[again]), D_CYCLE, text.at);
}

/* Goes on with the newest open node.  False: a cycle. */
static bool step(Order *o) {
    int at = o->stack.at[o->stack.n - 1];
    Nodes *needs = &o->needs[at];
    if (o->next[at] == needs->n) {
        o->marks[at] = MARK_DONE;
        o->stack.n--;
        vec_push(o->reader->unit->arena, &o->sorted, o->graph->nodes.at[at]);
        return true;
    }
    int need = number_of(o, needs->at[o->next[at]++]);
    if (need < 0 || o->marks[need] == MARK_DONE) return true;
    if (o->marks[need] == MARK_OPEN) {
        report_cycle(o, need);
        return false;
    }
    o->marks[need] = MARK_OPEN;
    add_needs(o, &o->needs[need], o->graph->nodes.at[need]);
    vec_push(o->reader->unit->arena, &o->stack, need);
    return true;
}

static bool walk_from(Order *o, int start) {
    if (o->marks[start] != MARK_NEW) return true;
    o->marks[start] = MARK_OPEN;
    add_needs(o, &o->needs[start], o->graph->nodes.at[start]);
    vec_push(o->reader->unit->arena, &o->stack, start);
    while (o->stack.n)
        if (!step(o)) return false;
    return true;
}

static bool sort(Reader *r, Graph *g) {
    Arena *arena = r->unit->arena;
    Order o = {.reader = r, .graph = g, .index.arena = arena};
    o.marks = NEW_ARRAY(arena, uint8_t, g->nodes.n);
    o.next = NEW_ARRAY(arena, int, g->nodes.n);
    o.needs = NEW_ARRAY(arena, Nodes, g->nodes.n);
    for (int i = 0; i < g->nodes.n; i++)
        map_set(&o.index, (uintptr_t)g->nodes.at[i], (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < g->nodes.n; i++)
        if (!walk_from(&o, i)) return false;
    if (g->nodes.n) memcpy(g->nodes.at, o.sorted.at, (size_t)g->nodes.n * sizeof *g->nodes.at);
    return true;
}

/* Whether all that `n` takes was made before. */
static bool is_ready(const Graph *g, const Node *n, const bool *made) {
    for (int i = 0; i < n->n_inputs; i++) {
        const Value *v = n->inputs[i];
        if (v && v->producer && belongs(g, v) && !made[v->id]) return false;
    }
    for (int i = 0; i < n->n_attrs; i++) {
        if (n->attrs[i].kind != AT_GRAPH) continue;
        const Graph *inner = n->attrs[i].u.graph;
        for (int k = 0; k < inner->nodes.n; k++)
            if (!is_ready(g, inner->nodes.at[k], made)) return false;
    }
    return true;
}

static bool is_sorted(const Graph *g, bool *made) {
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        if (!is_ready(g, n, made)) return false;
        for (int k = 0; k < n->n_outputs; k++)
            if (n->outputs[k]) made[n->outputs[k]->id] = true;
    }
    return true;
}

bool order_graph(Reader *r, Graph *g) {
    ArenaMark mark = arena_mark(r->unit->arena);
    bool sorted = is_sorted(g, NEW_ARRAY(r->unit->arena, bool, g->values.n));
    if (!sorted && !sort(r, g)) return false;
    arena_release(r->unit->arena, mark);
    return true;
}
