/* export_node.c - nodes, attributes and tensors as messages.  A tensor's data is not copied: the
 * message points to where it lies, but for 4-bit elements, which are two in a byte in a file. */
#include "writer.h"

#include <string.h>

enum {
    OUTSIDE_LEAST = 1024,
    OUTSIDE_ALIGN = 4096
}; /* bytes: as small a tensor stays in the model */

void *proto_new(Unit *u, const void *init, size_t size) {
    return memcpy(arena_alloc(u->arena, size), init, size);
}

char *proto_text(const char *text) { return (char *)(uintptr_t)text; }

static ProtobufCBinaryData text_bytes(const char *text) {
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)proto_text(text)};
}

static bool is_half_byte(DType t) { return t == DT_U4 || t == DT_I4; }

int64_t tensor_file_bytes(const Tensor *t) {
    if (t->dtype == DT_STRING) return 0;
    return is_half_byte(t->dtype) ? (t->count + 1) / 2 : t->count * dtypes[t->dtype].bytes;
}

static const void *half_bytes(Unit *u, const Tensor *t) {
    const uint8_t *from = t->data;
    uint8_t *to = arena_alloc(u->arena, (size_t)tensor_file_bytes(t) + 1);
    for (int64_t i = 0; i < t->count; i++) to[i / 2] |= (uint8_t)((from[i] & 15) << (i % 2 * 4));
    return to;
}

static void write_strings(Writer *w, const Tensor *t, Onnx__TensorProto *p) {
    p->n_string_data = (size_t)t->count;
    p->string_data = NEW_ARRAY(w->unit->arena, ProtobufCBinaryData, t->count);
    for (int64_t i = 0; i < t->count; i++) p->string_data[i] = text_bytes(t->strings[i]);
}

static Onnx__StringStringEntryProto *entry(Writer *w, const char *key, const char *value) {
    Onnx__StringStringEntryProto *e =
        NEW_PROTO(w, Onnx__StringStringEntryProto, ONNX__STRING_STRING_ENTRY_PROTO__INIT);
    e->key = proto_text(key);
    e->value = proto_text(value);
    return e;
}

static void write_outside(Writer *w, const void *data, int64_t bytes, Onnx__TensorProto *p) {
    int64_t offset = (w->outside_bytes + OUTSIDE_ALIGN - 1) / OUTSIDE_ALIGN * OUTSIDE_ALIGN;
    vec_push(w->unit->arena, &w->outside, ((OutsideData){data, bytes, offset}));
    w->outside_bytes = offset + bytes;
    p->has_data_location = 1;
    p->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    p->n_external_data = 3;
    p->external_data = NEW_ARRAY(w->unit->arena, Onnx__StringStringEntryProto *, 3);
    p->external_data[0] = entry(w, "location", w->options->data_location);
    p->external_data[1] =
        entry(w, "offset", arena_format(w->unit->arena, "%lld", (long long)offset));
    p->external_data[2] =
        entry(w, "length", arena_format(w->unit->arena, "%lld", (long long)bytes));
}

Onnx__TensorProto *write_tensor(Writer *w, const char *name, const Tensor *t) {
    Onnx__TensorProto *p = NEW_PROTO(w, Onnx__TensorProto, ONNX__TENSOR_PROTO__INIT);
    p->name = proto_text(name);
    p->has_data_type = 1;
    p->data_type = dtypes[t->dtype].onnx;
    p->n_dims = (size_t)t->rank;
    p->dims = (int64_t *)(uintptr_t)t->dims;
    if (t->dtype == DT_STRING) {
        write_strings(w, t, p);
        return p;
    }
    int64_t bytes = tensor_file_bytes(t);
    const void *data = is_half_byte(t->dtype) ? half_bytes(w->unit, t) : t->data;
    if (name && w->options->data_location && bytes >= OUTSIDE_LEAST) {
        write_outside(w, data, bytes, p);
        return p;
    }
    p->has_raw_data = 1;
    p->raw_data = (ProtobufCBinaryData){(size_t)bytes, (uint8_t *)(uintptr_t)data};
    return p;
}

/* Attributes. */

#define PROTO_TYPE(name) ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__##name

static void write_attr_strings(Writer *w, const Attr *a, Onnx__AttributeProto *p) {
    p->n_strings = (size_t)a->n;
    p->strings = NEW_ARRAY(w->unit->arena, ProtobufCBinaryData, a->n);
    for (int i = 0; i < a->n; i++) p->strings[i] = text_bytes(a->u.strings[i]);
}

