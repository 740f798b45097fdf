/* check_claims.c - classes of values that are the same in two graphs, by value numbering. */
#include "check_claims.h"

#include <string.h>

/* Numbers. */

static uint64_t mix(uint64_t h, uint64_t x) {
    uint64_t words[] = {h, x};
    return hash_bytes(words, sizeof words) | 1;
}

static uint64_t text_number(const char *text) { return hash_bytes(text, strlen(text)); }

static uint64_t tensor_number(Claims *c, const Tensor *t) {
    uintptr_t known = (uintptr_t)map_get(&c->hashes, (uintptr_t)t);
    if (!known) {
        known = (uintptr_t)(tensor_hash(t) | 1);
        map_set(&c->hashes, (uintptr_t)t, (void *)known);
    }
    return known;
}

static uint64_t attr_number(Claims *c, const Attr *a) {
    uint64_t h = mix(text_number(a->name), (uint64_t)a->kind);
    switch (a->kind) {
    case AT_INT: return mix(h, (uint64_t)a->u.i);
    case AT_FLOAT: return mix(h, hash_bytes(&a->u.f, sizeof a->u.f));
    case AT_STRING: return mix(h, text_number(a->u.s));
    case AT_TENSOR: return mix(h, tensor_number(c, a->u.tensor));
    case AT_INTS: return mix(h, hash_bytes(a->u.ints, (size_t)a->n * sizeof *a->u.ints));
    case AT_FLOATS: return mix(h, hash_bytes(a->u.floats, (size_t)a->n * sizeof *a->u.floats));
    case AT_STRINGS:
        for (int i = 0; i < a->n; i++) h = mix(h, text_number(a->u.strings[i]));
        return h;
    case AT_GRAPH:
    case AT_NONE: return h;
    }
    return h;
}

/* Attributes in any order. */
static uint64_t node_number(Claims *c, int side, const Node *n) {
    uint64_t h = mix(1, (uintptr_t)n->op), attrs = 0;
    for (int i = 0; i < n->n_attrs; i++) attrs += attr_number(c, &n->attrs[i]);
    h = mix(mix(h, attrs), (uint64_t)n->n_outputs);
    for (int k = 0; k < n->n_inputs; k++) {
        const Value *v = n->inputs[k];
        h = mix(h, v ? c->classes.at[c->class_of[side][v->id]].number : 0);
    }
    return h;
}

/* Classes. */

static bool has_type(const Value *v) { return v->dtype != DT_NONE && value_is_static(v); }

static void join_class(Claims *c, int side, const Value *v, uint64_t number) {
    int at = (int)(uintptr_t)map_get(&c->by_number, (uintptr_t)number) - 1;
    if (at < 0) {
        at = c->classes.n;
        vec_push(c->arena, &c->classes, ((ValueClass){.number = number, .reach = -1}));
        map_set(&c->by_number, (uintptr_t)number, (void *)(uintptr_t)(at + 1));
    }
    ValueClass *to = &c->classes.at[at];
    c->class_of[side][v->id] = at;
    to->present[side] = true;
    if (!to->typed && has_type(v)) to->typed = v;
}

static uint64_t number_of(const Claims *c, int side, const Value *v) {
    return c->classes.at[c->class_of[side][v->id]].number;
}

/* What is claimed to be the same counts as the same from here on. */
static void number_value(Claims *c, int side, const Value *v, uint64_t own) {
    const Value *partner = side ? c->partner[v->id] : NULL;
    uint64_t wanted = partner ? number_of(c, 0, partner) : own;
    if (wanted != own)
        vec_push(c->arena, &c->open, ((Claim){.value = {partner, v}, .number = mix(wanted, own)}));
    join_class(c, side, v, wanted);
}

static void number_sources(Claims *c, int side) {
    const Graph *g = c->graph[side];
    for (int i = 0; i < g->inputs.n; i++) join_class(c, side, g->inputs.at[i], mix(3, (uint64_t)i));
    for (int i = 0; i < g->values.n; i++) {
        const Value *v = g->values.at[i];
        if (v->constant) number_value(c, side, v, mix(2, tensor_number(c, v->constant)));
    }
}

static void number_nodes(Claims *c, int side) {
    const Graph *g = c->graph[side];
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        if (n->dead) continue;
        uint64_t h = node_number(c, side, n);
        for (int k = 0; k < n->n_outputs; k++)
            if (n->outputs[k]) number_value(c, side, n->outputs[k], mix(h, (uint64_t)k));
    }
}

/* Partners. */

static uintptr_t pair_key(const Value *before, const Value *after) {
    return (uintptr_t)(((uint64_t)before->id + 1) << 32 | (uint64_t)after->id);
}

