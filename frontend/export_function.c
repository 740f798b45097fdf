/* export_function.c - operators that ONNX lacks, as functions of the model.
 *
 * A function is the expansion of one node, made for its shapes and attributes.  Nodes with equal
 * expansions share a function; further ones are told apart by the overload's name, which a schema
 * of before 2024 lacks: it is written as an unknown field. */
#include "writer.h"

#include "custom.h"
#include <string.h>

enum { NODE_OVERLOAD = 8, FUNCTION_OVERLOAD = 13 }; /* fields of the schema */

typedef struct WrittenFunction {
    const OpInfo *op;
    const uint8_t *bytes; /* of the function without its overload */
    size_t n;
    const char *overload;
} WrittenFunction;

static void set_overload(Writer *w, ProtobufCMessage *m, uint32_t tag, const char *overload) {
    if (!*overload) return;
    size_t n = strlen(overload);
    ProtobufCMessageUnknownField *field = NEW(w->unit->arena, ProtobufCMessageUnknownField);
    uint8_t *data = arena_alloc(w->unit->arena, n + 1);
    data[0] = (uint8_t)n; /* at most 20: a number */
    memcpy(data + 1, overload, n);
    *field = (ProtobufCMessageUnknownField){tag, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, n + 1, data};
    m->unknown_fields = field;
    m->n_unknown_fields = 1;
}

static void write_signature(Writer *w, const Node *n, const Graph *g, Onnx__FunctionProto *f) {
    Arena *a = w->unit->arena;
    f->name = proto_text(n->op->name);
    f->domain = proto_text(n->op->domain);
    f->n_input = (size_t)g->inputs.n;
    f->input = NEW_ARRAY(a, char *, g->inputs.n);
    for (int k = 0; k < g->inputs.n; k++) f->input[k] = proto_text(g->inputs.at[k]->name);
    f->n_output = (size_t)g->outputs.n;
    f->output = NEW_ARRAY(a, char *, g->outputs.n);
    for (int k = 0; k < g->outputs.n; k++) f->output[k] = proto_text(g->outputs.at[k]->name);
    f->n_attribute = (size_t)n->n_attrs;
    f->attribute = NEW_ARRAY(a, char *, n->n_attrs);
    for (int i = 0; i < n->n_attrs; i++) f->attribute[i] = proto_text(n->attrs[i].name);
}

static bool is_parameter(const Graph *g, const Value *v) {
    for (int k = 0; k < g->inputs.n; k++)
        if (g->inputs.at[k] == v) return true;
    return false;
}

static void write_body(Writer *w, Graph *g, Onnx__FunctionProto *f) {
    graph_count_uses(g);
    VEC(Onnx__NodeProto *) nodes = {0};
    for (int i = 0; i < g->values.n; i++) {
        const Value *v = g->values.at[i];
        if (v->constant && v->n_uses && !is_parameter(g, v))
            vec_push(w->unit->arena, &nodes, write_constant_node(w, v));
    }
    for (int i = 0; i < g->nodes.n; i++)
        vec_push(w->unit->arena, &nodes, write_node(w, g->nodes.at[i]));
    f->node = nodes.at;
    f->n_node = (size_t)nodes.n;
}

/* The values of a body are named by number, so that equal expansions are equal texts. */
static void name_by_number(Writer *w, Graph *g) {
    for (int i = 0; i < g->values.n; i++)
        g->values.at[i]->name = name_intern(w->unit->names, arena_format(w->unit->arena, "v%d", i));
    for (int i = 0; i < g->nodes.n; i++) g->nodes.at[i]->name = "";
}

static Onnx__FunctionProto *function_of(Writer *w, const Node *n) {
    Graph *g = node_expanded(w->unit, n);
    if (!g) return NULL;
    Onnx__FunctionProto *f = NEW_PROTO(w, Onnx__FunctionProto, ONNX__FUNCTION_PROTO__INIT);
    name_by_number(w, g);
    write_signature(w, n, g, f);
    write_body(w, g, f);
    f->opset_import = NEW_ARRAY(w->unit->arena, Onnx__OperatorSetIdProto *, 1);
    f->opset_import[0] = NEW_PROTO(w, Onnx__OperatorSetIdProto, ONNX__OPERATOR_SET_ID_PROTO__INIT);
    f->opset_import[0]->domain = proto_text("");
    f->opset_import[0]->has_version = 1;
    f->n_opset_import = 1;
    return f;
}

/* The function with these bytes, which may be there already. */
static const WrittenFunction *keep_function(Writer *w, const OpInfo *op, Onnx__FunctionProto *f) {
    Arena *a = w->unit->arena;
    size_t n = protobuf_c_message_get_packed_size(&f->base);
    uint8_t *bytes = arena_alloc(a, n);
    protobuf_c_message_pack(&f->base, bytes);
    int same_op = 0;
    for (int i = 0; i < w->written.n; i++) {
        const WrittenFunction *known = w->written.at[i];
        if (known->op != op) continue;
        same_op++;
        if (known->n == n && !memcmp(known->bytes, bytes, n)) return known;
    }
    WrittenFunction *made = NEW(a, WrittenFunction);
    *made = (WrittenFunction){op, bytes, n, same_op ? arena_format(a, "%d", same_op + 1) : ""};
    set_overload(w, &f->base, FUNCTION_OVERLOAD, made->overload);
    vec_push(a, &w->written, made);
    vec_push(a, &w->functions, f);
    return made;
}

void write_function(Writer *w, const Node *n, Onnx__NodeProto *call) {
    if (!n->op->custom || n->op->kind != OK_EXPAND) return;
    for (int k = 0; k < n->n_outputs; k++)
        if (!n->outputs[k]) return; /* a function gives all of its outputs */
    Onnx__FunctionProto *f = function_of(w, n);
    if (f) set_overload(w, &call->base, NODE_OVERLOAD, keep_function(w, n->op, f)->overload);
}
