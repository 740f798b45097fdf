/* graph_reader.c - GraphProto to Graph: names, initializers, nodes, outputs.
 *
 * All names of a scope are declared before its nodes are read, so nodes may stand in any order;
 * order.c sorts them after.  Everything wrong is reported and reading goes on, until there is more
 * than anybody would read. */
#include "reader.h"

#include <string.h>

typedef struct UnknownOp {
    const char *domain, *op;
    int64_t count;
    Place first;
} UnknownOp;

bool reader_is_done(const Reader *r) { return diag_count(r->unit) >= DIAGS_MAX; }

const char *normal_domain(Reader *r, const char *domain) {
    return name_intern(r->unit->names, !domain || strcmp(domain, "ai.onnx") == 0 ? "" : domain);
}

static const char *intern(Reader *r, const char *text) {
    return name_intern(r->unit->names, text ? text : "");
}

/* Scopes. */

const Binding *scope_find(const Scope *scope, const char *name) {
    for (; scope; scope = scope->outer) {
        const char *interned = name_intern(scope->graph->unit->names, name);
        const Binding *b = map_get(&scope->bindings, (uintptr_t)interned);
        if (b) return b;
    }
    return NULL;
}

static void bind_at(Reader *r, Scope *scope, Place place, const char *name, Value *value,
                    const char *what) {
    const char *interned = intern(r, name);
    Binding *b = map_get(&scope->bindings, (uintptr_t)interned);
    if (b) {
        diag(r->unit, place, D_NAME_TAKEN, interned, what, b->what);
        return;
    }
    b = NEW(r->unit->arena, Binding);
    *b = (Binding){value, what};
    map_set(&scope->bindings, (uintptr_t)interned, b);
}

void scope_bind(Reader *r, Scope *scope, const char *name, Value *value, const char *what) {
    Place place = NO_PLACE;
    place.scope = scope->label;
    bind_at(r, scope, place, name, value, what);
}

const char *intern_format(Unit *u, const char *format, ...) {
    char small[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, format, args);
    char *text = (size_t)n < sizeof small ? small : arena_alloc(u->arena, (size_t)n + 1);
    if (text != small) vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    return name_intern(u->names, text);
}

/* A name of this scope, as it is called in the whole graph. */
static const char *prefixed(Reader *r, const Scope *scope, const char *name) {
    if (!*scope->prefix) return intern(r, name);
    if (!name || !*name) return scope->prefix;
    return intern_format(r->unit, "%s/%s", scope->prefix, name);
}

Value *scope_value(Reader *r, const Scope *scope, const char *name) {
    return graph_add_value(scope->graph, prefixed(r, scope, name));
}

void value_make_constant(Graph *g, Value *v, const Tensor *t) {
    value_set_type(g, v, t->dtype, t->rank, t->dims);
    v->constant = t;
}

/* The version of a domain's operators; 0 if the model does not say. */
static int scope_opset(Reader *r, const Scope *scope, const char *domain) {
    for (size_t i = 0; i < scope->n_opsets; i++)
        if (normal_domain(r, scope->opsets[i]->domain) == domain)
            return (int)scope->opsets[i]->version;
    for (size_t i = 0; i < r->n_opsets; i++)
        if (normal_domain(r, r->opsets[i]->domain) == domain) return (int)r->opsets[i]->version;
    return 0;
}

/* Unknown operators. */

static void unknown_add(Reader *r, const RawNode *node) {
    const char *key = intern_format(r->unit, "%s::%s", node->domain, node->op);
    UnknownOp *unknown = map_get(&r->unknown_by_key, (uintptr_t)key);
    if (!unknown) {
        unknown = NEW(r->unit->arena, UnknownOp);
        *unknown = (UnknownOp){node->domain, node->op, 0, raw_place(node, NULL)};
        map_set(&r->unknown_by_key, (uintptr_t)key, unknown);
        vec_push(r->unit->arena, &r->unknown, unknown);
    }
    unknown->count++;
}

