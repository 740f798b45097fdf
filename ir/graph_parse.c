/* graph_parse.c - the text form of graphs, read.  The grammar heads graph_text.c.
 *
 * The first error ends it; nothing in a text can make it crash or run deep. */
#include "graph_text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 16 };

typedef struct Parser {
    Unit *unit;
    const Map *constants;
    const char *at, *line_start;
    int line, depth;
    bool failed; /* what follows an error is not looked at */
} Parser;

static bool fail(Parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(Parser *p, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!p->failed)
        diag(p->unit, NO_PLACE, D_GRAPH_TEXT, p->line, (int)(p->at - p->line_start) + 1, text);
    p->failed = true;
    return false;
}

static char peek(Parser *p) { return text_peek(&p->at, &p->line, &p->line_start); }

static bool accept(Parser *p, const char *token) {
    size_t n = strlen(token);
    peek(p);
    if (p->failed || strncmp(p->at, token, n) != 0) return false;
    if (text_is_word_char(token[n - 1]) && text_is_word_char(p->at[n])) return false;
    p->at += n;
    return true;
}

static bool expect(Parser *p, const char *token) {
    return accept(p, token) || fail(p, "'%s' is expected", token);
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* After a backslash; 0: no such sequence (the byte 0 is none either, as texts end with it). */
static char parse_escape(Parser *p) {
    char c = *p->at;
    if (c == '"' || c == '\\') {
        p->at++;
        return c;
    }
    if (c != 'x' || hex_digit(p->at[1]) < 0 || hex_digit(p->at[2]) < 0) return 0;
    c = (char)(hex_digit(p->at[1]) * 16 + hex_digit(p->at[2]));
    p->at += 3;
    return c;
}

static const char *parse_string(Parser *p) {
    Text text = {.arena = p->unit->arena};
    if (!expect(p, "\"")) return "";
    text_add(&text, "%s", "");
    while (*p->at != '"') {
        char c = *p->at;
        if (!c || c == '\n') {
            fail(p, "a string does not end");
            return "";
        }
        p->at++;
        if (c == '\\') c = parse_escape(p);
        if (!c) {
            fail(p, "unknown escape sequence");
            return "";
        }
        text_add_bytes(&text, &c, 1);
    }
    p->at++;
    return name_intern(p->unit->names, text.at);
}

static const char *parse_name(Parser *p) {
    if (peek(p) == '"') return parse_string(p);
    const char *start = p->at;
    while (text_is_word_char(*p->at)) p->at++;
    if (p->at == start) fail(p, "a name is expected");
    return name_intern_n(p->unit->names, start, (size_t)(p->at - start));
}

/* The characters of a number, cut to the size of `text`. */
static bool parse_number_text(Parser *p, char *text, size_t size) {
    size_t n = 0;
    peek(p);
    while (text_is_word_char(*p->at) || *p->at == '-' || *p->at == '+') {
        if (n + 1 < size) text[n++] = *p->at;
        p->at++;
    }
    text[n] = 0;
    return n > 0 || fail(p, "a number is expected");
}

static bool read_int(Parser *p, const char *text, int64_t *value) {
    char *end;
    errno = 0;
    *value = strtoll(text, &end, 10);
    return (!*end && !errno) || fail(p, "'%s' is no integer", text);
}

static bool parse_int(Parser *p, int64_t *value) {
    char text[64];
    return parse_number_text(p, text, sizeof text) && read_int(p, text, value);
}

static bool parse_hex(Parser *p, uint64_t *value) {
    char text[64], *end;
    if (!parse_number_text(p, text, sizeof text)) return false;
    errno = 0;
    *value = strtoull(text, &end, 16);
    return (!*end && !errno && text[0] != '-') || fail(p, "'%s' is no hexadecimal number", text);
}

static bool parse_dim(Parser *p, Dim *dim) {
    *dim = (Dim){-1, NULL};
    if (accept(p, "?")) return true;
    if (isdigit((unsigned char)peek(p))) return parse_int(p, &dim->size);
    dim->symbol = parse_name(p);
    return !p->failed;
}

/* Rank -1 where it is not told; DT_NONE for a mere "?". */
static bool parse_type(Parser *p, DType *dtype, int *rank, Dim *dims) {
    *dtype = DT_NONE;
    *rank = -1;
    if (accept(p, "?")) return true;
    const char *name = parse_name(p);
    *dtype = dtype_from_text(name);
    if (*dtype == DT_NONE) return fail(p, "'%s' is no element type", name);
    if (accept(p, "?")) return true;
    if (!expect(p, "[")) return false;
    *rank = 0;
    if (accept(p, "]")) return true;
    do {
        if (*rank == MAX_RANK) return fail(p, "a tensor has at most %d dimensions", MAX_RANK);
        if (!parse_dim(p, &dims[(*rank)++])) return false;
    } while (accept(p, ","));
    return expect(p, "]");
}

static bool fits_float(DType t, double x, uint64_t *bits) {
    float f = (float)x;
    uint32_t narrow;
    memcpy(&narrow, &f, sizeof narrow);
    if (t == DT_F64)
        memcpy(bits, &x, sizeof x);
    else if (t == DT_F32)
        *bits = narrow;
    else
        *bits = t == DT_F16 ? float_to_half(f) : float_to_bfloat(f);
    return true;
}

/* A float as the bits of its type. */
static bool parse_float(Parser *p, DType t, uint64_t *bits) {
    char text[64], *end;
    if (accept(p, "bits")) {
        if (!parse_hex(p, bits)) return false;
        return *bits >> (8 * dtypes[t].bytes - 1) <= 1 || fail(p, "the bits exceed the type");
    }
    if (!parse_number_text(p, text, sizeof text)) return false;
    if (strcmp(text, "nan") == 0) {
        *bits = text_quiet_nan(t);
        return true;
    }
    double x = t == DT_F64 ? strtod(text, &end) : (double)strtof(text, &end);
    if (*end || x != x) return fail(p, "'%s' is no number", text);
    return fits_float(t, x, bits);
}

static bool parse_integer_bits(Parser *p, DType t, uint64_t *bits) {
    char text[64], *end;
    int width = t == DT_I4 || t == DT_U4 ? 4 : 8 * dtypes[t].bytes;
    bool is_signed = dtypes[t].kind == DK_SIGNED;
    if (!parse_number_text(p, text, sizeof text)) return false;
    errno = 0;
    *bits = is_signed ? (uint64_t)strtoll(text, &end, 10) : strtoull(text, &end, 10);
    bool fits = !*end && !errno && (is_signed || text[0] != '-');
    if (is_signed && width < 64) {
        int64_t x = (int64_t)*bits, half = (int64_t)1 << (width - 1);
        fits = fits && x >= -half && x < half;
    }
    if (!is_signed && width < 64) fits = fits && *bits >> width == 0;
    return fits || fail(p, "'%s' is no integer of type %s", text, dtypes[t].text);
}

static bool parse_bool(Parser *p, uint64_t *bits) {
    *bits = accept(p, "true");
    return *bits || expect(p, "false");
}

static bool parse_element(Parser *p, Tensor *t, int64_t i) {
    uint64_t bits = 0;
    bool ok = true;
    switch (dtypes[t->dtype].kind) {
    case DK_FLOAT: ok = parse_float(p, t->dtype, &bits); break;
    case DK_SIGNED:
    case DK_UNSIGNED: ok = parse_integer_bits(p, t->dtype, &bits); break;
    case DK_BOOL: ok = parse_bool(p, &bits); break;
    case DK_OTHER: ((const char **)t->strings)[i] = parse_string(p); return !p->failed;
    }
    size_t bytes = (size_t)dtypes[t->dtype].bytes;
    memcpy((char *)t->data + (size_t)i * bytes, &bits, bytes);
    return ok;
}

static const Tensor *parse_hashed(Parser *p, DType dtype, int rank, const int64_t *dims) {
    uint64_t hash;
    if (!parse_hex(p, &hash)) return NULL;
    if (!p->constants) return tensor_new(p->unit->arena, dtype, rank, dims);
    const Tensor *t = map_get(p->constants, (uintptr_t)hash);
    bool same = t && t->dtype == dtype && t->rank == rank;
    for (int d = 0; same && d < rank; d++) same = t->dims[d] == dims[d];
    if (!same) fail(p, "no constant of this type has the hash 0x%016" PRIx64, hash);
    return same ? t : NULL;
}

static const Tensor *parse_elements(Parser *p, DType dtype, int rank, const int64_t *dims) {
    Tensor *t = tensor_new(p->unit->arena, dtype, rank, dims);
    if (!expect(p, "{")) return NULL;
    for (int64_t i = 0; i < t->count; i++) {
        if (i && !expect(p, ",")) return NULL;
        if (!parse_element(p, t, i)) return NULL;
    }
    return expect(p, "}") ? t : NULL;
}

/* What follows the word constant; NULL: reported. */
static const Tensor *parse_data(Parser *p) {
    DType dtype;
    Dim dims[MAX_RANK];
    int64_t sizes[MAX_RANK];
    int rank;
    if (!parse_type(p, &dtype, &rank, dims)) return NULL;
    if (rank >= 0 && dims_count(dims, rank) >> 32 != 0) rank = -1; /* too large, or not static */
    if (rank < 0) fail(p, "a constant has a type with sizes");
    for (int d = 0; d < rank; d++) sizes[d] = dims[d].size;
    if (p->failed) return NULL;
    if (accept(p, "hash")) return parse_hashed(p, dtype, rank, sizes);
    return parse_elements(p, dtype, rank, sizes);
}

static Graph *parse_graph(Parser *p, Graph *outer);

/* A setting alone, or an item of a list. */
static bool parse_setting(Parser *p, Graph *g, Attr *item) {
    char c = peek(p), text[64];
    uint64_t bits;
    if (c == '"') {
        item->kind = AT_STRING;
        item->u.s = parse_string(p);
        return !p->failed;
    }
    if (accept(p, "constant")) {
        item->kind = AT_TENSOR;
        item->u.tensor = parse_data(p);
        return item->u.tensor != NULL;
    }
    if (accept(p, "graph")) {
        item->kind = AT_GRAPH;
        item->u.graph = parse_graph(p, g);
        return item->u.graph != NULL;
    }
    const char *start = p->at;
    item->kind = AT_INT;
    if (strncmp(p->at, "bits", 4) != 0) {
        if (!parse_number_text(p, text, sizeof text)) return false;
        if (!strpbrk(text, ".en")) return read_int(p, text, &item->u.i);
        p->at = start;
    }
    item->kind = AT_FLOAT;
    if (!parse_float(p, DT_F32, &bits)) return false;
    uint32_t narrow = (uint32_t)bits;
    memcpy(&item->u.f, &narrow, sizeof narrow);
    return true;
}

static bool set_list(Parser *p, Attr *attr, const Attr *items, int n) {
    Arena *a = p->unit->arena;
    int64_t *ints = NEW_ARRAY(a, int64_t, n);
    float *floats = NEW_ARRAY(a, float, n);
    const char **strings = NEW_ARRAY(a, const char *, n);
    AttrKind kind = n ? items[0].kind : AT_NONE;
    for (int i = 0; i < n; i++) {
        if (items[i].kind != kind) return fail(p, "the items of a list differ in kind");
        if (kind == AT_INT)
            ints[i] = items[i].u.i;
        else if (kind == AT_FLOAT)
            floats[i] = items[i].u.f;
        else if (kind == AT_STRING)
            strings[i] = items[i].u.s;
        else
            return fail(p, "a list is of numbers or of strings");
    }
    attr->n = n;
    if (n) attr->kind = kind == AT_INT ? AT_INTS : kind == AT_FLOAT ? AT_FLOATS : AT_STRINGS;
    if (attr->kind == AT_INTS) attr->u.ints = ints;
    if (attr->kind == AT_FLOATS) attr->u.floats = floats;
    if (attr->kind == AT_STRINGS) attr->u.strings = strings;
    return true;
}

/* attr->kind is the one wanted, for the list that is empty. */
static bool parse_list(Parser *p, Graph *g, Attr *attr) {
    VEC(Attr) items = {0};
    if (accept(p, "]")) return set_list(p, attr, NULL, 0);
    do {
        Attr item = {.kind = AT_NONE};
        if (!parse_setting(p, g, &item)) return false;
        vec_push(p->unit->arena, &items, item);
    } while (accept(p, ","));
    return expect(p, "]") && set_list(p, attr, items.at, items.n);
}

static bool parse_attr(Parser *p, Graph *g, Node *n) {
    const char *name = parse_name(p);
    const AttrInfo *info = op_find_attr(n->op, name);
    Attr value = {.kind = info ? (AttrKind)info->kind : AT_NONE};
    if (p->failed || !expect(p, "=")) return false;
    if (!info) return fail(p, "%s has no attribute '%s'", n->op->name, name);
    if (node_has(n, name)) return fail(p, "'%s' is given twice", name);
    if (!(accept(p, "[") ? parse_list(p, g, &value) : parse_setting(p, g, &value))) return false;
    if ((int)value.kind != info->kind) return fail(p, "'%s' is of a wrong kind", name);
    value.name = name;
    *node_set_attr(g, n, name, value.kind) = value;
    return true;
}

static bool define(Parser *p, Graph *g, Value **out) {
    *out = NULL;
    if (!expect(p, "%")) return false;
    const char *name = parse_name(p);
    if (p->failed) return false;
    if (!*name) return fail(p, "a value has a name");
    if (graph_find_value(g, name)) return fail(p, "%%%s is defined twice", name);
    *out = graph_add_value(g, name);
    return true;
}

static Value *parse_use(Parser *p, const Graph *g) {
    if (!expect(p, "%")) return NULL;
    const char *name = parse_name(p);
    Value *v = NULL;
    for (; g && !v; g = g->outer) v = graph_find_value(g, name);
    if (!v) fail(p, "%%%s is not defined", name);
    return v;
}

typedef VEC(Value *) ValueList;

static bool parse_operands(Parser *p, const Graph *g, ValueList *list) {
    if (accept(p, ")")) return true;
    do {
        Value *v = accept(p, "_") ? NULL : parse_use(p, g);
        if (p->failed) return false;
        vec_push(p->unit->arena, list, v);
    } while (accept(p, ","));
    return expect(p, ")");
}

static const OpInfo *parse_op(Parser *p) {
    const char *name = parse_name(p), *domain = "";
    if (accept(p, "::")) {
        domain = name;
        name = parse_name(p);
    }
    const OpInfo *op = op_find_in(p->unit, domain, name);
    if (!op) fail(p, "'%s' is no operator", name);
    return op;
}

static bool parse_value_type(Parser *p, Graph *g, Value *v) {
    Dim dims[MAX_RANK];
    if (!parse_type(p, &v->dtype, &v->rank, dims)) return false;
    v->dims = NEW_ARRAY(g->unit->arena, Dim, v->rank < 0 ? 0 : v->rank);
    for (int d = 0; d < v->rank; d++) v->dims[d] = dims[d];
    return true;
}

static bool parse_node_types(Parser *p, Graph *g, const Node *n) {
    bool first = true;
    for (int k = 0; k < n->n_outputs; k++) {
        if (!n->outputs[k]) continue;
        if (!first && !expect(p, ",")) return false;
        if (!parse_value_type(p, g, n->outputs[k])) return false;
        first = false;
    }
    return true;
}

/* From the operator on.  The results get their producer at the end: until then the node cannot use
 * them itself. */
static bool parse_node(Parser *p, Graph *g, const ValueList *results) {
    ValueList operands = {0};
    const OpInfo *op = parse_op(p);
    if (p->failed || !expect(p, "(") || !parse_operands(p, g, &operands)) return false;
    for (int k = 0; k < operands.n; k++)
        for (int i = 0; i < results->n; i++)
            if (operands.at[k] && operands.at[k] == results->at[i])
                return fail(p, "a node uses its own result");
    Node *n = graph_add_node(g, op, "", operands.at, operands.n, results->at, results->n);
    if (accept(p, "{")) {
        do {
            if (!parse_attr(p, g, n)) return false;
        } while (accept(p, ","));
        if (!expect(p, "}")) return false;
    }
    if (accept(p, ":") && !parse_node_types(p, g, n)) return false;
    if (accept(p, "@")) n->name = parse_name(p);
    n->position = g->nodes.n - 1;
    return !p->failed;
}

static bool parse_line(Parser *p, Graph *g) {
    ValueList results = {0};
    do {
        Value *v = NULL;
        if (!accept(p, "_") && !define(p, g, &v)) return false;
        vec_push(p->unit->arena, &results, v);
    } while (accept(p, ","));
    if (!expect(p, "=")) return false;
    if (!accept(p, "constant")) return parse_node(p, g, &results);
    if (results.n != 1 || !results.at[0]) return fail(p, "a constant has one name");
    Value *v = results.at[0];
    v->constant = parse_data(p);
    if (v->constant) value_set_type(g, v, v->constant->dtype, v->constant->rank, v->constant->dims);
    return v->constant != NULL;
}

static bool parse_inputs(Parser *p, Graph *g) {
    if (accept(p, ")")) return true;
    do {
        Value *v;
        if (!define(p, g, &v) || !expect(p, ":") || !parse_value_type(p, g, v)) return false;
        v->is_input = true;
        vec_push(p->unit->arena, &g->inputs, v);
    } while (accept(p, ","));
    return expect(p, ")");
}

/* The outputs stand before what defines them: they are read again at the end. */
static bool parse_outputs(Parser *p, Graph *g) {
    if (accept(p, ")")) return true;
    do {
        Value *v = parse_use(p, g);
        if (!v) return false;
        if (v->is_output) return fail(p, "%%%s is an output twice", v->name);
        graph_set_output(g, v);
    } while (accept(p, ","));
    return expect(p, ")");
}

static bool skip_outputs(Parser *p) {
    if (accept(p, ")")) return true;
    do {
        if (!expect(p, "%")) return false;
        parse_name(p);
    } while (accept(p, ","));
    return expect(p, ")");
}

static bool parse_body(Parser *p, Graph *g) {
    Parser outputs;
    if (!expect(p, "(") || !parse_inputs(p, g) || !expect(p, "->") || !expect(p, "(")) return false;
    outputs = *p;
    if (!skip_outputs(p) || !expect(p, "{")) return false;
    while (!accept(p, "}"))
        if (!parse_line(p, g)) return false;
    p->failed = !parse_outputs(&outputs, g);
    return !p->failed;
}

static Graph *parse_graph(Parser *p, Graph *outer) {
    if (p->depth == MAX_DEPTH) {
        fail(p, "graphs are nested too deeply");
        return NULL;
    }
    p->depth++;
    Graph *g = graph_new(p->unit, parse_name(p));
    g->outer = outer;
    bool ok = !p->failed && parse_body(p, g);
    p->depth--;
    return ok ? g : NULL;
}

Graph *graph_parse(Unit *u, const char *text, const Map *constants) {
    Parser p = {.unit = u, .constants = constants, .at = text, .line_start = text, .line = 1};
    Graph *g = expect(&p, "graph") ? parse_graph(&p, NULL) : NULL;
    if (g && peek(&p)) fail(&p, "there is more after the graph");
    return p.failed ? NULL : g;
}
