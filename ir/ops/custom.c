/* custom.c - the registry of operators and passes that are in no table of ours.
 *
 * A registered operator becomes an OpInfo like any other, so the rest of the compiler knows no
 * difference: its shape rule, expansion, formula or loops call what was registered. */
#include "custom_call.h"

#include <string.h>

typedef struct Registry {
    VEC(const OpInfo *) ops;
    VEC(const struct sonoc_pass *) passes;
} Registry;

static Registry *registry_of(Unit *u) {
    if (!u->registry) u->registry = NEW(u->arena, Registry);
    return u->registry;
}

int registry_ops(const Unit *u) { return u->registry ? u->registry->ops.n : 0; }
const OpInfo *registry_op(const Unit *u, int i) { return u->registry->ops.at[i]; }
int registry_passes(const Unit *u) { return u->registry ? u->registry->passes.n : 0; }
const struct sonoc_pass *registry_pass(const Unit *u, int i) { return u->registry->passes.at[i]; }

const struct sonoc_pass *registry_find_pass(const Unit *u, const char *name) {
    for (int i = 0; i < registry_passes(u); i++)
        if (!strcmp(registry_pass(u, i)->name, name)) return registry_pass(u, i);
    return NULL;
}

const OpInfo *op_find_in(const Unit *u, const char *domain, const char *name) {
    const OpInfo *op = op_find(domain, name);
    for (int i = 0; !op && i < registry_ops(u); i++) {
        const OpInfo *own = registry_op(u, i);
        if (!strcmp(own->name, name) && !strcmp(own->domain, domain)) op = own;
    }
    return op;
}

/* Calls. */

Call call_begin(Unit *u, Graph *g, const char *who) {
    Call c = {.who = who, .unit = u, .graph = g};
    c.api.api = SONOC_API;
    call_fill_graph(&c.api);
    call_fill_loop(&c.api);
    return c;
}

void call_misused(const Call *c, const char *format, ...) {
    char text[384];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    escape(&c->unit->escape, STATUS_REFUSED, "registered '%s' misuses sonoc_op.h: %s", c->who,
           text);
}

/* Shape rules. */

static bool infer_by_rule(Infer *f, Node *n) {
    Call c = call_begin(f->unit, f->graph, n->op->name);
    c.infer = f;
    return n->op->custom->infer(&c.api, sonoc_node_of(n)) && !c.failed;
}

/* What the expansion gives tells the outputs' types. */
static bool infer_by_expansion(Infer *f, Node *n) {
    Graph *g = graph_of_node(f->unit, n);
    Node *copy = g->nodes.at[0];
    for (int k = 0; k < copy->n_outputs; k++) {
        if (!copy->outputs[k]) continue;
        copy->outputs[k]->rank = -1;
        copy->outputs[k]->producer = NULL;
    }
    if (!n->op->expand(g, copy)) return false;
    for (int k = 0; k < copy->n_outputs; k++) {
        int64_t dims[MAX_RANK];
        const Value *v = copy->outputs[k];
        if (v && v->rank < 0)
            return infer_fail(f, n, D_CUSTOM, "the expansion leaves an output out");
        if (v) infer_set(f, n, k, v->dtype, value_dims(v, dims), dims);
    }
    return true;
}

static bool custom_expand(Graph *g, Node *n) {
    Call c = call_begin(g->unit, g, n->op->name);
    Expansion e = expansion_begin(g, n);
    c.expansion = &e;
    return n->op->custom->expand(&c.api, sonoc_node_of(n)) && expansion_end(&e) && !c.failed;
}

/* Entering. */

typedef struct Entry {
    struct sonoc_registry api; /* first */
    Unit *unit;
    const char *from;
    bool failed;
} Entry;

static Entry *entry_of(const struct sonoc_registry *r) { return (Entry *)(uintptr_t)r; }

static void refuse(Entry *e, const char *name, const char *why) {
    diag(e->unit, NO_PLACE, D_PLUGIN, e->from,
         arena_format(e->unit->arena, "'%s' %s", name ? name : "", why));
    e->failed = true;
}

static const AttrInfo *attrs_of(Unit *u, const struct sonoc_attr *attrs) {
    int n = 0;
    while (attrs && attrs[n].name) n++;
    AttrInfo *list = NEW_ARRAY(u->arena, AttrInfo, n + 1);
    for (int i = 0; i < n; i++)
        list[i] = (AttrInfo){attrs[i].name, (int)attrs[i].kind, attrs[i].standard};
    return list;
}

_Static_assert((int)SONOC_INT == AT_INT && (int)SONOC_FLOAT == AT_FLOAT &&
                   (int)SONOC_STRING == AT_STRING && (int)SONOC_TENSOR == AT_TENSOR &&
                   (int)SONOC_INTS == AT_INTS && (int)SONOC_FLOATS == AT_FLOATS &&
                   (int)SONOC_STRINGS == AT_STRINGS,
               "the kinds of attributes are numbered as outside");