void unknown_report(Reader *r) {
    if (r->unknown.n == 0) return;
    Text text = {.arena = r->unit->arena};
    for (int i = 0; i < r->unknown.n && i < DIAGS_MAX; i++) {
        const UnknownOp *u = r->unknown.at[i];
        const Place *p = &u->first;
        text_add(&text, "%s%6lld  %s%s%s, first at ", i ? "\n" : "", (long long)u->count, u->domain,
                 *u->domain ? "::" : "", u->op);
        if (p->scope) text_add(&text, "%s: ", p->scope);
        text_add(&text, "node %d", p->node);
        if (*p->name) text_add(&text, " '%s'", p->name);
    }
    if (r->unknown.n > DIAGS_MAX)
        text_add(&text, "\n        and %d more", r->unknown.n - DIAGS_MAX);
    diag(r->unit, NO_PLACE, D_UNKNOWN_OPERATORS, text.at);
}

/* Newest-form nodes against the operator table. */

static const OpInfo *find_op(Reader *r, const RawNode *node) {
    if (*node->domain) return op_find_in(r->unit, node->domain, node->op);
    const OpInfo *op = map_get(&r->ops, (uintptr_t)node->op);
    if (op) return op;
    op = op_find("", node->op);
    if (op) map_set(&r->ops, (uintptr_t)node->op, (void *)(uintptr_t)op);
    return op;
}

static bool check_inputs(Reader *r, RawNode *node, const OpInfo *op) {
    while (node->inputs.n && !node->inputs.at[node->inputs.n - 1]) node->inputs.n--;
    int n = node->inputs.n, most = op->max_inputs < 0 ? INT32_MAX : op->max_inputs;
    if (n < op->min_inputs || n > most)
        return diag(r->unit, raw_place(node, NULL), D_INPUT_COUNT, n, op->min_inputs, most);
    for (int i = 0; i < op->min_inputs; i++)
        if (!node->inputs.at[i]) return diag(r->unit, raw_place(node, NULL), D_INPUT_MISSING, i);
    return true;
}

static bool check_outputs(Reader *r, RawNode *node, const OpInfo *op) {
    while (node->outputs.n > 1 && !node->outputs.at[node->outputs.n - 1]) node->outputs.n--;
    int n = node->outputs.n, most = op->max_outputs < 0 ? INT32_MAX : op->max_outputs;
    if (n >= op->min_outputs && n <= most) return true;
    return diag(r->unit, raw_place(node, NULL), D_OUTPUT_COUNT, n, op->min_outputs, most);
}

static bool check_attrs(Reader *r, const RawNode *node, const OpInfo *op) {
    bool ok = true;
    for (int i = 0; i < node->attrs.n; i++) {
        const Attr *attr = &node->attrs.at[i];
        const AttrInfo *info = op_find_attr(op, attr->name);
        Place place = raw_place(node, attr->name);
        if (!info)
            ok = diag(r->unit, place, D_ATTRIBUTE_UNKNOWN);
        else if (info->kind != (int)attr->kind)
            ok = diag(r->unit, place, D_ATTRIBUTE_KIND, attr_kind_text(attr->kind),
                      attr_kind_text(info->kind));
    }
    return ok;
}

void emit_node(Reader *r, Scope *scope, RawNode *node) {
    const OpInfo *op = find_op(r, node);
    if (!op) {
        unknown_add(r, node);
        return;
    }
    bool ok = check_inputs(r, node, op);
    ok &= check_outputs(r, node, op);
    ok &= check_attrs(r, node, op);
    if (!ok) return;
    Node *n = graph_add_node(scope->graph, op, node->name, node->inputs.at, node->inputs.n,
                             node->outputs.at, node->outputs.n);
    n->position = node->position;
    n->scope = node->scope;
    for (int i = 0; i < node->attrs.n; i++) {
        const Attr *from = &node->attrs.at[i];
        Attr *to = node_set_attr(scope->graph, n, from->name, from->kind);
        to->n = from->n;
        to->u = from->u;
    }
}

/* Nodes. */

static Place proto_place(Reader *r, const Scope *scope, const Onnx__NodeProto *proto, size_t i) {
    return (Place){(int)i, intern(r, proto->name), intern(r, proto->op_type), NULL, scope->label};
}

static Value *declare_output(Reader *r, Scope *scope, Place place, const char *name) {
    if (!*name) return NULL;
    Value *v = map_get(&scope->results, (uintptr_t)name);
    if (!v || map_get(&scope->bindings, (uintptr_t)name)) v = scope_value(r, scope, name);
    bind_at(r, scope, place, name, v, "a node's output");
    return v;
}

