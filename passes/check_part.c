/* check_part.c - the parts of two graphs that show whether a claim holds. */
#include "check_claims.h"

#include <string.h>

/* Integers are shapes and indices: they are not made up. */
static bool can_be_made_up(const ValueClass *k) {
    return k->present[0] && k->present[1] && k->typed && dtype_is_float(k->typed->dtype);
}

static ValueClass *class_of(const Claims *c, int side, const Value *v) {
    return &c->classes.at[c->class_of[side][v->id]];
}

static bool is_heavy(const Value *v) { return v->producer->op->kind == OK_CODE; }

/* Do the nodes that compute it belong to the part, too? */
static bool is_inside(const Claims *c, const Claim *claim, PartSize size, int side,
                      const Value *v) {
    const ValueClass *k = class_of(c, side, v);
    bool is_claimed = class_of(c, 0, claim->value[0]) == class_of(c, 1, claim->value[1]);
    if (!v->producer || k->reach < 0) return false;
    if ((is_claimed && v == claim->value[side]) || !can_be_made_up(k)) return true;
    return k->reach > 0 && (size.heavy || !is_heavy(v));
}

static bool reach(const Claims *c, int side, const Value *v, int how_far) {
    ValueClass *k = class_of(c, side, v);
    if (k->reach >= how_far) return false;
    k->reach = how_far;
    return true;
}

static bool reach_inputs(const Claims *c, const Claim *claim, PartSize size, int side,
                         const Node *n) {
    int how_far = -1;
    bool any = false;
    for (int k = 0; k < n->n_outputs; k++) {
        const Value *v = n->outputs[k];
        if (!v || !is_inside(c, claim, size, side, v)) continue;
        const ValueClass *of = class_of(c, side, v);
        int left = can_be_made_up(of) && of->reach > 0 ? of->reach - 1 : of->reach;
        if (left > how_far) how_far = left;
    }
    for (int k = 0; how_far >= 0 && k < n->n_inputs; k++)
        if (n->inputs[k]) any |= reach(c, side, n->inputs[k], how_far);
    return any;
}

/* What is inside for one graph is so for the other: repeated until nothing more is reached. */
void part_find(Claims *c, const Claim *claim, PartSize size) {
    for (int i = 0; i < c->classes.n; i++) c->classes.at[i].reach = -1;
    for (int side = 0; side < SIDES; side++) reach(c, side, claim->value[side], size.depth);
    for (bool any = true; any;) {
        any = false;
        for (int side = 0; side < SIDES; side++)
            for (int i = c->graph[side]->nodes.n - 1; i >= 0; i--) {
                const Node *n = c->graph[side]->nodes.at[i];
                if (!n->dead) any |= reach_inputs(c, claim, size, side, n);
            }
    }
}

/* Making. */

typedef struct Maker {
    Claims *claims;
    const Claim *claim;
    PartSize size;
    int side;
    Graph *to;
    bool *wanted;          /* by value */
    Value **own;           /* by value: what it is in the part */
    Value **input;         /* by class: an input of the part */
    VEC(uint64_t) numbers; /* of the classes of inputs */
} Maker;

static bool is_kept(const Maker *m, const Value *v) {
    return v && m->wanted[v->id] && is_inside(m->claims, m->claim, m->size, m->side, v);
}

static bool gives_kept(const Maker *m, const Node *n) {
    for (int k = 0; k < n->n_outputs && !n->dead; k++)
        if (is_kept(m, n->outputs[k])) return true;
    return false;
}

static void find_wanted(Maker *m) {
    const Graph *g = m->claims->graph[m->side];
    m->wanted[m->claim->value[m->side]->id] = true;
    for (int i = g->nodes.n - 1; i >= 0; i--) {
        const Node *n = g->nodes.at[i];
        if (!gives_kept(m, n)) continue;
        for (int k = 0; k < n->n_inputs; k++)
            if (n->inputs[k]) m->wanted[n->inputs[k]->id] = true;
    }
}

/* An input for what is wanted and not computed; one for all of a class. */
static void make_source(Maker *m, const Value *v) {
    int at = m->claims->class_of[m->side][v->id];
    const ValueClass *k = &m->claims->classes.at[at];
    if (v->constant) {
        m->own[v->id] = graph_add_constant(m->to, v->name, v->constant);
        return;
    }
    if (!m->input[at]) {
        m->input[at] =
            graph_add_input(m->to, v->name, k->typed->dtype, k->typed->rank, k->typed->dims);
        vec_push(m->to->unit->arena, &m->numbers, k->number);
    }
    m->own[v->id] = m->input[at];
}

static void make_node(Maker *m, const Node *n) {
    Arena *a = m->to->unit->arena;
    Value **inputs = NEW_ARRAY(a, Value *, n->n_inputs),
          **outputs = NEW_ARRAY(a, Value *, n->n_outputs);
    for (int k = 0; k < n->n_inputs; k++)
        inputs[k] = n->inputs[k] ? m->own[n->inputs[k]->id] : NULL;
    for (int k = 0; k < n->n_outputs; k++) {
        const Value *v = n->outputs[k];
        outputs[k] = v ? graph_add_value(m->to, v->name) : NULL;
        if (is_kept(m, v)) m->own[v->id] = outputs[k];
    }
    Node *made = graph_add_node(m->to, n->op, n->name, inputs, n->n_inputs, outputs, n->n_outputs);
    for (int k = 0; k < n->n_attrs; k++)
        *node_set_attr(m->to, made, n->attrs[k].name, n->attrs[k].kind) = n->attrs[k];
}

/* What is an input or a constant itself is copied by an Identity. */
static void make_output(Maker *m) {
    Value *v = m->own[m->claim->value[m->side]->id];
    if (!v->producer) {
        Value *copy = graph_add_value(m->to, v->name);
        graph_add_node(m->to, &op_infos[OP_Identity], "", &v, 1, &copy, 1);
        v = copy;
    }
    graph_set_output(m->to, v);
}

Graph *part_make(Unit *u, Claims *c, const Claim *claim, PartSize size, int side,
                 const uint64_t **input_numbers) {
    const Graph *g = c->graph[side];
    Maker m = {
        .claims = c, .claim = claim, .size = size, .side = side, .to = graph_new(u, g->name)};
    m.wanted = NEW_ARRAY(u->arena, bool, g->values.n + 1);
    m.own = NEW_ARRAY(u->arena, Value *, g->values.n + 1);
    m.input = NEW_ARRAY(u->arena, Value *, c->classes.n + 1);
    find_wanted(&m);
    for (int i = 0; i < g->values.n; i++)
        if (m.wanted[i] && !is_kept(&m, g->values.at[i])) make_source(&m, g->values.at[i]);
    for (int i = 0; i < g->nodes.n; i++)
        if (gives_kept(&m, g->nodes.at[i])) make_node(&m, g->nodes.at[i]);
    make_output(&m);
    *input_numbers = m.numbers.at;
    return m.to;
}