static void write_scalar(Writer *w, const Attr *a, Onnx__AttributeProto *p) {
    if (a->kind == AT_INT) {
        p->has_i = 1;
        p->i = a->u.i;
    } else if (a->kind == AT_FLOAT) {
        p->has_f = 1;
        p->f = a->u.f;
    } else if (a->kind == AT_STRING) {
        p->has_s = 1;
        p->s = text_bytes(a->u.s);
    } else if (a->kind == AT_TENSOR) {
        p->t = write_tensor(w, NULL, a->u.tensor);
    } else {
        p->g = write_graph(w, a->u.graph);
    }
}

static Onnx__AttributeProto *write_attribute(Writer *w, const Attr *a) {
    static const Onnx__AttributeProto__AttributeType types[] = {
        [AT_NONE] = PROTO_TYPE(UNDEFINED), [AT_INT] = PROTO_TYPE(INT),
        [AT_FLOAT] = PROTO_TYPE(FLOAT),    [AT_STRING] = PROTO_TYPE(STRING),
        [AT_TENSOR] = PROTO_TYPE(TENSOR),  [AT_GRAPH] = PROTO_TYPE(GRAPH),
        [AT_INTS] = PROTO_TYPE(INTS),      [AT_FLOATS] = PROTO_TYPE(FLOATS),
        [AT_STRINGS] = PROTO_TYPE(STRINGS)};
    Onnx__AttributeProto *p = NEW_PROTO(w, Onnx__AttributeProto, ONNX__ATTRIBUTE_PROTO__INIT);
    p->name = proto_text(a->name);
    p->has_type = 1;
    p->type = types[a->kind];
    if (a->kind == AT_INTS) {
        p->n_ints = (size_t)a->n;
        p->ints = (int64_t *)(uintptr_t)a->u.ints;
    } else if (a->kind == AT_FLOATS) {
        p->n_floats = (size_t)a->n;
        p->floats = (float *)(uintptr_t)a->u.floats;
    } else if (a->kind == AT_STRINGS) {
        write_attr_strings(w, a, p);
    } else {
        write_scalar(w, a, p);
    }
    return p;
}

/* Nodes. */

static char **names_of(Writer *w, Value *const *values, int n) {
    char **names = NEW_ARRAY(w->unit->arena, char *, n);
    for (int k = 0; k < n; k++) names[k] = proto_text(values[k] ? values[k]->name : "");
    return names;
}

static void note_domain(Writer *w, const char *domain) {
    if (!*domain) return;
    for (int i = 0; i < w->domains.n; i++)
        if (!strcmp(w->domains.at[i], domain)) return;
    vec_push(w->unit->arena, &w->domains, domain);
}

Onnx__NodeProto *write_node(Writer *w, const Node *n) {
    Onnx__NodeProto *p = NEW_PROTO(w, Onnx__NodeProto, ONNX__NODE_PROTO__INIT);
    if (*n->name) p->name = proto_text(n->name);
    p->op_type = proto_text(n->op->name);
    if (*n->op->domain) p->domain = proto_text(n->op->domain);
    p->n_input = (size_t)n->n_inputs;
    p->input = names_of(w, n->inputs, n->n_inputs);
    p->n_output = (size_t)n->n_outputs;
    p->output = names_of(w, n->outputs, n->n_outputs);
    p->n_attribute = (size_t)n->n_attrs;
    p->attribute = NEW_ARRAY(w->unit->arena, Onnx__AttributeProto *, n->n_attrs);
    for (int i = 0; i < n->n_attrs; i++) p->attribute[i] = write_attribute(w, &n->attrs[i]);
    int version = version_of_node(n);
    if (version > w->version) w->version = version;
    note_domain(w, n->op->domain);
    write_function(w, n, p);
    return p;
}

Onnx__NodeProto *write_constant_node(Writer *w, const Value *v) {
    Onnx__NodeProto *p = NEW_PROTO(w, Onnx__NodeProto, ONNX__NODE_PROTO__INIT);
    Attr value = {.name = "value", .kind = AT_TENSOR, .u.tensor = v->constant};
    p->op_type = proto_text("Constant");
    p->n_output = 1;
    p->output = names_of(w, &(Value *){(Value *)(uintptr_t)v}, 1);
    p->n_attribute = 1;
    p->attribute = NEW_ARRAY(w->unit->arena, Onnx__AttributeProto *, 1);
    p->attribute[0] = write_attribute(w, &value);
    return p;
}
