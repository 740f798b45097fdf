/* rule_instance.c - graphs that a rule's pattern stands in, made at random from the rule's own
 * text.
 *
 * Numbers, attributes and conditions of the rule say which constants there are; what operators want
 * of an operand (a shape, axes) is made to fit the tensor beside it; everything else is drawn. Most
 * draws miss some condition: whoever wants an instance tries many seeds. */
#include "rule.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* What the conditions say of a tensor. */
typedef struct Hint {
    bool is_constant, is_variable, is_one, has_number;
    Number number;
} Hint;

typedef struct Maker {
    Unit *unit;
    const Rule *rule;
    const Example *example;
    Graph *g;
    uint64_t state;
    DType base;
    int rank;
    int64_t dims[4];
    Hint hints[RULE_SLOTS];
    Match m; /* its bindings: names by slot, nodes by statement */
    bool begun[RULE_STATEMENTS];
    bool failed;
} Maker;

static uint32_t draw(Maker *k, uint32_t n) {
    k->state = k->state * 6364136223846793005u + 1442695040888963407u;
    return n ? (uint32_t)(k->state >> 33) % n : 0;
}

static bool chance(Maker *k, uint32_t percent) { return draw(k, 100) < percent; }

static void *fail(Maker *k) {
    k->failed = true;
    return NULL;
}

/* Hints. */

static int slot_of(const Term *t, const char *function) {
    bool is = t->kind == TERM_CALL && !strcmp(t->function->name, function);
    return is && t->args[0]->kind == TERM_NAME ? t->args[0]->slot : -1;
}

static void hint_call(Maker *k, const Term *t) {
    static const char *const constants[] = {"const", "value", "list", "near"};
    int slot;
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if ((slot = slot_of(t, constants[i])) >= 0) k->hints[slot].is_constant = true;
    bool told = (slot = slot_of(t, "const")) >= 0 || (slot = slot_of(t, "near")) >= 0;
    if (told && t->n_args > 1 && t->args[1]->kind == TERM_NUMBER) {
        k->hints[slot].has_number = true;
        k->hints[slot].number = t->args[1]->number;
    }
}

static void hint_term(Maker *k, const Term *t) {
    int slot;
    if (t->kind != TERM_CALL) return;
    if (!strcmp(t->function->name, "not") && (slot = slot_of(t->args[0], "const")) >= 0) {
        k->hints[slot].is_variable = true;
        return;
    }
    if (!strcmp(t->function->name, "not")) return;
    if (!strcmp(t->function->name, "or")) {
        hint_term(k, t->args[draw(k, 2)]);
        return;
    }
    hint_call(k, t);
    bool equal = !strcmp(t->function->name, "==");
    if (equal && (slot = slot_of(t->args[0], "count")) >= 0 && t->args[1]->kind == TERM_NUMBER)
        k->hints[slot].is_one = t->args[1]->number.f == 1;
    for (int i = 0; i < t->n_args; i++) hint_term(k, t->args[i]);
}

/* Tensors. */

static Value *give_constant(Maker *k, const Tensor *t) { return graph_add_constant(k->g, "c", t); }

static Value *give_ints(Maker *k, const int64_t *ints, int n) {
    return give_constant(k, tensor_from_ints(k->unit->arena, ints, n));
}

static Value *give_input(Maker *k, const char *name, DType t, int rank, const int64_t *sizes) {
    Dim dims[MAX_RANK];
    for (int i = 0; i < rank; i++) dims[i] = (Dim){sizes[i], NULL};
    return graph_add_input(k->g, name, t, rank, dims);
}

/* Constants that rules ask for, more often than others. */
static double draw_number(Maker *k, DType t) {
    static const double reals[] = {0, 1, -1, 2, 0.5, -0.0, 3, 6, 4, 0.25, 0.1, 1.702};
    static const double ints[] = {0, 1, -1, 2, 3, 5};
    if (t == DT_BOOL) return draw(k, 2);
    if (!dtype_is_float(t)) return ints[draw(k, sizeof ints / sizeof *ints)];
    if (chance(k, 70)) return reals[draw(k, sizeof reals / sizeof *reals)];
    return (double)draw(k, 4001) / 1000 - 2;
}