static bool can_be_partner(const Claims *c, const Value *before, const Value *after) {
    bool folded = after->constant && before->id == after->id;
    if (!before->producer || !c->known[0][before->id] || !(after->producer || folded)) return false;
    if (map_get(&c->banned, pair_key(before, after))) return false;
    if (!has_type(before) || !has_type(after)) return true;
    return before->dtype == after->dtype && before->rank == after->rank &&
           dims_equal(before->dims, after->dims, after->rank);
}

static void propose(Claims *c, const Value *before, const Value *after) {
    if (!before || !after || c->partner[after->id]) return;
    const Graph *g = c->graph[0];
    const Value *own = after->id < g->values.n ? g->values.at[after->id] : NULL;
    if (own && can_be_partner(c, own, after))
        c->partner[after->id] = own;
    else if (can_be_partner(c, before, after))
        c->partner[after->id] = before;
}

/* A value keeps its id when a pass leaves it alone, or computes it at compile time.  What is new is
 * found from its user, if that is the same operator before the pass. */
static void propose_for(Claims *c, const Node *n) {
    for (int k = 0; k < n->n_outputs; k++) {
        const Value *v = n->outputs[k];
        if (!v) continue;
        if (v->id < c->graph[0]->values.n) propose(c, c->graph[0]->values.at[v->id], v);
        const Value *before = c->partner[v->id];
        const Node *other = before ? before->producer : NULL;
        if (!other || other->op != n->op || other->n_inputs != n->n_inputs) continue;
        for (int i = 0; i < n->n_inputs; i++) propose(c, other->inputs[i], n->inputs[i]);
    }
}

static void find_partners(Claims *c) {
    const Graph *before = c->graph[0], *after = c->graph[1];
    memset(c->partner, 0, (size_t)(after->values.n + 1) * sizeof(Value *));
    for (int i = 0; i < after->outputs.n; i++)
        propose(c, before->outputs.at[i], after->outputs.at[i]);
    for (int i = after->nodes.n - 1; i >= 0; i--)
        if (!after->nodes.at[i]->dead) propose_for(c, after->nodes.at[i]);
}

/* Outputs that are the same by no other claim. */
static void claim_outputs(Claims *c) {
    for (int i = 0; i < c->graph[0]->outputs.n; i++) {
        Claim claim = {.value = {c->graph[0]->outputs.at[i], c->graph[1]->outputs.at[i]},
                       .is_output = true};
        bool open = false;
        for (int k = 0; k < c->open.n && !open; k++) {
            Claim *other = &c->open.at[k];
            open = other->value[0] == claim.value[0] && other->value[1] == claim.value[1];
            if (open) other->is_output = true;
        }
        uint64_t numbers[SIDES] = {number_of(c, 0, claim.value[0]),
                                   number_of(c, 1, claim.value[1])};
        claim.number = mix(numbers[0], numbers[1]);
        if (!open && numbers[0] != numbers[1]) vec_push(c->arena, &c->open, claim);
    }
}

void claims_make(Claims *c) {
    c->by_number = (Map){.arena = c->arena};
    c->classes.n = c->open.n = 0;
    find_partners(c);
    for (int side = 0; side < SIDES; side++) {
        number_sources(c, side);
        number_nodes(c, side);
    }
    claim_outputs(c);
}

void claims_ban(Claims *c, const Claim *claim) {
    map_set(&c->banned, pair_key(claim->value[0], claim->value[1]), c);
}

/* Are all values of a graph inputs, constants, or given by nodes that have no graphs inside? */
static bool is_plain(Claims *c, int side) {
    const Graph *g = c->graph[side];
    c->known[side] = NEW_ARRAY(c->arena, bool, g->values.n + 1);
    c->class_of[side] = NEW_ARRAY(c->arena, int, g->values.n + 1);
    for (int i = 0; i < g->inputs.n; i++)
        if (!has_type(g->inputs.at[i])) return false;
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        for (int k = 0; k < n->n_attrs; k++)
            if (n->attrs[k].kind == AT_GRAPH) return false;
        for (int k = 0; k < n->n_outputs && !n->dead; k++)
            if (n->outputs[k]) c->known[side][n->outputs[k]->id] = true;
    }
    return true;
}

Claims *claims_new(Arena *a, const Graph *before, const Graph *after) {
    Claims *c = NEW(a, Claims);
    c->arena = a;
    c->graph[0] = before;
    c->graph[1] = after;
    c->partner = NEW_ARRAY(a, const Value *, after->values.n + 1);
    c->banned.arena = c->hashes.arena = a;
    bool plain = before->inputs.n == after->inputs.n && before->outputs.n == after->outputs.n;
    return plain && is_plain(c, 0) && is_plain(c, 1) ? c : NULL;
}
