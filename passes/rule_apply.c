/* rule_apply.c - applies rules to a graph until none matches.
 *
 * Rules are had by the operator at their root.  Every node is visited in order; around a rewrite
 * those visited again are the nodes it made and the ones that use its results.  When a whole round
 * changes nothing, that is all.  A replacement is built beside what it replaces and takes its place
 * only if it has the same types and shapes: what the rule's conditions do not say about
 * broadcasting is decided there. */
#include "rule.h"

#include "infer.h"

#include <math.h>
#include <string.h>

enum {
    MOST_REWRITES = 12,   /* a node, before a set of rules is called restless */
    FREE_REWRITES = 1000, /* and this many besides */
    MOST_AGAIN = 256      /* nodes that one rewrite sends back to be visited */
};

typedef VEC(const Rule *) RuleList;

typedef struct Engine {
    Graph *g;
    const PassOptions *options;
    RuleList by_op[OP_COUNT];
    VEC(NodeList) users; /* by id of the value; also nodes that use it no more */
    NodeList again;
    int depth; /* of the deepest pattern */
    Match m;
    Value *made[RULE_SLOTS]; /* by slot */
    NodeList built;          /* by the replacement that is being built */
    const char *refusal;
    int64_t most;
    RulesDone done;
} Engine;

/* Who uses what. */

static NodeList *users_of(Engine *e, const Value *v) {
    while (e->users.n <= v->id) vec_push(e->g->unit->arena, &e->users, (NodeList){0});
    return &e->users.at[v->id];
}

static void add_uses(Engine *e, Node *n) {
    for (int k = 0; k < n->n_inputs; k++) {
        if (!n->inputs[k]) continue;
        n->inputs[k]->n_uses++;
        vec_push(e->g->unit->arena, users_of(e, n->inputs[k]), n);
    }
}

static bool is_used(const Node *n) {
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k] && n->outputs[k]->n_uses) return true;
    return false;
}

/* Drops a node, and what stood there for it alone. */
static void drop(Engine *e, Node *first) {
    NodeList list = {0};
    Arena *arena = e->g->unit->arena;
    vec_push(arena, &list, first);
    while (list.n) {
        Node *n = list.at[--list.n];
        if (n->dead) continue;
        n->dead = true;
        for (int k = 0; k < n->n_outputs; k++)
            if (n->outputs[k] && n->outputs[k]->producer == n) n->outputs[k]->producer = NULL;
        for (int k = 0; k < n->n_inputs; k++) {
            Value *v = n->inputs[k];
            if (!v) continue;
            v->n_uses--;
            if (v->producer && !is_used(v->producer)) vec_push(arena, &list, v->producer);
        }
    }
}

/* Building. */

static Value *refuse(Engine *e, const char *why) {
    if (!e->refusal) e->refusal = why;
    return NULL;
}

static Value *make_constant(Engine *e, const Tensor *t) {
    Value *v = graph_add_constant(e->g, e->m.rule->name, t);
    users_of(e, v);
    return v;
}

static Value *make_number(Engine *e, Number x, DType t) {
    if (t == DT_NONE) return refuse(e, "a number stands among no tensors that tell its type");
    if (dtype_is_int(t) && !x.is_int) return refuse(e, "a real number stands among integers");
    return make_constant(e, tensor_scalar(e->g->unit->arena, t, x.f));
}

static Value *make_data(Engine *e, const Term *t, DType like) {
    Datum d = rule_eval(&e->m, t);
    if (t->kind == TERM_CALL && !strcmp(t->function->name, "as")) {
        const Value *v = e->m.bound[t->args[0]->slot].value;
        like = v ? v->dtype : DT_NONE;
    }
    if (d.kind == DATUM_NUMBER) return make_number(e, d.number, like);
    if (d.kind != DATUM_LIST) return refuse(e, "an operand has no value");
    int64_t *ints = NEW_ARRAY(e->g->unit->arena, int64_t, d.n);
    for (int k = 0; k < d.n; k++) {
        if (!d.items[k].is_int) return refuse(e, "a list has a real number in it");
        ints[k] = d.items[k].i;
    }
    return make_constant(e, tensor_from_ints(e->g->unit->arena, ints, d.n));
}

