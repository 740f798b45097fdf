/* function.c - model-local functions: found by domain, name and overload, and inlined where they
 * are called.
 *
 * Before anything is inlined, the size of the result is counted, each function once: a file of a
 * few kilobytes can ask for 2^22 nodes.  The same walk finds recursion and calls that nest too
 * deep. */
#include "reader.h"

#include <string.h>

/* Costs add up without overflow: whatever is larger is over any limit. */
#define COST_MAX ((int64_t)1 << 50)

static const char *function_key(Reader *r, const char *domain, const char *op,
                                const char *overload) {
    return intern_format(r->unit, "%s\n%s\n%s", domain, op, overload);
}

Function *find_function(Reader *r, const Onnx__NodeProto *call) {
    if (r->n_functions == 0) return NULL;
    void **overload;
    bool has_overload = late_values(r->unit, &call->base, LATE_NODE_OVERLOAD, &overload) > 0;
    const char *op = call->op_type ? call->op_type : "";
    const char *key =
        function_key(r, normal_domain(r, call->domain), op, has_overload ? overload[0] : "");
    return map_get(&r->functions, (uintptr_t)key);
}

static bool check_function(Reader *r, const Onnx__FunctionProto *p) {
    const char *name = p->name ? p->name : "";
    if (!*name) return diag(r->unit, NO_PLACE, D_NAME_EMPTY, "a function");
    if (p->n_attribute > ATTRIBUTES_MAX || p->n_opset_import > OPSETS_MAX)
        return diag(r->unit, NO_PLACE, D_FUNCTION, name,
                    "has too many attributes or operator sets");
    return true;
}

static void add_function(Reader *r, const Onnx__FunctionProto *p) {
    void **overload;
    bool has_overload = late_values(r->unit, &p->base, LATE_FUNCTION_OVERLOAD, &overload) > 0;
    const char *key =
        function_key(r, normal_domain(r, p->domain), p->name, has_overload ? overload[0] : "");
    if (map_get(&r->functions, (uintptr_t)key)) {
        diag(r->unit, NO_PLACE, D_FUNCTION, p->name, "is given twice");
        return;
    }
    Function *f = NEW(r->unit->arena, Function);
    *f = (Function){.proto = p, .name = name_intern(r->unit->names, p->name)};
    f->n_defaults = late_values(r->unit, &p->base, LATE_FUNCTION_ATTRIBUTE, &f->defaults);
    if (f->n_defaults > ATTRIBUTES_MAX)
        diag(r->unit, NO_PLACE, D_FUNCTION, p->name, "has too many attributes");
    for (int i = 0; i < f->n_defaults; i++)
        if (((const Onnx__AttributeProto *)f->defaults[i])->g)
            diag(r->unit, NO_PLACE, D_FUNCTION, p->name,
                 "a graph as the default of an attribute is not supported");
    map_set(&r->functions, (uintptr_t)key, f);
    r->n_functions++;
}

bool read_functions(Reader *r, const Onnx__ModelProto *model) {
    int before = diag_count(r->unit);
    for (size_t i = 0; i < model->n_functions && !reader_is_done(r); i++)
        if (check_function(r, model->functions[i])) add_function(r, model->functions[i]);
    return diag_count(r->unit) == before;
}

/* Counting. */

static bool count_nodes(Reader *r, Onnx__NodeProto **nodes, size_t n, int64_t depth, Cost *cost);

static bool too_deep(Reader *r, int64_t depth) {
    int64_t limit = r->options.limits.call_depth;
    return depth > limit && !limit_exceeded(r->unit, NO_PLACE, LIMIT_call_depth, limit);
}

static bool count_function(Reader *r, Function *f, int64_t depth) {
    if (f->state == COST_BEGUN)
        return diag(r->unit, NO_PLACE, D_FUNCTION, f->name,
                    "calls itself, at once or through others");
    if (too_deep(r, depth + 1)) return false;
    if (f->state == COST_UNKNOWN) {
        f->state = COST_BEGUN;
        if (!count_nodes(r, f->proto->node, f->proto->n_node, depth + 1, &f->cost)) return false;
        f->state = COST_KNOWN;
    }
    return !too_deep(r, depth + 1 + f->cost.height);
}

static void add_inner(Cost *cost, const Cost *inner) {
    cost->nodes += inner->nodes;
    if (cost->nodes > COST_MAX) cost->nodes = COST_MAX;
    if (cost->height < inner->height + 1) cost->height = inner->height + 1;
}

/* A subgraph is a level too: reading one within the other takes as much stack as a call. */
static bool count_subgraphs(Reader *r, const Onnx__NodeProto *node, int64_t depth, Cost *cost) {
    for (size_t i = 0; i < node->n_attribute; i++) {
        const Onnx__GraphProto *g = node->attribute[i]->g;
        Cost inner = {0};
        if (!g) continue;
        if (!count_nodes(r, g->node, g->n_node, depth + 1, &inner)) return false;
        add_inner(cost, &inner);
    }
    return true;
}

