/* attribute.c - AttributeProto to Attr, with references to the attributes of a function's call
 * resolved. */
#include "reader.h"

#include <string.h>

const char *attr_kind_text(int kind) {
    static const char *const texts[] = {"absent",         "an int",           "a float",
                                        "a string",       "a tensor",         "a graph",
                                        "a list of ints", "a list of floats", "a list of strings"};
    return texts[kind];
}

Place raw_place(const RawNode *node, const char *attribute) {
    return (Place){node->position, node->name, node->op, attribute, node->scope};
}

Attr *raw_attr(RawNode *node, const char *name) {
    for (int i = 0; i < node->attrs.n; i++)
        if (strcmp(node->attrs.at[i].name, name) == 0) return &node->attrs.at[i];
    return NULL;
}

/* What an AttributeProto can hold, and whether it does. */
typedef struct Held {
    AttrKind kind; /* AT_NONE: something that we have no use for */
    int type;
    const char *what;
    bool held;
} Held;

enum { N_HELD = 14 };

static void list_held(const Onnx__AttributeProto *p, Held held[N_HELD]) {
    const Held all[N_HELD] = {
        {AT_INT, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT, "i", p->has_i},
        {AT_FLOAT, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT, "f", p->has_f},
        {AT_STRING, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING, "s", p->has_s},
        {AT_TENSOR, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR, "t", p->t != NULL},
        {AT_GRAPH, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH, "g", p->g != NULL},
        {AT_INTS, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS, "ints", p->n_ints > 0},
        {AT_FLOATS, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS, "floats", p->n_floats > 0},
        {AT_STRINGS, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS, "strings", p->n_strings > 0},
        {AT_NONE, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR, "a sparse tensor",
         p->sparse_tensor != NULL},
        {AT_NONE, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSORS, "a list of tensors",
         p->n_tensors > 0},
        {AT_NONE, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS, "a list of graphs",
         p->n_graphs > 0},
        {AT_NONE, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSORS, "a list of sparse tensors",
         p->n_sparse_tensors > 0},
        {AT_NONE, 13, "a type", false},
        {AT_NONE, 14, "a list of types", false},
    };
    memcpy(held, all, sizeof all);
}

/* The entry that the attribute is, by its type or (old files) by what it holds.  NULL: reported. */
static const Held *find_held(Reader *r, Place place, const Onnx__AttributeProto *p,
                             const Held held[N_HELD]) {
    const Held *found = NULL, *first = NULL;
    for (int i = 0; i < N_HELD; i++) {
        if (held[i].held && first) {
            diag(r->unit, place, D_ATTRIBUTE_VALUE, "holds values of more than one kind");
            return NULL;
        }
        if (held[i].held) first = &held[i];
        if (p->has_type && (int)p->type == held[i].type) found = &held[i];
    }
    bool untyped = !p->has_type || p->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED;
    if (untyped) found = first;
    if (!found)
        diag(r->unit, place, D_ATTRIBUTE_VALUE, "has neither a type nor a value");
    else if (first && first != found) {
        diag(r->unit, place, D_ATTRIBUTE_VALUE, "its type and its value are of different kinds");
        found = NULL;
    } else if (found->kind == AT_NONE) {
        const char *text = arena_format(r->unit->arena, "%s as an attribute", found->what);
        diag(r->unit, place, D_UNSUPPORTED, text);
        found = NULL;
    }
    return found;
}

static const char *read_text(Reader *r, Place place, ProtobufCBinaryData bytes) {
    if (bytes.len && memchr(bytes.data, 0, bytes.len)) {
        diag(r->unit, place, D_ATTRIBUTE_VALUE, "a string holds a zero byte");
        return NULL;
    }
    return name_intern_n(r->unit->names, bytes.len ? (const char *)bytes.data : "", bytes.len);
}

static bool read_texts(Reader *r, Place place, const Onnx__AttributeProto *p, Attr *attr) {
    const char **strings = NEW_ARRAY(r->unit->arena, const char *, p->n_strings);
    for (size_t i = 0; i < p->n_strings; i++) {
        strings[i] = read_text(r, place, p->strings[i]);
        if (!strings[i]) return false;
    }
    attr->u.strings = strings;
    attr->n = (int)p->n_strings;
    return true;
}

