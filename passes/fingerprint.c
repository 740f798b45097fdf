/* fingerprint.c - a number that tells whether a pass changed a graph. */
#include "steps.h"

#include <string.h>

static uint64_t mix(uint64_t h, uint64_t x) {
    return (h ^ x) * UINT64_C(0x9e3779b97f4a7c15) >> 7 ^ h << 5;
}

static uint64_t mix_bytes(uint64_t h, const void *bytes, size_t n) {
    return mix(h, n ? hash_bytes(bytes, n) : 1);
}

static uint64_t mix_value(uint64_t h, const Value *v) {
    if (!v) return mix(h, 0);
    h = mix(h, (uint64_t)v->id + 1);
    h = mix(h, (uint64_t)v->dtype);
    h = mix(h, (uint64_t)v->rank);
    h = mix(h, (uintptr_t)v->constant);
    for (int d = 0; d < v->rank; d++) h = mix(h, (uint64_t)v->dims[d].size);
    return h;
}

static uint64_t mix_attr(uint64_t h, const Attr *a) {
    h = mix_bytes(h, a->name, strlen(a->name));
    switch (a->kind) {
    case AT_INTS: return mix_bytes(h, a->u.ints, (size_t)a->n * sizeof *a->u.ints);
    case AT_FLOATS: return mix_bytes(h, a->u.floats, (size_t)a->n * sizeof *a->u.floats);
    case AT_STRING: return mix_bytes(h, a->u.s, strlen(a->u.s));
    case AT_FLOAT: return mix_bytes(h, &a->u.f, sizeof a->u.f);
    case AT_GRAPH: return mix(h, graph_fingerprint(a->u.graph));
    case AT_NONE:
    case AT_INT:
    case AT_TENSOR:
    case AT_STRINGS: return mix(h, (uint64_t)a->u.i);
    }
    return h;
}

uint64_t graph_fingerprint(const Graph *g) {
    uint64_t h = (uint64_t)g->nodes.n;
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        if (n->dead) continue;
        h = mix(h, (uintptr_t)n->op);
        for (int k = 0; k < n->n_inputs; k++) h = mix_value(h, n->inputs[k]);
        for (int k = 0; k < n->n_outputs; k++) h = mix_value(h, n->outputs[k]);
        for (int k = 0; k < n->n_attrs; k++) h = mix_attr(h, &n->attrs[k]);
    }
    for (int i = 0; i < g->outputs.n; i++) h = mix_value(h, g->outputs.at[i]);
    return h;
}