static bool is_tensor(const Engine *e, const Term *t) {
    return t->kind == TERM_OP ||
           (t->kind == TERM_NAME && e->m.rule->slots.at[t->slot].kind == SLOT_VALUE);
}

static Node *make_node(Engine *e, const Term *t, int n_results);

static Value *make_tensor(Engine *e, const Term *t) {
    if (t->kind == TERM_NAME)
        return e->made[t->slot] ? e->made[t->slot] : e->m.bound[t->slot].value;
    Node *n = make_node(e, t, 1);
    return n ? n->outputs[0] : NULL;
}

/* Tensors first: they tell the types of the numbers among them. */
static bool make_operands(Engine *e, const Term *t, Value **inputs) {
    DType like = DT_NONE;
    for (int k = 0; k < t->n_args; k++) {
        inputs[k] = is_tensor(e, t->args[k]) ? make_tensor(e, t->args[k]) : NULL;
        if (e->refusal) return false;
        if (inputs[k] && like == DT_NONE) like = inputs[k]->dtype;
    }
    for (int k = 0; k < t->n_args; k++) {
        if (is_tensor(e, t->args[k]) || t->args[k]->kind == TERM_ABSENT) continue;
        inputs[k] = make_data(e, t->args[k], like);
        if (e->refusal) return false;
    }
    return true;
}

static bool set_list_attr(Engine *e, Node *n, const AttrInfo *info, Datum d) {
    Arena *arena = e->g->unit->arena;
    int64_t *ints = NEW_ARRAY(arena, int64_t, d.n);
    float *floats = NEW_ARRAY(arena, float, d.n);
    for (int k = 0; k < d.n; k++) {
        if (info->kind == AT_INTS && !d.items[k].is_int) return false;
        ints[k] = d.items[k].i;
        floats[k] = (float)d.items[k].f;
    }
    if (info->kind == AT_INTS) {
        node_set_ints(e->g, n, info->name, ints, d.n);
        return true;
    }
    Attr *attr = node_set_attr(e->g, n, info->name, AT_FLOATS);
    attr->n = d.n;
    attr->u.floats = floats;
    return info->kind == AT_FLOATS;
}

/* What has no value is not set. */
static bool set_attr(Engine *e, Node *n, const AttrInfo *info, Datum d) {
    switch (d.kind) {
    case DATUM_NONE: return true;
    case DATUM_LIST: return set_list_attr(e, n, info, d);
    case DATUM_TEXT: node_set_string(e->g, n, info->name, d.text); return info->kind == AT_STRING;
    case DATUM_NUMBER: break;
    }
    if (info->kind == AT_FLOAT)
        node_set_float(e->g, n, info->name, (float)d.number.f);
    else
        node_set_int(e->g, n, info->name, d.number.i);
    return info->kind == AT_FLOAT || (info->kind == AT_INT && d.number.is_int);
}

static bool set_attrs(Engine *e, const Term *t, Node *n) {
    const Node *like = t->like < 0 ? NULL : e->m.nodes[e->m.rule->slots.at[t->like].statement];
    for (int k = 0; like && k < like->n_attrs; k++)
        if (op_find_attr(n->op, like->attrs[k].name))
            *node_set_attr(e->g, n, like->attrs[k].name, like->attrs[k].kind) = like->attrs[k];
    for (int k = 0; k < t->n_attrs; k++)
        if (!set_attr(e, n, t->attrs[k].info, rule_eval(&e->m, t->attrs[k].value))) return false;
    return true;
}

/* A replacement that does not fit is no mistake of the user. */
bool rule_infer(Graph *g, Node *n) {
    struct Diags *diags = g->unit->diags;
    g->unit->diags = NULL;
    bool ok = node_infer(g, n);
    g->unit->diags = diags;
    return ok;
}

