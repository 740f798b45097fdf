/* share.c - equal constants are one, and nodes that compute the same are one.
 *
 * Two nodes are the same if operator, attributes (in any order; a default that is written out
 * counts) and inputs are, after what they read was shared; Add and Mul read their two inputs in
 * either order.  BIT. */
#include "match.h"
#include "pass.h"

#include <string.h>

enum { MAX_SHARED = 1 << 16 }; /* elements of the largest constant that is compared */

static bool same_bytes(const void *a, const void *b, size_t n) { return !n || !memcmp(a, b, n); }

static bool same_tensor(const Tensor *a, const Tensor *b) {
    if (a->dtype != b->dtype || a->rank != b->rank || a->count != b->count) return false;
    return same_bytes(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) &&
           same_bytes(a->data, b->data, (size_t)a->count * (size_t)dtypes[a->dtype].bytes);
}

static bool can_share_constant(const Value *v) {
    const Tensor *t = v->constant;
    return t && t->count <= MAX_SHARED && t->dtype != DT_STRING && !v->is_output;
}

static uintptr_t key_of(uint64_t hash) { return (uintptr_t)(hash | 1); }

/* replacement[id] of a constant: the first that is equal. */
static void share_constants(Graph *g, Value **replacement) {
    Map first = {.arena = g->unit->arena};
    for (int i = 0; i < g->values.n; i++) {
        Value *v = g->values.at[i];
        replacement[i] = v;
        if (!can_share_constant(v)) continue;
        uintptr_t key = key_of(tensor_hash(v->constant));
        Value *other = map_get(&first, key);
        if (!other)
            map_set(&first, key, v);
        else if (same_tensor(v->constant, other->constant))
            replacement[i] = other;
    }
}

static bool same_attr(const Attr *a, const Attr *b) {
    if (a->kind != b->kind || a->n != b->n) return false;
    switch (a->kind) {
    case AT_NONE: return true;
    case AT_INT: return a->u.i == b->u.i;
    case AT_FLOAT: return !memcmp(&a->u.f, &b->u.f, sizeof a->u.f);
    case AT_STRING: return a->u.s == b->u.s || !strcmp(a->u.s, b->u.s);
    case AT_TENSOR: return a->u.tensor == b->u.tensor || same_tensor(a->u.tensor, b->u.tensor);
    case AT_GRAPH: return false;
    case AT_INTS: return !memcmp(a->u.ints, b->u.ints, (size_t)a->n * sizeof *a->u.ints);
    case AT_FLOATS: return !memcmp(a->u.floats, b->u.floats, (size_t)a->n * sizeof *a->u.floats);
    case AT_STRINGS: return a->u.strings == b->u.strings;
    }
    return false;
}

static bool has_attrs_of(const Node *a, const Node *b) {
    if (a->n_attrs != b->n_attrs) return false;
    for (int i = 0; i < a->n_attrs; i++) {
        const Attr *other = node_attr(b, a->attrs[i].name);
        if (!other || !same_attr(&a->attrs[i], other)) return false;
    }
    return true;
}

static bool reads_crosswise(const Node *a, const Node *b) {
    return (a->op->id == OP_Add || a->op->id == OP_Mul) && a->inputs[0] == b->inputs[1] &&
           a->inputs[1] == b->inputs[0];
}

static bool same_node(const Node *a, const Node *b) {
    if (a->op != b->op || a->n_inputs != b->n_inputs || a->n_outputs != b->n_outputs) return false;
    for (int k = 0; k < a->n_outputs; k++)
        if (!a->outputs[k] != !b->outputs[k]) return false;
    bool same = !memcmp(a->inputs, b->inputs, (size_t)a->n_inputs * sizeof *a->inputs);
    return (same || reads_crosswise(a, b)) && has_attrs_of(a, b);
}

static uint64_t hash_node(const Node *n) {
    uint64_t inputs = 0;
    for (int k = 0; k < n->n_inputs; k++) {
        uint64_t id = n->inputs[k] ? (uint64_t)n->inputs[k]->id + 1 : 0;
        inputs += hash_bytes(&id, sizeof id);
    }
    uint64_t words[] = {(uint64_t)n->op->id, inputs, (uint64_t)n->n_attrs};
    return hash_bytes(words, sizeof words);
}

static void read_shared(Node *n, Value *const *replacement) {
    for (int k = 0; k < n->n_inputs; k++)
        if (n->inputs[k]) n->inputs[k] = replacement[n->inputs[k]->id];
}

static bool gives_output(const Node *n) {
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k] && n->outputs[k]->is_output) return true;
    return false;
}

static void share_node(Graph *g, const PassOptions *options, Node *n, Map *first,
                       Value **replacement) {
    uintptr_t key = key_of(hash_node(n));
    const Node *other = map_get(first, key);
    if (!other) {
        map_set(first, key, n);
        return;
    }
    if (!same_node(n, other) || gives_output(n) || !rewrite_allowed(g, options, n)) return;
    remark(g, options, REMARK_MATCHED, n, "computes the same as '%s'", other->name);
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k]) replacement[n->outputs[k]->id] = other->outputs[k];
}

/* A graph within a node may read values of this one: they are left as they are. */
static bool has_inner_graph(const Graph *g) {
    for (int i = 0; i < g->nodes.n; i++)
        for (int k = 0; k < g->nodes.at[i]->n_attrs; k++)
            if (g->nodes.at[i]->attrs[k].kind == AT_GRAPH) return true;
    return false;
}

bool pass_share(Graph *g, const PassOptions *options) {
    if (has_inner_graph(g)) return true;
    Value **replacement = NEW_ARRAY(g->unit->arena, Value *, g->values.n + 1);
    Map first = {.arena = g->unit->arena};
    share_constants(g, replacement);
    for (int i = 0; i < g->nodes.n; i++) {
        read_shared(g->nodes.at[i], replacement);
        share_node(g, options, g->nodes.at[i], &first, replacement);
    }
    graph_sweep(g);
    return true;
}