static Tensor *filled(Maker *k, DType t, int rank, const int64_t *dims, double x, bool vary) {
    Tensor *to = tensor_new(k->unit->arena, t, rank, dims);
    size_t bytes = (size_t)dtypes[t].bytes;
    for (int64_t i = 0; i < to->count; i++) {
        const Tensor *one = tensor_scalar(k->unit->arena, t, vary ? draw_number(k, t) : x);
        memcpy((char *)to->data + (size_t)i * bytes, one->data, bytes);
    }
    return to;
}

/* The shape of all, or one that broadcasts with it. */
static int draw_dims(Maker *k, int64_t *dims) {
    int from = chance(k, 20) && k->rank ? (int)draw(k, (uint32_t)k->rank) : 0;
    for (int d = from; d < k->rank; d++) dims[d - from] = chance(k, 12) ? 1 : k->dims[d];
    return k->rank - from;
}

static Value *draw_constant(Maker *k, DType t, Number *x, bool one) {
    int64_t dims[MAX_RANK] = {1};
    int rank = one || chance(k, 60) ? (int)draw(k, 2) : draw_dims(k, dims);
    bool vary = !x && !one && chance(k, 50);
    return give_constant(k, filled(k, t, rank, dims, x ? x->f : draw_number(k, t), vary));
}

static Value *draw_tensor(Maker *k, const Term *name, DType t) {
    Hint *h = &k->hints[name->slot];
    int64_t dims[MAX_RANK];
    if (h->is_constant || h->has_number)
        return draw_constant(k, t, h->has_number ? &h->number : NULL, h->is_one);
    if (!h->is_variable && chance(k, 10)) return draw_constant(k, t, NULL, h->is_one);
    int rank = draw_dims(k, dims);
    return give_input(k, name->text, t, rank, dims);
}

static const ExampleItem *example_item(const Maker *k, int slot) {
    for (int i = 0; k->example && i < k->example->n; i++)
        if (k->example->at[i].slot == slot) return &k->example->at[i];
    return NULL;
}

static Value *give_example(Maker *k, const Term *name, const ExampleItem *item, DType like) {
    DType t = item->dtype != DT_NONE ? item->dtype : item->datum.kind == DATUM_LIST ? DT_I64 : like;
    int64_t n = item->datum.n;
    if (!item->is_constant) return give_input(k, name->text, t, item->rank, item->dims);
    if (item->datum.kind == DATUM_TEXT) return fail(k);
    if (item->datum.kind != DATUM_LIST)
        return give_constant(k, filled(k, t, item->rank, item->dims, item->datum.number.f,
                                       item->datum.kind == DATUM_NONE));
    if (item->shaped && (item->rank != 1 || item->dims[0] != n)) return fail(k);
    Tensor *to = tensor_new(k->unit->arena, t, 1, &n);
    size_t bytes = (size_t)dtypes[t].bytes;
    for (int64_t i = 0; i < n; i++) {
        int64_t whole = item->datum.items[i].i;
        const Tensor *one = tensor_scalar(k->unit->arena, t, item->datum.items[i].f);
        memcpy((char *)to->data + (size_t)i * bytes, t == DT_I64 ? (const void *)&whole : one->data,
               bytes);
    }
    return give_constant(k, to);
}

/* Operands that say how, to fit the first operand. */

typedef enum Role {
    ROLE_DATA,
    ROLE_BOOL,
    ROLE_BOUND,
    ROLE_EXPONENT,
    ROLE_SHAPE,
    ROLE_EXPAND,
    ROLE_REPEATS,
    ROLE_NEW_AXES,
    ROLE_ONE_AXES,
    ROLE_AXES,
    ROLE_STARTS,
    ROLE_ENDS,
    ROLE_ALL_AXES,
    ROLE_STEPS,
    ROLE_PADS
} Role;

