/* graph_text.c - the text form of graphs: the grammar, and printing.  print(parse(t)) is t.
 *
 *     graph    = "graph" name "(" [input {"," input}] ")" "->" "(" [value {"," value}] ")"
 *                "{" {constant | node} "}"
 *     input    = value ":" type
 *     constant = value "=" data
 *     data     = "constant" type ("{" [element {"," element}] "}" | "hash" hexadecimal)
 *     node     = [result {"," result}] "=" [name "::"] name "(" [operand {"," operand}] ")"
 *                ["{" attribute {"," attribute} "}"] [":" type {"," type}] ["@" name]
 *     result   = value | "_"          (_ is an optional one that is absent)
 *     operand  = value | "_"
 *     value    = "%" name
 *     type     = dtype ("[" [dim {"," dim}] "]" | "?") | "?"
 *     dim      = integer | name | "?"
 *     attribute = name "=" setting
 *     setting  = integer | float | string | data | graph | "[" [setting {"," setting}] "]"
 *     element  = integer | float | "true" | "false" | string
 *     float    = decimal with "." or exponent | ["-"] "inf" | "nan" | "bits" hexadecimal
 *     name     = word of letters, digits, "_" and "." | string     (a dim's begins with no digit)
 *
 * The name before "::" is the operator's domain, the one after "@" the node's name.  A type stands
 * for each result that is present.  Constants of more than 16 elements are told by hash.  "#"
 * begins a comment. */
#include "graph_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { INLINE_ELEMENTS = 16, INDENT = 4 };

bool text_is_word_char(char c) { return isalnum((unsigned char)c) || c == '_' || c == '.'; }

char text_peek(const char **at, int *line, const char **line_start) {
    for (;; (*at)++) {
        if (**at == '#')
            while (**at && **at != '\n') (*at)++;
        if (**at == '\n') {
            (*line)++;
            *line_start = *at + 1;
        } else if (!isspace((unsigned char)**at)) {
            return **at;
        }
    }
}

static bool is_word(const char *s) {
    if (!*s) return false;
    while (text_is_word_char(*s)) s++;
    return !*s;
}