Value **declare_outputs(Reader *r, Scope *scope, Onnx__NodeProto **nodes, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += nodes[i]->n_output;
    Value **values = NEW_ARRAY(r->unit->arena, Value *, count), **next = values;
    for (size_t i = 0; i < n && !reader_is_done(r); i++)
        for (size_t k = 0; k < nodes[i]->n_output; k++)
            *next++ = declare_output(r, scope, proto_place(r, scope, nodes[i], i),
                                     intern(r, nodes[i]->output[k]));
    return values;
}

static bool read_names(Reader *r, const Scope *scope, RawNode *node, const Onnx__NodeProto *proto,
                       Value **outputs) {
    bool ok = true;
    node->inputs.at = NEW_ARRAY(r->unit->arena, Value *, proto->n_input);
    node->inputs.n = node->inputs.cap = (int)proto->n_input;
    for (size_t i = 0; i < proto->n_input; i++) {
        const char *name = proto->input[i];
        const Binding *b = *name ? scope_find(scope, name) : NULL;
        if (*name && !b) ok = diag(r->unit, raw_place(node, NULL), D_NAME_UNKNOWN, (int)i, name);
        node->inputs.at[i] = b ? b->value : NULL;
    }
    node->outputs.at = outputs;
    node->outputs.n = node->outputs.cap = (int)proto->n_output;
    return ok;
}

static bool read_attributes(Reader *r, const Scope *scope, RawNode *node,
                            const Onnx__NodeProto *proto) {
    if (proto->n_attribute > ATTRIBUTES_MAX)
        return diag(r->unit, raw_place(node, NULL), D_LIMIT_FIXED, (long long)ATTRIBUTES_MAX,
                    "attributes of a node");
    bool ok = true;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        Attr attr;
        bool absent;
        if (!read_attribute(r, scope, node, proto->attribute[i], &attr, &absent)) {
            ok = false;
            continue;
        }
        if (absent) continue;
        if (raw_attr(node, attr.name))
            ok = diag(r->unit, raw_place(node, attr.name), D_ATTRIBUTE_TWICE);
        vec_push(r->unit->arena, &node->attrs, attr);
    }
    return ok;
}

/* A function is how a model explains an operator to those who lack it. */
static bool is_registered(Reader *r, const RawNode *node) {
    return *node->domain && op_find_in(r->unit, node->domain, node->op);
}

static void read_node(Reader *r, Scope *scope, const Onnx__NodeProto *proto, size_t i,
                      Value **outputs) {
    RawNode node = {.op = intern(r, proto->op_type),
                    .domain = normal_domain(r, proto->domain),
                    .position = (int)i,
                    .name = prefixed(r, scope, proto->name),
                    .scope = scope->label};
    if (!*node.op) {
        diag(r->unit, raw_place(&node, NULL), D_NAME_EMPTY, "an operator");
        return;
    }
    node.version = scope_opset(r, scope, node.domain);
    bool ok = read_names(r, scope, &node, proto, outputs);
    ok &= read_attributes(r, scope, &node, proto);
    const Function *function = is_registered(r, &node) ? NULL : find_function(r, proto);
    if (!function && !*node.domain && !node.version)
        ok = diag(r->unit, raw_place(&node, NULL), D_VERSION,
                  "the model says no version of ONNX's operators");
    if (function) {
        if (ok) inline_call(r, scope, &node, function);
    } else if (ok) {
        lift_node(r, scope, &node);
    } else if (!find_op(r, &node) && *node.domain) {
        unknown_add(r, &node);
    }
}

void read_nodes(Reader *r, Scope *scope, Onnx__NodeProto **nodes, size_t n, Value **outputs) {
    for (size_t i = 0; i < n && !reader_is_done(r); i++) {
        read_node(r, scope, nodes[i], i, outputs);
        outputs += nodes[i]->n_output;
    }
}

/* Graphs. */