static Role slice_role(int operand) {
    static const Role roles[] = {ROLE_DATA, ROLE_STARTS, ROLE_ENDS, ROLE_ALL_AXES, ROLE_STEPS};
    return roles[operand];
}

static Role role_of(const OpInfo *op, int operand) {
    switch ((int)op->id) {
    case OP_And:
    case OP_Or:
    case OP_Xor:
    case OP_Not: return ROLE_BOOL;
    case OP_Where: return operand == 0 ? ROLE_BOOL : ROLE_DATA;
    case OP_Clip: return operand ? ROLE_BOUND : ROLE_DATA;
    case OP_Pow: return operand ? ROLE_EXPONENT : ROLE_DATA;
    case OP_Reshape: return operand ? ROLE_SHAPE : ROLE_DATA;
    case OP_Expand: return operand ? ROLE_EXPAND : ROLE_DATA;
    case OP_Tile: return operand ? ROLE_REPEATS : ROLE_DATA;
    case OP_Unsqueeze: return operand ? ROLE_NEW_AXES : ROLE_DATA;
    case OP_Squeeze: return operand ? ROLE_ONE_AXES : ROLE_DATA;
    case OP_Slice: return slice_role(operand);
    case OP_Pad: return operand == 1 ? ROLE_PADS : operand == 3 ? ROLE_ALL_AXES : ROLE_DATA;
    default: return operand && !strncmp(op->name, "Reduce", 6) ? ROLE_AXES : ROLE_DATA;
    }
}

static Value *give_shape(Maker *k, const Value *x) {
    int64_t left = value_count(x), dims[MAX_RANK];
    int rank = 0;
    if (chance(k, 30)) {
        for (; rank < x->rank; rank++) dims[rank] = x->dims[rank].size;
        return give_ints(k, dims, rank);
    }
    for (; rank < 4 && left > 1; rank++) {
        int64_t d = 1 + draw(k, (uint32_t)left);
        while (left % d) d--;
        dims[rank] = rank == 3 ? left : d;
        left /= dims[rank];
    }
    if (left > 1) dims[rank - 1] *= left;
    while (rank < 4 && chance(k, 30)) dims[rank++] = 1;
    if (rank && value_count(x) && chance(k, 30)) dims[draw(k, (uint32_t)rank)] = -1;
    return give_ints(k, dims, rank);
}

static Value *give_expand(Maker *k, const Value *x) {
    int64_t dims[MAX_RANK + 1];
    int more = chance(k, 25) ? 1 : 0;
    bool same = chance(k, 40);
    if (more) dims[0] = 2;
    for (int d = 0; d < x->rank; d++) {
        int64_t size = x->dims[d].size;
        dims[d + more] = size == 1 && !same ? 1 + draw(k, 3) : chance(k, 30) ? 1 : size;
    }
    return give_ints(k, dims, x->rank + more);
}

/* Each of `most` places is chosen with that chance; they are told from the end at times. */
static Value *give_places(Maker *k, int most, uint32_t percent, const Value *ones) {
    int64_t axes[2 * MAX_RANK];
    int n = 0;
    for (int d = 0; d < most; d++) {
        if (ones && ones->dims[d].size != 1) continue;
        if (chance(k, percent)) axes[n++] = chance(k, 30) ? d - most : d;
    }
    return give_ints(k, axes, n);
}

static Value *give_new_axes(Maker *k, const Value *x) {
    int64_t axes[2];
    int n = 1 + (int)draw(k, 2), rank = x->rank + n;
    axes[0] = draw(k, (uint32_t)rank);
    axes[1] = (axes[0] + 1) % rank;
    return give_ints(k, axes, n);
}