static int count_inputs(const Term *t, Value *const *inputs) {
    int n = t->n_args;
    while (n && !inputs[n - 1]) n--;
    return n;
}

static Node *make_node(Engine *e, const Term *t, int n_results) {
    Graph *g = e->g;
    Value **inputs = NEW_ARRAY(g->unit->arena, Value *, t->n_args);
    if (!make_operands(e, t, inputs)) return NULL;
    int n_outputs = n_results > t->op->min_outputs ? n_results : t->op->min_outputs;
    Value **outputs = NEW_ARRAY(g->unit->arena, Value *, n_outputs);
    for (int k = 0; k < n_outputs; k++) outputs[k] = graph_add_value(g, e->m.rule->name);
    Node *root = e->m.nodes[e->m.rule->root];
    Node *n =
        graph_add_node(g, t->op, root->name, inputs, count_inputs(t, inputs), outputs, n_outputs);
    n->position = root->position;
    n->scope = root->scope;
    vec_push(g->unit->arena, &e->built, n);
    add_uses(e, n);
    for (int k = 0; k < n_outputs; k++) users_of(e, outputs[k]);
    if (!set_attrs(e, t, n)) {
        refuse(e, "an attribute would be of a wrong kind");
        return NULL;
    }
    if (!rule_infer(g, n)) {
        refuse(e, "an operator does not take what it would be given");
        return NULL;
    }
    if (node_fold(g, n, e->options->fold_limit)) {
        n->dead = false;
        drop(e, n);
    }
    return n;
}

static bool same_type(const Value *v, const Value *w) {
    return v->dtype == w->dtype && v->rank == w->rank && dims_equal(v->dims, w->dims, v->rank);
}

static bool is_target(const Engine *e, int slot) {
    return slot >= 0 && e->m.rule->slots.at[slot].statement >= 0;
}

/* A copy of an input to an output stays a copy. */
static bool is_needed_copy(const Value *y, const Value *t) {
    return y->is_output && (t->is_input || t->is_output) && y->producer &&
           y->producer->op->id == OP_Identity;
}

static bool make_statement(Engine *e, const Statement *s) {
    Value *alias = NULL;
    Node *n = NULL;
    if (s->term->kind == TERM_NAME)
        alias = make_tensor(e, s->term);
    else
        n = make_node(e, s->term, s->n_slots);
    if (e->refusal || (!alias && !n)) return refuse(e, "the replacement is absent");
    for (int k = 0; k < s->n_slots; k++) {
        int slot = s->slots[k];
        if (slot < 0) continue;
        Value *v = alias ? alias : n->outputs[k];
        const Value *y = is_target(e, slot) ? e->m.bound[slot].value : NULL;
        if (y && !same_type(y, v)) return refuse(e, "the result would have another type or shape");
        if (y && is_needed_copy(y, v)) return refuse(e, "an output that is an input is a copy");
        e->made[slot] = v;
    }
    return true;
}

/* Taking the place. */

static bool is_old(const Engine *e, const Node *n) {
    const Rule *r = e->m.rule;
    for (int i = 0; i < r->slots.n; i++)
        if (is_target(e, i) && e->made[i] && e->m.nodes[r->slots.at[i].statement] == n) return true;
    return false;
}

static void reach(Arena *arena, Map *seen, NodeList *list, const Value *v) {
    Node *n = v ? v->producer : NULL;
    if (!n || map_get(seen, (uintptr_t)n)) return;
    map_set(seen, (uintptr_t)n, n);
    vec_push(arena, list, n);
}

/* Whether the replacement would need what it replaces: possible where more than one result is
 * replaced. */
static bool makes_cycle(Engine *e) {
    Arena *arena = e->g->unit->arena;
    Map seen = {.arena = arena};
    NodeList list = {0};
    for (int i = 0; i < e->m.rule->slots.n; i++)
        if (is_target(e, i)) reach(arena, &seen, &list, e->made[i]);
    while (list.n) {
        const Node *n = list.at[--list.n];
        if (is_old(e, n)) return true;
        for (int k = 0; k < n->n_inputs; k++) reach(arena, &seen, &list, n->inputs[k]);
    }
    return false;
}