static bool fill(Reader *r, const Scope *scope, const RawNode *node, const Onnx__AttributeProto *p,
                 Attr *attr) {
    Place place = raw_place(node, attr->name);
    switch (attr->kind) {
    case AT_INT: attr->u.i = p->i; return true;
    case AT_FLOAT: attr->u.f = p->f; return true;
    case AT_STRING: attr->u.s = p->has_s ? read_text(r, place, p->s) : ""; return attr->u.s != NULL;
    case AT_TENSOR:
        if (!p->t) return diag(r->unit, place, D_ATTRIBUTE_VALUE, "has no value");
        attr->u.tensor = read_tensor(r, place, p->t);
        return attr->u.tensor != NULL;
    case AT_GRAPH:
        if (!p->g) return diag(r->unit, place, D_ATTRIBUTE_VALUE, "has no value");
        attr->u.graph = read_subgraph(r, scope, node, attr->name, p->g);
        return attr->u.graph != NULL;
    case AT_INTS:
        attr->u.ints = p->ints;
        attr->n = (int)p->n_ints;
        return true;
    case AT_FLOATS:
        attr->u.floats = p->floats;
        attr->n = (int)p->n_floats;
        return true;
    case AT_STRINGS: return read_texts(r, place, p, attr);
    case AT_NONE: break;
    }
    BUG(r->unit, "attribute kind %d", attr->kind);
}

static bool read_value(Reader *r, const Scope *scope, const RawNode *node,
                       const Onnx__AttributeProto *p, Attr *attr) {
    Held held[N_HELD];
    list_held(p, held);
    const Held *found = find_held(r, raw_place(node, attr->name), p, held);
    if (!found) return false;
    attr->kind = found->kind;
    return fill(r, scope, node, p, attr);
}

static bool is_declared(const Onnx__FunctionProto *function, const char *name) {
    for (size_t i = 0; i < function->n_attribute; i++)
        if (strcmp(function->attribute[i], name) == 0) return true;
    return false;
}

/* The value that the call, or else the function's default, gives for a reference. */
static bool read_reference(Reader *r, const Scope *scope, const RawNode *node,
                           const Onnx__AttributeProto *p, Attr *attr, bool *absent) {
    Place place = raw_place(node, attr->name);
    while (scope && !scope->function) scope = scope->outer;
    if (!scope)
        return diag(r->unit, place, D_ATTRIBUTE_VALUE,
                    "refers to an attribute outside of any function");
    for (int i = 0; i < scope->call->attrs.n; i++) {
        const Attr *given = &scope->call->attrs.at[i];
        if (strcmp(given->name, p->ref_attr_name) != 0) continue;
        const char *name = attr->name;
        *attr = *given;
        attr->name = name;
        return true;
    }
    for (int i = 0; i < scope->function->n_defaults; i++) {
        const Onnx__AttributeProto *by_default = scope->function->defaults[i];
        if (by_default->name && strcmp(by_default->name, p->ref_attr_name) == 0)
            return read_value(r, scope, node, by_default, attr);
    }
    *absent = true;
    if (is_declared(scope->function->proto, p->ref_attr_name)) return true;
    const char *text = arena_format(
        r->unit->arena, "refers to '%s', which is no attribute of the function", p->ref_attr_name);
    return diag(r->unit, place, D_ATTRIBUTE_VALUE, text);
}

bool read_attribute(Reader *r, const Scope *scope, const RawNode *node,
                    const Onnx__AttributeProto *p, Attr *attr, bool *absent) {
    *absent = false;
    *attr = (Attr){.name = name_intern(r->unit->names, p->name ? p->name : "")};
    if (!*attr->name) return diag(r->unit, raw_place(node, NULL), D_NAME_EMPTY, "an attribute");
    if (p->ref_attr_name && *p->ref_attr_name)
        return read_reference(r, scope, node, p, attr, absent);
    return read_value(r, scope, node, p, attr);
}