static Value *give_each(Maker *k, const Value *x, Role role) {
    int64_t items[2 * MAX_RANK];
    int n = role == ROLE_PADS ? 2 * x->rank : x->rank;
    bool nothing = chance(k, 60);
    for (int d = 0; d < n; d++) {
        int64_t size = x->dims[d % x->rank].size;
        switch ((int)role) {
        case ROLE_STARTS: items[d] = nothing ? 0 : draw(k, 2); break;
        case ROLE_ENDS: items[d] = nothing ? INT64_MAX : size; break;
        case ROLE_ALL_AXES: items[d] = d; break;
        case ROLE_REPEATS:
        case ROLE_STEPS: items[d] = nothing ? 1 : 1 + draw(k, 2); break;
        default: items[d] = nothing ? 0 : draw(k, 2); break;
        }
    }
    return give_ints(k, items, n);
}

static Value *give_role(Maker *k, const Term *name, Role role, const Value *x) {
    Hint *h = &k->hints[name->slot];
    if (!x || x->rank < 0) return fail(k);
    switch (role) {
    case ROLE_DATA:
    case ROLE_BOOL: break;
    case ROLE_BOUND: return draw_constant(k, x->dtype, h->has_number ? &h->number : NULL, true);
    case ROLE_EXPONENT:
        return draw_constant(k, chance(k, 70) ? x->dtype : DT_F32,
                             h->has_number ? &h->number : NULL, true);
    case ROLE_SHAPE: return give_shape(k, x);
    case ROLE_EXPAND: return give_expand(k, x);
    case ROLE_NEW_AXES: return give_new_axes(k, x);
    case ROLE_ONE_AXES: return give_places(k, x->rank, 70, x);
    case ROLE_AXES: return give_places(k, x->rank, 50, NULL);
    case ROLE_REPEATS:
    case ROLE_STARTS:
    case ROLE_ENDS:
    case ROLE_ALL_AXES:
    case ROLE_STEPS:
    case ROLE_PADS: return x->rank ? give_each(k, x, role) : fail(k);
    }
    return fail(k);
}

/* Attributes. */

static Datum draw_perm(Maker *k, int rank) {
    Number *items = NEW_ARRAY(k->unit->arena, Number, rank);
    for (int d = 0; d < rank; d++) items[d] = (Number){true, d, d};
    for (int d = rank - 1; d > 0 && !chance(k, 25); d--) {
        uint32_t with = draw(k, (uint32_t)d + 1);
        Number t = items[d];
        items[d] = items[with];
        items[with] = t;
    }
    return (Datum){.kind = chance(k, 15) ? DATUM_NONE : DATUM_LIST, .items = items, .n = rank};
}

static Datum draw_attr(Maker *k, const Node *n, const AttrInfo *info) {
    static const int types[] = {1, 2, 3, 5, 6, 7, 9, 10, 11, 16};
    int rank = n->n_inputs && n->inputs[0] ? n->inputs[0]->rank : 0;
    const Node bare = {.op = n->op};
    if (!strcmp(info->name, "axis"))
        return datum_int(rank ? (int64_t)draw(k, (uint32_t)rank) - (chance(k, 30) ? rank : 0) : 0);
    if (!strcmp(info->name, "perm")) return draw_perm(k, rank);
    if (!strcmp(info->name, "to")) return datum_int(types[draw(k, sizeof types / sizeof *types)]);
    if (!strcmp(info->name, "keepdims")) return datum_int(chance(k, 70));
    if (info->kind == AT_FLOAT) return datum_real(draw_number(k, DT_F32));
    return datum_attr(k->unit, &bare, info);
}

static Datum attr_datum(Maker *k, const Node *n, const TermAttr *a) {
    const Term *t = a->value;
    if (t->kind != TERM_NAME) return rule_eval(&k->m, t);
    Binding *b = &k->m.bound[t->slot];
    if (!b->is_set) {
        const ExampleItem *item = example_item(k, t->slot);
        *b = (Binding){true, NULL, item ? item->datum : draw_attr(k, n, a->info)};
    }
    return b->datum;
}