static void move_uses(Engine *e, Value *from, Value *to) {
    NodeList *users = users_of(e, from);
    for (int i = 0; i < users->n; i++) {
        Node *n = users->at[i];
        bool uses = false;
        for (int k = 0; !n->dead && k < n->n_inputs; k++) {
            if (n->inputs[k] != from) continue;
            n->inputs[k] = to;
            from->n_uses--;
            to->n_uses++;
            uses = true;
        }
        if (uses) vec_push(e->g->unit->arena, users_of(e, to), n);
        users = users_of(e, from);
    }
}

/* The uses of y by what is there become uses of t. */
static void alias(Engine *e, Value *y, Value *t) {
    int n_nodes = e->g->nodes.n;
    move_uses(e, y, t);
    if (!y->is_output) return;
    graph_replace_uses(e->g, y, t);
    y->n_uses--;
    Value *out = t;
    for (int i = n_nodes; i < e->g->nodes.n; i++) {
        out = e->g->nodes.at[i]->outputs[0];
        add_uses(e, e->g->nodes.at[i]);
    }
    users_of(e, out);
    out->n_uses++;
}

static bool was_built(const Engine *e, const Node *n) {
    for (int i = 0; i < e->built.n; i++)
        if (e->built.at[i] == n) return !n->dead;
    return false;
}

/* The new node defines y itself, so that names and uses stay as they are; the old one gets the new
 * value. */
static void exchange(Engine *e, Value *y, Value *t, Node *old, int result) {
    Node *n = t->producer;
    move_uses(e, t, y);
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k] == t) n->outputs[k] = y;
    old->outputs[result] = t;
    y->producer = n;
    t->producer = old;
}

static void take_place(Engine *e, int slot) {
    const Slot *s = &e->m.rule->slots.at[slot];
    Value *y = e->m.bound[slot].value, *t = e->made[slot];
    Node *old = e->m.nodes[s->statement];
    if (!y || y == t) return;
    if (t->producer && was_built(e, t->producer) && !t->is_output) {
        exchange(e, y, t, old, s->result);
        for (int i = 0; i < RULE_SLOTS; i++)
            if (e->made[i] == t) e->made[i] = y;
    } else {
        alias(e, y, t);
    }
}

static void visit_again(Engine *e, const Value *v, int depth) {
    const NodeList *users = users_of(e, v);
    for (int i = 0; i < users->n && e->again.n < MOST_AGAIN; i++) {
        Node *n = users->at[i];
        if (n->dead) continue;
        vec_push(e->g->unit->arena, &e->again, n);
        for (int k = 0; depth > 1 && k < n->n_outputs; k++)
            if (n->outputs[k]) visit_again(e, n->outputs[k], depth - 1);
    }
}

static void give_up(Engine *e) {
    for (int i = e->built.n - 1; i >= 0; i--)
        if (!e->built.at[i]->dead) drop(e, e->built.at[i]);
}

static void commit(Engine *e) {
    const Rule *r = e->m.rule;
    Value *targets[RULE_SLOTS];
    Node *old[RULE_SLOTS];
    int n = 0;
    for (int i = 0; i < r->slots.n; i++) {
        if (!is_target(e, i) || !e->made[i]) continue;
        old[n] = e->m.nodes[r->slots.at[i].statement];
        targets[n++] = e->made[i];
        take_place(e, i);
        targets[n - 1] = e->made[i];
    }
    for (int i = 0; i < n; i++)
        if (!old[i]->dead && !is_used(old[i])) drop(e, old[i]);
    for (int i = 0; i < e->built.n; i++) vec_push(e->g->unit->arena, &e->again, e->built.at[i]);
    for (int i = 0; i < n; i++) visit_again(e, targets[i], e->depth);
}

