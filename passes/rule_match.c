/* rule_match.c - finds the pattern of a rule at a node.
 *
 * What is still to be matched is a list of goals; a goal that can be met in two ways (the operands
 * of a commutative operator) is tried in one, with all goals after it, and then in the other.
 * Conditions are the last goal. */
#include "rule.h"

#include <string.h>

enum { MOST_STEPS = 20000 }; /* a pattern that needs more at one node does not match there */

typedef struct Goal {
    const Term *term;
    Value *value;
    const struct Goal *next;
} Goal;

static bool match_goals(Match *m, const Goal *goals);

/* Bindings and the way back. */

static void bind(Match *m, int slot, Value *v, Datum d) {
    m->bound[slot] = (Binding){true, v, d};
    m->trail[m->n_trail++] = slot;
}

static void bind_node(Match *m, int statement, Node *n) {
    m->nodes[statement] = n;
    m->trail[m->n_trail++] = -1 - statement;
}

static void go_back(Match *m, int to) {
    while (m->n_trail > to) {
        int what = m->trail[--m->n_trail];
        if (what < 0)
            m->nodes[-1 - what] = NULL;
        else
            m->bound[what].is_set = false;
    }
}

static bool same_tensor(const Tensor *a, const Tensor *b) {
    if (a->dtype != b->dtype || a->rank != b->rank || a->dtype == DT_STRING) return false;
    for (int k = 0; k < a->rank; k++)
        if (a->dims[k] != b->dims[k]) return false;
    return !memcmp(a->data, b->data, (size_t)a->count * (size_t)dtypes[a->dtype].bytes);
}

/* Two constants of the same elements are the same. */
static bool same_value(const Value *a, const Value *b) {
    return a == b ||
           (a && b && a->constant && b->constant && same_tensor(a->constant, b->constant));
}

static bool same_number(Number a, Number b, bool near) {
    if (a.is_int && b.is_int) return a.i == b.i;
    return number_is(DT_F32, a, b, near);
}

static bool same_datum(Datum a, Datum b, bool near) {
    if (a.kind != b.kind) return false;
    if (a.kind == DATUM_TEXT) return !strcmp(a.text, b.text);
    if (a.kind == DATUM_NUMBER) return same_number(a.number, b.number, near);
    if (a.kind == DATUM_LIST && a.n != b.n) return false;
    for (int k = 0; a.kind == DATUM_LIST && k < a.n; k++)
        if (!same_number(a.items[k], b.items[k], false)) return false;
    return true;
}

/* Attributes. */

static const TermAttr *find_attr(const Term *t, const char *name) {
    for (int k = 0; k < t->n_attrs; k++)
        if (!strcmp(t->attrs[k].info->name, name)) return &t->attrs[k];
    return NULL;
}

/* An attribute that the pattern does not name has its default, or is not given. */
static bool is_default(Match *m, const Node *n, const AttrInfo *info) {
    const Attr *given = node_attr(n, info->name);
    if (!given) return true;
    if (!info->default_text) return false;
    const Node bare = {.op = n->op};
    return same_datum(datum_attr(m->unit, n, info), datum_attr(m->unit, &bare, info), false);
}

static bool match_attrs(Match *m, const Term *t, const Node *n) {
    for (const AttrInfo *info = n->op->attrs; info->name; info++) {
        const TermAttr *wanted = find_attr(t, info->name);
        if (!wanted) {
            if (!t->open && !is_default(m, n, info)) return false;
            continue;
        }
        const Term *v = wanted->value;
        Datum is = datum_attr(m->unit, n, info);
        if (v->kind == TERM_NAME && !m->bound[v->slot].is_set)
            bind(m, v->slot, NULL, is);
        else if (!same_datum(is, rule_eval(m, v), v->near))
            return false;
    }
    return true;
}

/* Operands. */

static bool is_commutative(const OpInfo *op) {
    switch ((int)op->id) {
    case OP_Add:
    case OP_Mul:
    case OP_Min:
    case OP_Max:
    case OP_And:
    case OP_Or:
    case OP_Xor:
    case OP_Equal:
    case OP_BitwiseAnd:
    case OP_BitwiseOr:
    case OP_BitwiseXor:
    case OP_Sum:
    case OP_Mean: return true;
    default: return false;
    }
}

/* The operands from k on as goals before `goals`. */
static bool match_operands(Match *m, const Term *t, const Node *n, int k, bool swapped,
                           const Goal *goals) {
    if (k == t->n_args) return match_goals(m, goals);
    int from = swapped ? 1 - k : k;
    Goal goal = {t->args[k], from < n->n_inputs ? n->inputs[from] : NULL, goals};
    return match_operands(m, t, n, k + 1, swapped, &goal);
}

static bool match_node(Match *m, const Term *t, const Node *n, const Goal *goals) {
    int before = m->n_trail;
    if (!n || n->dead || n->op != t->op || m->steps-- <= 0) return false;
    for (int k = t->n_args; k < n->n_inputs; k++)
        if (n->inputs[k]) return false;
    if (match_attrs(m, t, n)) {
        if (match_operands(m, t, n, 0, false, goals)) return true;
        go_back(m, before);
        bool turn = is_commutative(t->op) && t->n_args == 2 && n->n_inputs == 2;
        if (turn && match_attrs(m, t, n) && match_operands(m, t, n, 0, true, goals)) return true;
    }
    go_back(m, before);
    return false;
}