static void set_ints(Maker *k, Node *n, const char *name, Datum d) {
    int64_t *ints = NEW_ARRAY(k->unit->arena, int64_t, d.n);
    for (int i = 0; i < d.n; i++) ints[i] = d.items[i].i;
    node_set_ints(k->g, n, name, ints, d.n);
}

static void set_attr(Maker *k, Node *n, const TermAttr *a) {
    Datum d = attr_datum(k, n, a);
    AttrKind kind = (AttrKind)a->info->kind;
    if (d.kind == DATUM_NONE) return;
    if (kind == AT_INT && d.kind == DATUM_NUMBER)
        node_set_int(k->g, n, a->info->name, d.number.i);
    else if (kind == AT_FLOAT && d.kind == DATUM_NUMBER)
        node_set_float(k->g, n, a->info->name, (float)d.number.f);
    else if (kind == AT_STRING && d.kind == DATUM_TEXT)
        node_set_string(k->g, n, a->info->name, d.text);
    else if (kind == AT_INTS && d.kind == DATUM_LIST)
        set_ints(k, n, a->info->name, d);
    else
        fail(k);
}

/* Nodes. */

static Value *build_statement(Maker *k, int statement, int result);
static Node *build_node(Maker *k, const Term *t, int n_results);

/* An operand that tells types: another operator, or a name that is known or defined by a
 * statement. */
static bool is_made(const Maker *k, const Term *t) {
    if (t->kind == TERM_OP) return true;
    return t->kind == TERM_NAME &&
           (k->m.bound[t->slot].is_set || k->rule->slots.at[t->slot].statement >= 0);
}

static Value *build_made(Maker *k, const Term *t) {
    if (t->kind == TERM_OP) {
        Node *n = build_node(k, t, 1);
        return n ? n->outputs[0] : NULL;
    }
    if (k->m.bound[t->slot].is_set) return k->m.bound[t->slot].value;
    const Slot *s = &k->rule->slots.at[t->slot];
    return build_statement(k, s->statement, s->result);
}

static Value *build_leaf(Maker *k, const Term *t, Role role, DType like, const Value *first) {
    if (role == ROLE_BOOL) like = DT_BOOL;
    if (t->kind == TERM_NUMBER) {
        Number x = t->number;
        return draw_constant(k, like, &x, role == ROLE_BOUND || role == ROLE_EXPONENT);
    }
    if (t->kind == TERM_LIST) {
        Datum d = rule_eval(&k->m, t);
        int64_t *ints = NEW_ARRAY(k->unit->arena, int64_t, d.n);
        for (int i = 0; i < d.n; i++) ints[i] = d.items[i].i;
        return give_ints(k, ints, d.n);
    }
    if (t->kind != TERM_NAME) return NULL;
    if (k->m.bound[t->slot].is_set) return k->m.bound[t->slot].value;
    const ExampleItem *item = example_item(k, t->slot);
    Value *v = NULL;
    if (item)
        v = give_example(k, t, item, like);
    else if (t->optional && (k->example || chance(k, 40)))
        v = NULL;
    else
        v = role <= ROLE_BOOL ? draw_tensor(k, t, like) : give_role(k, t, role, first);
    k->m.bound[t->slot] = (Binding){true, v, {.kind = DATUM_NONE}};
    return v;
}

/* What is made first tells the type of the leaves beside it. */
static void build_operands(Maker *k, const Term *t, Value **inputs) {
    DType like = DT_NONE;
    bool made[16] = {false};
    for (int i = 0; i < t->n_args && !k->failed; i++) {
        made[i] = is_made(k, t->args[i]);
        inputs[i] = made[i] ? build_made(k, t->args[i]) : NULL;
        bool tells = inputs[i] && role_of(t->op, i) == ROLE_DATA;
        if (tells && like == DT_NONE) like = inputs[i]->dtype;
    }
    if (like == DT_NONE) like = k->base;
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < t->n_args && !k->failed; i++) {
            Role role = role_of(t->op, i);
            if (!made[i] && turn == (role > ROLE_BOOL))
                inputs[i] = build_leaf(k, t->args[i], role, like, inputs[0]);
        }
}