/* What the pattern bound, built anew as the rule says; false: it stays as it is. */
static bool rewrite(Engine *e, Node *root) {
    const Rule *r = e->m.rule;
    e->built.n = 0;
    e->refusal = NULL;
    memset(e->made, 0, sizeof e->made);
    bool ok = true;
    for (int i = 0; ok && i < r->make.n; i++) ok = make_statement(e, &r->make.at[i]);
    if (ok && makes_cycle(e)) ok = refuse(e, "the replacement would need its own result");
    if (!ok || !rewrite_allowed(e->g, e->options, root)) {
        give_up(e);
        return false;
    }
    remark(e->g, e->options, REMARK_MATCHED, root, "rule %s", r->name);
    commit(e);
    e->done.rewrites++;
    if (e->done.rewrites > e->most) e->done.restless = r->name;
    return true;
}

static bool visit(Engine *e, Node *n) {
    if (n->dead) return false;
    const RuleList *rules = &e->by_op[n->op->id];
    for (int i = 0; i < rules->n; i++) {
        ArenaMark mark = arena_mark(e->g->unit->arena);
        if (!rule_match(&e->m, e->g->unit, rules->at[i], n, e->users.at))
            arena_release(e->g->unit->arena, mark);
        else if (rewrite(e, n))
            return true;
    }
    return false;
}

static bool round_of_visits(Engine *e) {
    bool changed = false;
    for (int i = 0; i < e->g->nodes.n && !e->done.restless; i++) {
        changed |= visit(e, e->g->nodes.at[i]);
        for (int k = 0; k < e->again.n && !e->done.restless; k++)
            changed |= visit(e, e->again.at[k]);
        e->again.n = 0;
    }
    return changed;
}

/* Patterns that are there but for a condition. */
static void tell_missed(Engine *e) {
    for (int i = 0; i < e->g->nodes.n; i++) {
        Node *n = e->g->nodes.at[i];
        const RuleList *rules = &e->by_op[n->op->id];
        for (int k = 0; !n->dead && k < rules->n; k++) {
            const Rule *r = rules->at[k];
            if (r->n_ops > 1 && !rule_match(&e->m, e->g->unit, r, n, e->users.at) && e->m.failed)
                remark(e->g, e->options, REMARK_MISSED, n, "rule %s: not %s", r->name,
                       e->m.failed->text);
        }
    }
}

static void begin(Engine *e) {
    graph_count_uses(e->g);
    for (int i = 0; i < e->g->values.n; i++) users_of(e, e->g->values.at[i]);
    for (int i = 0; i < e->g->nodes.n; i++) {
        Node *n = e->g->nodes.at[i];
        for (int k = 0; k < n->n_inputs; k++)
            if (n->inputs[k]) vec_push(e->g->unit->arena, users_of(e, n->inputs[k]), n);
    }
    e->most = (int64_t)e->g->nodes.n * MOST_REWRITES + FREE_REWRITES;
}

static void add_rule(Engine *e, const Rule *r) {
    vec_push(e->g->unit->arena, &e->by_op[r->match.at[r->root].term->op->id], r);
    if (r->depth > e->depth) e->depth = r->depth;
}

RulesDone rules_apply(Graph *g, const PassOptions *options, const RuleSet *const *sets, int n_sets,
                      PassClass promise, int level, const Rule *only) {
    Engine *e = NEW(g->unit->arena, Engine);
    e->g = g;
    e->options = options;
    if (only) add_rule(e, only);
    for (int s = 0; !only && s < n_sets; s++)
        for (int i = 0; sets[s] && i < sets[s]->rules.n; i++) {
            const Rule *r = sets[s]->rules.at[i];
            if (r->promise <= promise && r->level <= level) add_rule(e, r);
        }
    begin(e);
    while (!e->done.restless && round_of_visits(e)) {
    }
    if (options->want_remarks) tell_missed(e);
    graph_sweep(g);
    graph_sort(g);
    return e->done;
}