static bool count_nodes(Reader *r, Onnx__NodeProto **nodes, size_t n, int64_t depth, Cost *cost) {
    for (size_t i = 0; i < n; i++) {
        Function *f = find_function(r, nodes[i]);
        if (f && !count_function(r, f, depth)) return false;
        cost->nodes++;
        if (f) add_inner(cost, &f->cost);
        if (!count_subgraphs(r, nodes[i], depth, cost)) return false;
    }
    return true;
}

bool check_expansion(Reader *r, const Onnx__ModelProto *model) {
    Cost cost = {0};
    if (r->n_functions == 0) return true;
    if (!count_nodes(r, model->graph->node, model->graph->n_node, 0, &cost)) return false;
    int64_t limit = r->options.limits.expanded_nodes;
    return cost.nodes <= limit || limit_exceeded(r->unit, NO_PLACE, LIMIT_expanded_nodes, limit);
}

/* Inlining. */

static bool check_call(Reader *r, const RawNode *call, const Function *f) {
    const Onnx__FunctionProto *p = f->proto;
    bool ok = true;
    if (call->inputs.n > (int)p->n_input)
        ok =
            diag(r->unit, raw_place(call, NULL), D_INPUT_COUNT, call->inputs.n, 0, (int)p->n_input);
    if (call->outputs.n > (int)p->n_output)
        ok = diag(r->unit, raw_place(call, NULL), D_OUTPUT_COUNT, call->outputs.n, 0,
                  (int)p->n_output);
    for (int i = 0; i < call->attrs.n; i++) {
        bool known = false;
        for (size_t k = 0; k < p->n_attribute; k++)
            known |= strcmp(p->attribute[k], call->attrs.at[i].name) == 0;
        for (int k = 0; k < f->n_defaults; k++) {
            const Onnx__AttributeProto *by_default = f->defaults[k];
            known |= by_default->name && strcmp(by_default->name, call->attrs.at[i].name) == 0;
        }
        if (!known)
            ok = diag(r->unit, raw_place(call, call->attrs.at[i].name), D_ATTRIBUTE_UNKNOWN);
    }
    return ok;
}

static void bind_arguments(Reader *r, Scope *body, const RawNode *call, const Function *f) {
    for (size_t i = 0; i < f->proto->n_input; i++) {
        Value *given = (int)i < call->inputs.n ? call->inputs.at[i] : NULL;
        scope_bind(r, body, f->proto->input[i], given, "an input");
    }
    for (int i = 0; i < call->outputs.n; i++) {
        uintptr_t name = (uintptr_t)name_intern(r->unit->names, f->proto->output[i]);
        if (call->outputs.at[i] && !map_get(&body->results, name))
            map_set(&body->results, name, call->outputs.at[i]);
    }
}

/* A result that no node of the body makes at once: an argument handed through, or one value given
 * twice. */
static void hand_through(Reader *r, Scope *body, const RawNode *call, Value *from, Value *to) {
    RawNode copy = {.op = name_intern(r->unit->names, "Identity"),
                    .domain = name_intern(r->unit->names, ""),
                    .name = call->name,
                    .position = call->position,
                    .scope = call->scope};
    vec_push(r->unit->arena, &copy.inputs, from);
    vec_push(r->unit->arena, &copy.outputs, to);
    emit_node(r, body, &copy);
}

static void finish_results(Reader *r, Scope *body, const RawNode *call, const Function *f) {
    for (int i = 0; i < call->outputs.n; i++) {
        Value *result = call->outputs.at[i];
        if (!result) continue;
        const Binding *b = scope_find(body, f->proto->output[i]);
        if (!b || !b->value)
            diag(r->unit, raw_place(call, NULL), D_FUNCTION, f->name,
                 arena_format(r->unit->arena, "nothing in it produces its output '%s'",
                              f->proto->output[i]));
        else if (b->value != result)
            hand_through(r, body, call, b->value, result);
    }
}

/* What the names of the body begin with: the caller's name, or that of its first result. */
static const char *call_prefix(Reader *r, const RawNode *call) {
    if (*call->name) return call->name;
    for (int i = 0; i < call->outputs.n; i++)
        if (call->outputs.at[i]) return call->outputs.at[i]->name;
    return arena_format(r->unit->arena, "%s_%d", call->op, call->position);
}

void inline_call(Reader *r, Scope *scope, RawNode *call, const Function *f) {
    Arena *arena = r->unit->arena;
    if (!check_call(r, call, f)) return;
    Scope body = {.graph = scope->graph,
                  .prefix = call_prefix(r, call),
                  .opsets = f->proto->opset_import,
                  .n_opsets = f->proto->n_opset_import,
                  .function = f,
                  .call = call,
                  .bindings.arena = arena,
                  .results.arena = arena};
    body.label = intern_format(r->unit, "function %s", f->name);
    bind_arguments(r, &body, call, f);
    Value **outputs = declare_outputs(r, &body, f->proto->node, f->proto->n_node);
    read_nodes(r, &body, f->proto->node, f->proto->n_node, outputs);
    finish_results(r, &body, call, f);
}
