/* probe.c - part of a graph on values of one's own: copied into a graph of its own, with a GatherND
 * behind it that takes the points asked for, and all of it composed into one kernel, so that only
 * those points are computed. */
#include "probe.h"

#include "infer.h"
#include "interp.h"
#include "lower.h"

#include <string.h>

enum { PROBE_MEMORY = 1 << 29 };

uint64_t random_bits(Random *r) {
    uint64_t x = r->state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

double random_between(Random *r, double lo, double hi) {
    return lo + (hi - lo) * (double)(random_bits(r) >> 11) * 0x1p-53;
}

static bool is_leaf(const Probe *p, const Value *v) {
    for (int i = 0; i < p->n_leaves; i++)
        if (p->leaves[i] == v) return true;
    return false;
}

static bool is_needed(const Node *n, const bool *needed) {
    for (int k = 0; k < n->n_outputs && !n->dead; k++)
        if (n->outputs[k] && needed[n->outputs[k]->id]) return true;
    return false;
}

/* Nodes that the target needs, marked by walking backwards through the node list; -1: something
 * else is needed. */
static int mark_needed(const Graph *g, const Probe *p, bool *needed) {
    int count = 0;
    if (is_leaf(p, p->target)) return -1;
    needed[p->target->id] = true;
    for (int i = g->nodes.n - 1; i >= 0; i--) {
        const Node *n = g->nodes.at[i];
        if (!is_needed(n, needed)) continue;
        if (n->op->kind != OK_ELEM && n->op->kind != OK_MOVE) return -1;
        count++;
        for (int k = 0; k < n->n_inputs; k++)
            if (n->inputs[k] && !n->inputs[k]->constant && !is_leaf(p, n->inputs[k]))
                needed[n->inputs[k]->id] = true;
    }
    for (int i = 0; i < g->values.n; i++)
        if (needed[i] && !g->values.at[i]->producer) return -1;
    return count;
}

bool probe_is_closed(const Graph *g, const Probe *p, int most) {
    Arena *a = g->unit->arena;
    ArenaMark mark = arena_mark(a);
    int count = mark_needed(g, p, NEW_ARRAY(a, bool, g->values.n + 1));
    arena_release(a, mark);
    return count > 0 && count <= most;
}

static Value *copy_of(Graph *to, Map *copies, const Value *v) {
    if (!v) return NULL;
    Value *copy = map_get(copies, (uintptr_t)v);
    if (!copy && v->constant) {
        copy = graph_add_constant(to, v->name, v->constant);
        map_set(copies, (uintptr_t)v, copy);
    }
    return copy;
}

static bool copy_node(Graph *to, Map *copies, const Node *n) {
    Value **inputs = NEW_ARRAY(to->unit->arena, Value *, n->n_inputs + 1);
    for (int k = 0; k < n->n_inputs; k++) {
        inputs[k] = copy_of(to, copies, n->inputs[k]);
        if (n->inputs[k] && !inputs[k]) return false;
    }
    Value **outputs = NEW_ARRAY(to->unit->arena, Value *, n->n_outputs + 1);
    for (int k = 0; k < n->n_outputs; k++) {
        if (!n->outputs[k]) continue;
        outputs[k] = graph_add_value(to, n->outputs[k]->name);
        map_set(copies, (uintptr_t)n->outputs[k], outputs[k]);
    }
    Node *copy = graph_add_node(to, n->op, n->name, inputs, n->n_inputs, outputs, n->n_outputs);
    for (int i = 0; i < n->n_attrs; i++)
        *node_set_attr(to, copy, n->attrs[i].name, n->attrs[i].kind) = n->attrs[i];
    return node_infer(to, copy);
}

static bool take_points(Graph *to, Value *from, const int64_t *points, int64_t n_points) {
    int64_t dims[] = {n_points, from->rank};
    Tensor *t = tensor_new(to->unit->arena, DT_I64, 2, dims);
    memcpy((void *)t->data, points, (size_t)(n_points * from->rank) * sizeof *points);
    Value *inputs[] = {from, graph_add_constant(to, "points", t)},
          *out = graph_add_value(to, "taken");
    if (!node_infer(to, graph_add_node(to, &op_infos[OP_GatherND], "", inputs, 2, &out, 1)))
        return false;
    graph_set_output(to, out);
    return true;
}

static Graph *part_of(Unit *u, const Graph *g, const Probe *p, const int64_t *points,
                      int64_t n_points) {
    Graph *to = graph_new(u, "probe");
    Map copies = {.arena = u->arena};
    bool *needed = NEW_ARRAY(u->arena, bool, g->values.n + 1);
    if (mark_needed(g, p, needed) < 0) return NULL;
    for (int i = 0; i < p->n_leaves; i++) {
        const Value *v = p->leaves[i];
        map_set(&copies, (uintptr_t)v, graph_add_input(to, v->name, v->dtype, v->rank, v->dims));
    }
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        if (is_needed(n, needed) && !copy_node(to, &copies, n)) return NULL;
    }
    Value *target = copy_of(to, &copies, p->target);
    return target && take_points(to, target, points, n_points) ? to : NULL;
}

bool probe_run(const Graph *g, const Probe *p, const float *const *data, const int64_t *points,
               int64_t n_points, float *out) {
    static const LowerOptions options = {.target = targets, .name = "probe", .compose = true};
    const void *inputs[PROBE_LEAVES];
    void *outputs[] = {out};
    InterpError error;
    Unit apart;
    for (int i = 0; i < p->n_leaves; i++) inputs[i] = data[i];
    if (!unit_begin_apart(&apart, g->unit, PROBE_MEMORY)) return false;
    if (setjmp(apart.escape.jump)) {
        Escape why = apart.escape;
        unit_end(&apart);
        if (why.status == STATUS_LIMIT) return false;
        escape(&g->unit->escape, why.status, "%s", why.message);
    }
    Graph *part = part_of(&apart, g, p, points, n_points);
    Program *program = part ? lower_graph(part, &options) : NULL;
    if (program) program_plan(program);
    bool ok = program && interp_run(program, inputs, outputs, &error);
    unit_end(&apart);
    return ok;
}