static Node *build_node(Maker *k, const Term *t, int n_results) {
    Value *inputs[16] = {NULL}, *outputs[16] = {NULL};
    if (t->n_args > 16 || n_results > 16 || k->failed) return fail(k);
    build_operands(k, t, inputs);
    int n_inputs = t->n_args,
        n_outputs = n_results > t->op->min_outputs ? n_results : t->op->min_outputs;
    while (n_inputs && !inputs[n_inputs - 1]) n_inputs--;
    for (int i = 0; i < n_inputs && !k->failed; i++)
        if (!inputs[i] && i < t->op->min_inputs) fail(k);
    if (k->failed || n_inputs < t->op->min_inputs || n_outputs > 16) return fail(k);
    for (int i = 0; i < n_outputs; i++) outputs[i] = graph_add_value(k->g, "t");
    Node *n = graph_add_node(k->g, t->op, "", inputs, n_inputs, outputs, n_outputs);
    for (int i = 0; i < t->n_attrs; i++) set_attr(k, n, &t->attrs[i]);
    if (!k->failed && rule_infer(k->g, n)) return n;
    fail(k);
    return NULL;
}

static Value *build_statement(Maker *k, int statement, int result) {
    const Statement *s = &k->rule->match.at[statement];
    Node *n = k->m.nodes[statement];
    if (!n) {
        if (k->begun[statement]) return fail(k); /* a pattern that needs itself */
        k->begun[statement] = true;
        n = build_node(k, s->term, s->n_slots);
        if (!n) return NULL;
        k->m.nodes[statement] = n;
        for (int i = 0; i < s->n_slots; i++)
            if (s->slots[i] >= 0)
                k->m.bound[s->slots[i]] = (Binding){true, n->outputs[i], {.kind = DATUM_NONE}};
    }
    return n->outputs[result];
}

static void begin(Maker *k, uint64_t seed) {
    static const DType types[] = {DT_F32, DT_F32, DT_F32, DT_F64, DT_F16, DT_BF16,
                                  DT_I32, DT_I64, DT_I8,  DT_U8,  DT_BOOL};
    const Rule *r = k->rule;
    k->state = seed * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < 4; i++) draw(k, 2);
    k->base = types[draw(k, sizeof types / sizeof *types)];
    k->rank = (int)draw(k, 5);
    for (int d = 0; d < k->rank; d++) k->dims[d] = 1 + draw(k, 4);
    if (r->examples.n) k->example = &r->examples.at[seed % (uint64_t)r->examples.n];
    for (int i = 0; k->example && i < k->example->n; i++)
        if (k->example->at[i].dtype != DT_NONE && !k->example->at[i].is_constant) {
            k->base = k->example->at[i].dtype;
            break;
        }
    for (int i = 0; i < r->clauses.n; i++) hint_term(k, r->clauses.at[i].term);
}

Graph *rule_instance(Unit *u, const Rule *rule, uint64_t seed) {
    Maker *k = NEW(u->arena, Maker);
    k->unit = u;
    k->rule = rule;
    k->g = graph_new(u, rule->name);
    k->m.unit = u;
    k->m.rule = rule;
    begin(k, seed);
    build_statement(k, rule->root, 0);
    for (int i = 0; i < rule->match.n && !k->failed; i++) build_statement(k, i, 0);
    if (k->failed) return NULL;
    for (int i = 0; i < rule->make.n; i++)
        for (int j = 0; j < rule->make.at[i].n_slots; j++) {
            int slot = rule->make.at[i].slots[j];
            if (slot >= 0 && rule->slots.at[slot].statement >= 0)
                graph_set_output(k->g, k->m.bound[slot].value);
        }
    return k->g;
}