static void add_string(Text *out, const char *s) {
    text_add(out, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            text_add(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            text_add(out, "\\x%02x", c);
        else
            text_add_bytes(out, s, 1);
    }
    text_add(out, "\"");
}

static void add_name(Text *out, const char *name) {
    if (is_word(name))
        text_add_bytes(out, name, strlen(name));
    else
        add_string(out, name);
}

static void add_value(Text *out, const Value *v) {
    if (!v) {
        text_add(out, "_");
        return;
    }
    text_add(out, "%%");
    add_name(out, v->name);
}

static void add_dim(Text *out, Dim dim) {
    if (dim.size >= 0)
        text_add(out, "%" PRId64, dim.size);
    else if (!dim.symbol)
        text_add(out, "?");
    else if (isdigit((unsigned char)dim.symbol[0]))
        add_string(out, dim.symbol);
    else
        add_name(out, dim.symbol);
}

static void add_type(Text *out, DType dtype, int rank, const Dim *dims) {
    if (dtype != DT_NONE) text_add(out, "%s", dtypes[dtype].text);
    if (rank < 0) {
        text_add(out, "?");
        return;
    }
    text_add(out, "[");
    for (int d = 0; d < rank; d++) {
        if (d) text_add(out, ",");
        add_dim(out, dims[d]);
    }
    text_add(out, "]");
}

static void add_value_type(Text *out, const Value *v) {
    add_type(out, v->dtype, v->dtype == DT_NONE ? -1 : v->rank, v->dims);
}

/* The shortest decimal that reads back as x; it has a point or an exponent. */
static void add_decimal(Text *out, double x, bool wide) {
    char text[40];
    for (int digits = wide ? 15 : 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (wide ? strtod(text, NULL) == x : strtof(text, NULL) == (float)x) break;
    }
    text_add(out, strpbrk(text, ".en") ? "%s" : "%s.0", text);
}

/* `bits` are those of x in its own type; `quiet` those of the NaN that is written as nan. */
static void add_float(Text *out, double x, bool wide, uint64_t bits, uint64_t quiet) {
    if (x == x)
        add_decimal(out, x, wide);
    else if (bits == quiet)
        text_add(out, "nan");
    else
        text_add(out, "bits 0x%" PRIx64, bits);
}

uint64_t text_quiet_nan(DType t) {
    if (t == DT_F64) return UINT64_C(0x7ff8000000000000);
    if (t == DT_F32) return 0x7fc00000;
    return t == DT_F16 ? 0x7e00 : 0x7fc0;
}

static void add_element(Text *out, const Tensor *t, int64_t i) {
    uint64_t bits = 0;
    size_t bytes = (size_t)dtypes[t->dtype].bytes;
    if (bytes) memcpy(&bits, (const char *)t->data + (size_t)i * bytes, bytes);
    switch (dtypes[t->dtype].kind) {
    case DK_FLOAT:
        add_float(out, tensor_get_double(t, i), t->dtype == DT_F64, bits, text_quiet_nan(t->dtype));
        return;
    case DK_SIGNED: text_add(out, "%" PRId64, tensor_get_int(t, i)); return;
    case DK_UNSIGNED: text_add(out, "%" PRIu64, (uint64_t)tensor_get_int(t, i)); return;
    case DK_BOOL: text_add(out, bits ? "true" : "false"); return;
    case DK_OTHER: add_string(out, t->strings[i]); return;
    }
}

static void add_data(Text *out, const Tensor *t, int64_t most) {
    Dim dims[MAX_RANK];
    for (int d = 0; d < t->rank; d++) dims[d] = (Dim){t->dims[d], NULL};
    text_add(out, "constant ");
    add_type(out, t->dtype, t->rank, dims);
    if (t->count > most) {
        text_add(out, " hash 0x%016" PRIx64, tensor_hash(t));
        return;
    }
    text_add(out, " {");
    for (int64_t i = 0; i < t->count; i++) {
        if (i) text_add(out, ", ");
        add_element(out, t, i);
    }
    text_add(out, "}");
}

static void add_float_attr(Text *out, float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    add_float(out, f, false, bits, text_quiet_nan(DT_F32));
}

static void print_graph(const Graph *g, Text *out, int depth, int64_t most);

static void add_list_item(Text *out, const Attr *attr, int i) {
    if (i) text_add(out, ", ");
    if (attr->kind == AT_INTS) text_add(out, "%" PRId64, attr->u.ints[i]);
    if (attr->kind == AT_FLOATS) add_float_attr(out, attr->u.floats[i]);
    if (attr->kind == AT_STRINGS) add_string(out, attr->u.strings[i]);
}

static void add_attr(Text *out, const Attr *attr, int depth, int64_t most) {
    add_name(out, attr->name);
    text_add(out, " = ");
    switch (attr->kind) {
    case AT_NONE: return;
    case AT_INT: text_add(out, "%" PRId64, attr->u.i); return;
    case AT_FLOAT: add_float_attr(out, attr->u.f); return;
    case AT_STRING: add_string(out, attr->u.s); return;
    case AT_TENSOR: add_data(out, attr->u.tensor, most); return;
    case AT_GRAPH: print_graph(attr->u.graph, out, depth + 1, most); return;
    case AT_INTS:
    case AT_FLOATS:
    case AT_STRINGS:
        text_add(out, "[");
        for (int i = 0; i < attr->n; i++) add_list_item(out, attr, i);
        text_add(out, "]");
        return;
    }
}

static void add_values(Text *out, Value *const *values, int n) {
    for (int k = 0; k < n; k++) {
        if (k) text_add(out, ", ");
        add_value(out, values[k]);
    }
}

static void add_node_types(Text *out, const Node *n) {
    bool known = false, first = true;
    for (int k = 0; k < n->n_outputs; k++)
        known |= n->outputs[k] && n->outputs[k]->dtype != DT_NONE;
    for (int k = 0; known && k < n->n_outputs; k++) {
        if (!n->outputs[k]) continue;
        text_add(out, first ? " : " : ", ");
        add_value_type(out, n->outputs[k]);
        first = false;
    }
}

static void print_node(const Node *n, Text *out, int depth, int64_t most) {
    add_values(out, n->outputs, n->n_outputs);
    text_add(out, " = ");
    if (*n->op->domain) {
        add_name(out, n->op->domain);
        text_add(out, "::");
    }
    add_name(out, n->op->name);
    text_add(out, "(");
    add_values(out, n->inputs, n->n_inputs);
    text_add(out, ")");
    for (int i = 0; i < n->n_attrs; i++) {
        text_add(out, i ? ", " : " {");
        add_attr(out, &n->attrs[i], depth, most);
    }
    if (n->n_attrs) text_add(out, "}");
    add_node_types(out, n);
    if (*n->name) {
        text_add(out, " @");
        add_name(out, n->name);
    }
}

/* Marks the constants of g that g or a graph inside of it names; folding leaves many behind that
 * nobody does. */
static void mark_used(const Graph *g, const Graph *inside, bool *used) {
    for (int i = 0; i < inside->nodes.n; i++) {
        const Node *n = inside->nodes.at[i];
        for (int k = 0; k < n->n_inputs; k++) {
            const Value *v = n->inputs[k];
            if (v && v->id < g->values.n && g->values.at[v->id] == v) used[v->id] = true;
        }
        for (int k = 0; k < n->n_attrs; k++)
            if (n->attrs[k].kind == AT_GRAPH) mark_used(g, n->attrs[k].u.graph, used);
    }
    for (int i = 0; i < inside->outputs.n; i++) {
        const Value *v = inside->outputs.at[i];
        if (v->id < g->values.n && g->values.at[v->id] == v) used[v->id] = true;
    }
}

static void print_head(const Graph *g, Text *out) {
    text_add(out, "graph ");
    add_name(out, g->name);
    text_add(out, "(");
    for (int i = 0; i < g->inputs.n; i++) {
        if (i) text_add(out, ", ");
        add_value(out, g->inputs.at[i]);
        text_add(out, ": ");
        add_value_type(out, g->inputs.at[i]);
    }
    text_add(out, ") -> (");
    add_values(out, g->outputs.at, g->outputs.n);
    text_add(out, ") {\n");
}

static void print_graph(const Graph *g, Text *out, int depth, int64_t most) {
    bool *used = NEW_ARRAY(g->unit->arena, bool, g->values.n);
    int indent = INDENT * (depth + 1);
    mark_used(g, g, used);
    print_head(g, out);
    for (int i = 0; i < g->values.n; i++) {
        const Value *v = g->values.at[i];
        if (!v->constant || !used[i]) continue;
        text_add(out, "%*s", indent, "");
        add_value(out, v);
        text_add(out, " = ");
        add_data(out, v->constant, most);
        text_add(out, "\n");
    }
    for (int i = 0; i < g->nodes.n; i++) {
        text_add(out, "%*s", indent, "");
        print_node(g->nodes.at[i], out, depth, most);
        text_add(out, "\n");
    }
    text_add(out, "%*s}", INDENT * depth, "");
}

void graph_print(const Graph *g, Text *out) {
    print_graph(g, out, 0, INLINE_ELEMENTS);
    text_add(out, "\n");
}

void graph_print_whole(const Graph *g, Text *out) {
    print_graph(g, out, 0, INT64_MAX);
    text_add(out, "\n");
}