/* A node for a statement of the pattern; its results get their names. */
static bool match_statement(Match *m, int statement, Node *n, const Goal *goals) {
    const Statement *s = &m->rule->match.at[statement];
    int before = m->n_trail;
    if (!n || n->dead || n->op != s->term->op) return false;
    for (int i = 0; i < m->rule->match.n; i++)
        if (m->nodes[i] == n) return false;
    bind_node(m, statement, n);
    bool ok = s->n_slots <= n->n_outputs;
    for (int k = 0; ok && k < s->n_slots; k++) {
        int slot = s->slots[k];
        if (slot < 0) continue;
        ok = !m->bound[slot].is_set || m->bound[slot].value == n->outputs[k];
        if (ok && !m->bound[slot].is_set) bind(m, slot, n->outputs[k], (Datum){.kind = DATUM_NONE});
    }
    if (ok && match_node(m, s->term, n, goals)) return true;
    go_back(m, before);
    return false;
}

static bool match_name(Match *m, const Term *t, Value *v, const Goal *goals) {
    const Slot *slot = &m->rule->slots.at[t->slot];
    Binding *b = &m->bound[t->slot];
    int before = m->n_trail;
    if (!v && !t->optional) return false;
    if (b->is_set) return same_value(b->value, v) && match_goals(m, goals);
    if (slot->statement >= 0) {
        Node *n = v ? v->producer : NULL;
        if (!n || slot->result >= n->n_outputs || n->outputs[slot->result] != v) return false;
        return match_statement(m, slot->statement, n, goals);
    }
    bind(m, t->slot, v, (Datum){.kind = DATUM_NONE});
    if (match_goals(m, goals)) return true;
    go_back(m, before);
    return false;
}

static bool is_number(const Term *t, const Value *v) {
    Number x;
    return value_uniform(v, &x) && number_is(v->dtype, x, t->number, t->near);
}

static bool is_list(const Match *m, const Term *t, const Value *v) {
    const Tensor *c = v ? v->constant : NULL;
    Datum wanted = rule_eval(m, t);
    if (!c || !dtype_is_int(c->dtype) || c->rank > 1 || c->count != wanted.n) return false;
    for (int k = 0; k < wanted.n; k++)
        if (tensor_get_int(c, k) != wanted.items[k].i) return false;
    return true;
}

/* Statements that no operand leads to are looked for among the users of what is bound. */
static bool match_rest(Match *m, int statement) {
    const Term *t = m->rule->match.at[statement].term;
    for (int k = 0; k < t->n_args; k++) {
        if (t->args[k]->kind != TERM_NAME || !m->bound[t->args[k]->slot].is_set) continue;
        const Value *v = m->bound[t->args[k]->slot].value;
        for (int i = 0; v && i < m->users[v->id].n; i++)
            if (match_statement(m, statement, m->users[v->id].at[i], NULL)) return true;
        return false;
    }
    return false;
}

static bool check_clauses(Match *m) {
    int before = m->n_trail;
    for (int i = 0; i < m->rule->clauses.n; i++) {
        const Clause *c = &m->rule->clauses.at[i];
        Datum d = rule_eval(m, c->term);
        if (c->slot >= 0) {
            bind(m, c->slot, NULL, d);
        } else if (!datum_is_true(d)) {
            if (!m->failed || c > m->failed) m->failed = c;
            go_back(m, before);
            return false;
        }
    }
    return true;
}

static bool match_goals(Match *m, const Goal *goals) {
    if (m->steps-- <= 0) return false;
    if (!goals) {
        for (int i = 0; i < m->rule->match.n; i++)
            if (!m->nodes[i]) return match_rest(m, i);
        return check_clauses(m);
    }
    const Term *t = goals->term;
    Value *v = goals->value;
    switch (t->kind) {
    case TERM_NAME: return match_name(m, t, v, goals->next);
    case TERM_ABSENT: return !v && match_goals(m, goals->next);
    case TERM_NUMBER: return is_number(t, v) && match_goals(m, goals->next);
    case TERM_LIST: return is_list(m, t, v) && match_goals(m, goals->next);
    case TERM_OP:
        return v && v->producer && v->producer->outputs[0] == v &&
               match_node(m, t, v->producer, goals->next);
    case TERM_TEXT:
    case TERM_CALL: break;
    }
    return false;
}

bool rule_match(Match *m, Unit *u, const Rule *rule, Node *root, const NodeList *users) {
    m->unit = u;
    m->rule = rule;
    m->users = users;
    m->n_trail = 0;
    m->steps = MOST_STEPS;
    m->failed = NULL;
    memset(m->nodes, 0, sizeof m->nodes);
    for (int i = 0; i < rule->slots.n; i++) m->bound[i] = (Binding){0};
    return match_statement(m, rule->root, root, NULL);
}