static void read_initializers(Reader *r, Scope *scope, const Onnx__GraphProto *proto) {
    for (size_t i = 0; i < proto->n_initializer && !reader_is_done(r); i++) {
        const char *name = intern(r, proto->initializer[i]->name);
        Place place = NO_PLACE;
        place.scope = scope->label;
        if (!*name) {
            diag(r->unit, place, D_NAME_EMPTY, "an initializer");
            continue;
        }
        const Tensor *t = read_tensor(r, place, proto->initializer[i]);
        Value *v = scope_value(r, scope, name);
        if (t) value_make_constant(scope->graph, v, t);
        bind_at(r, scope, place, name, v, "an initializer");
    }
    if (proto->n_sparse_initializer) diag(r->unit, NO_PLACE, D_UNSUPPORTED, "sparse initializers");
}

/* A subgraph's output may be a value from outside or one of its inputs: an Identity makes it its
 * own. */
static Value *own_value(Reader *r, Scope *scope, Value *v) {
    if (v->id < scope->graph->values.n && scope->graph->values.at[v->id] == v && !v->is_output)
        return v;
    RawNode copy = {.op = intern(r, "Identity"),
                    .domain = intern(r, ""),
                    .name = intern(r, ""),
                    .position = -1,
                    .scope = scope->label};
    Value *own = scope_value(r, scope, v->name);
    vec_push(r->unit->arena, &copy.inputs, v);
    vec_push(r->unit->arena, &copy.outputs, own);
    emit_node(r, scope, &copy);
    return own;
}

static void read_outputs(Reader *r, Scope *scope, const Onnx__GraphProto *proto) {
    Map seen = {.arena = r->unit->arena};
    for (size_t i = 0; i < proto->n_output && !reader_is_done(r); i++) {
        const char *name = intern(r, proto->output[i]->name);
        Place place = NO_PLACE;
        place.scope = scope->label;
        const Binding *b = *name ? scope_find(scope, name) : NULL;
        if (!*name)
            diag(r->unit, place, D_NAME_EMPTY, "a graph output");
        else if (!b || !b->value)
            diag(r->unit, place, D_OUTPUT_UNKNOWN, name);
        else if (map_get(&seen, (uintptr_t)name))
            diag(r->unit, place, D_NAME_TAKEN, name, "an output", "an output");
        else if (check_value_type(r, "output", proto->output[i]))
            graph_set_output(scope->graph, scope->outer ? own_value(r, scope, b->value) : b->value);
        if (b) map_set(&seen, (uintptr_t)name, (void *)(uintptr_t)b);
    }
    if (proto->n_output == 0) diag(r->unit, NO_PLACE, D_GRAPH, "the graph has no outputs");
}

static void read_subgraph_inputs(Reader *r, Scope *scope, const Onnx__GraphProto *proto) {
    for (size_t i = 0; i < proto->n_input; i++) {
        const char *name = intern(r, proto->input[i]->name);
        if (map_get(&scope->bindings, (uintptr_t)name)) continue;
        Value *v = scope_value(r, scope, name);
        v->is_input = true;
        vec_push(r->unit->arena, &scope->graph->inputs, v);
        scope_bind(r, scope, name, v, "an input");
    }
}

bool read_graph(Reader *r, Scope *scope, const Onnx__GraphProto *proto) {
    int before = diag_count(r->unit);
    read_initializers(r, scope, proto);
    if (scope->outer)
        read_subgraph_inputs(r, scope, proto);
    else
        read_inputs(r, scope, proto);
    Value **outputs = declare_outputs(r, scope, proto->node, proto->n_node);
    read_nodes(r, scope, proto->node, proto->n_node, outputs);
    read_outputs(r, scope, proto);
    return diag_count(r->unit) == before && r->unknown.n == 0 && order_graph(r, scope->graph);
}

Graph *read_subgraph(Reader *r, const Scope *outer, const RawNode *node, const char *attribute,
                     const Onnx__GraphProto *proto) {
    Arena *arena = r->unit->arena;
    Graph *g = graph_new(r->unit, intern(r, proto->name));
    g->outer = outer->graph;
    Scope scope = {.outer = (Scope *)(uintptr_t)outer,
                   .graph = g,
                   .prefix = "",
                   .opsets = outer->opsets,
                   .n_opsets = outer->n_opsets,
                   .bindings.arena = arena,
                   .results.arena = arena};
    scope.label = arena_format(arena, "%s%s%s of node %d '%s'", outer->label ? outer->label : "",
                               outer->label ? ": " : "", attribute, node->position, node->name);
    int before = diag_count(r->unit);
    read_graph(r, &scope, proto);
    return diag_count(r->unit) == before ? g : NULL;
}