static OpInfo *info_of(Unit *u, const struct sonoc_op *op) {
    OpInfo *info = NEW(u->arena, OpInfo);
    *info = (OpInfo){.name = name_intern(u->names, op->name),
                     .domain = name_intern(u->names, op->domain),
                     .since = 1,
                     .min_inputs = op->min_inputs,
                     .max_inputs = op->max_inputs,
                     .min_outputs = op->max_outputs ? op->min_outputs : 1,
                     .max_outputs = op->max_outputs ? op->max_outputs : 1,
                     .attrs = attrs_of(u, op->attrs),
                     .custom = op};
    info->infer = op->infer ? infer_by_rule : op->element ? infer_broadcast : infer_by_expansion;
    info->kind = op->element ? OK_ELEM : op->expand ? OK_EXPAND : OK_CODE;
    info->elem = op->element ? custom_elem : NULL;
    info->expand = op->expand ? custom_expand : NULL;
    info->code = op->lower ? custom_code : NULL;
    return info;
}

static void add_op(const struct sonoc_registry *r, const struct sonoc_op *op) {
    Entry *e = entry_of(r);
    int ways = (op->element != NULL) + (op->expand != NULL) + (op->lower != NULL);
    if (op->api != SONOC_API)
        refuse(e, op->name, "is for another version of sonoc_op.h");
    else if (!op->name || !*op->name || !op->domain || !*op->domain)
        refuse(e, op->name, "needs a name and a domain");
    else if (op_find_in(e->unit, op->domain, op->name))
        refuse(e, op->name, "is registered already");
    else if (ways != 1 || (op->lower && !op->infer))
        refuse(e, op->name,
               "needs one of element, expand and lower, and a shape rule with the last");
    else if (op->element && op->max_outputs > 1)
        refuse(e, op->name, "has a formula for one output only");
    else
        vec_push(e->unit->arena, &registry_of(e->unit)->ops, info_of(e->unit, op));
}

static void add_pass(const struct sonoc_registry *r, const struct sonoc_pass *pass) {
    Entry *e = entry_of(r);
    if (pass->api != SONOC_API)
        refuse(e, pass->name, "is for another version of sonoc_op.h");
    else if (!pass->name || !*pass->name || !pass->run || !pass->summary)
        refuse(e, pass->name, "needs a name, a summary and a function");
    else if (registry_find_pass(e->unit, pass->name))
        refuse(e, pass->name, "is registered already");
    else
        vec_push(e->unit->arena, &registry_of(e->unit)->passes, pass);
}

bool registry_enter(Unit *u, void (*enter)(const struct sonoc_registry *r), const char *from) {
    Entry e = {.api = {SONOC_API, add_op, add_pass}, .unit = u, .from = from};
    enter(&e.api);
    return !e.failed;
}

/* What the compiler does with registered things. */

static bool is_spelling(const Node *n) { return n->op->custom && n->op->custom->spelling; }
static bool is_expandable(const Node *n) { return n->op->custom && n->op->kind == OK_EXPAND; }

bool graph_expand_spellings(Graph *g) {
    for (int i = 0; i < g->nodes.n; i++)
        if (is_spelling(g->nodes.at[i])) return graph_expand_some(g, is_spelling);
    return true;
}

/* Every input becomes one of the graph: the caller calls it by position. */
Graph *node_expanded(Unit *u, const Node *n) {
    Graph *g = graph_of_node(u, n);
    const Node *copy = g->nodes.at[0];
    g->inputs.n = 0;
    for (int k = 0; k < copy->n_inputs; k++) {
        Value *absent = copy->inputs[k] ? NULL : graph_add_value(g, "absent");
        vec_push(u->arena, &g->inputs, absent ? absent : copy->inputs[k]);
    }
    return graph_expand_some(g, is_expandable) ? g : NULL;
}

bool custom_pass_run(Graph *g, const struct sonoc_pass *pass, AllowFn *allow, const void *context) {
    Call c = call_begin(g->unit, g, pass->name);
    c.is_pass = true;
    c.allow = allow;
    c.allow_context = context;
    graph_count_uses(g);
    bool ok = pass->run(&c.api) && !c.failed;
    graph_sort(g);
    graph_sweep(g);
    return ok;
}

static struct sonoc_tensor *tensors_of(Unit *u, const Tensor *const *from, int n) {
    struct sonoc_tensor *to = NEW_ARRAY(u->arena, struct sonoc_tensor, n);
    for (int k = 0; k < n; k++) {
        if (!from[k]) continue;
        void *data = (void *)(uintptr_t)from[k]->data;
        to[k] =
            (struct sonoc_tensor){dtypes[from[k]->dtype].onnx, from[k]->rank, from[k]->dims, data};
    }
    return to;
}

bool node_reference(Unit *u, Node *n, const Tensor *const *inputs, Tensor *const *outputs) {
    if (!n->op->custom || !n->op->custom->reference) return false;
    const struct sonoc_tensor *in = tensors_of(u, inputs, n->n_inputs);
    const struct sonoc_tensor *out = tensors_of(u, (const Tensor *const *)outputs, n->n_outputs);
    Call c = call_begin(u, NULL, n->op->name);
    n->op->custom->reference(&c.api, sonoc_node_of(n), in, out);
    return true;
}
