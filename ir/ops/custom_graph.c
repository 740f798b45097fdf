/* custom_graph.c - the functions of sonoc_op.h that look at graphs, type values and make nodes. */
#include "custom_call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef const struct sonoc *S;

/* Looking. */

static int n_inputs(S s, const struct sonoc_node *n) { return (void)s, our_node(n)->n_inputs; }
static int n_outputs(S s, const struct sonoc_node *n) { return (void)s, our_node(n)->n_outputs; }

static struct sonoc_value *input(S s, const struct sonoc_node *n, int k) {
    (void)s;
    bool given = k >= 0 && node_has_input(our_node(n), k);
    return given ? sonoc_value_of(our_node(n)->inputs[k]) : NULL;
}

static struct sonoc_value *output(S s, const struct sonoc_node *n, int k) {
    (void)s;
    bool given = k >= 0 && node_has_output(our_node(n), k);
    return given ? sonoc_value_of(our_node(n)->outputs[k]) : NULL;
}

static bool is(S s, const struct sonoc_node *n, const char *domain, const char *name) {
    (void)s;
    return !strcmp(our_node(n)->op->name, name) && !strcmp(our_node(n)->op->domain, domain);
}

static int dtype(S s, const struct sonoc_value *v) {
    return (void)s, dtypes[our_value(v)->dtype].onnx;
}
static int rank(S s, const struct sonoc_value *v) { return (void)s, our_value(v)->rank; }

static int64_t dim(S s, const struct sonoc_value *v, int d) {
    const Value *value = our_value(v);
    if (d < 0) d += value->rank;
    if (d < 0 || d >= value->rank)
        call_misused(call_of(s), "dimension %d of a tensor of rank %d", d, value->rank);
    return value->dims[d].size;
}

static const void *data(S s, const struct sonoc_value *v) {
    (void)s;
    return our_value(v)->constant ? our_value(v)->constant->data : NULL;
}

/* Attributes. */

static const AttrInfo *declared(S s, const struct sonoc_node *n, const char *name) {
    const AttrInfo *info = op_find_attr(our_node(n)->op, name);
    if (!info) call_misused(call_of(s), "%s has no attribute '%s'", our_node(n)->op->name, name);
    return info;
}

static bool has(S s, const struct sonoc_node *n, const char *name) {
    declared(s, n, name);
    return node_has(our_node(n), name);
}

static int64_t get_int(S s, const struct sonoc_node *n, const char *name) {
    declared(s, n, name);
    return node_int(our_node(n), name);
}

static double get_float(S s, const struct sonoc_node *n, const char *name) {
    declared(s, n, name);
    return node_float(our_node(n), name);
}

static const char *get_string(S s, const struct sonoc_node *n, const char *name) {
    declared(s, n, name);
    return node_string(our_node(n), name);
}

static bool get_ints(S s, const struct sonoc_node *n, const char *name, int64_t *list, int count) {
    declared(s, n, name);
    int given;
    const int64_t *ints = node_ints(our_node(n), name, &given);
    if (!ints || given != count) return false;
    memcpy(list, ints, (size_t)count * sizeof *list);
    return true;
}

static bool fail(S s, const struct sonoc_node *n, const char *attribute, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static bool fail(S s, const struct sonoc_node *n, const char *attribute, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    call_of(s)->failed = true;
    return diag(call_of(s)->unit, node_place_attr(our_node(n), attribute), D_CUSTOM, text);
}

/* Types. */

static DType known_dtype(const Call *c, int onnx) {
    DType t = dtype_from_onnx(onnx);
    if (t == DT_NONE) call_misused(c, "%d is no element type", onnx);
    return t;
}

static void check_dims(const Call *c, int rank_, const int64_t *dims) {
    if (rank_ < 0 || rank_ > MAX_RANK || dims_product(dims, rank_) < 0)
        call_misused(c, "a tensor of rank %d is too large, or a dimension is below 0", rank_);
}

static bool set_type(S s, struct sonoc_value *v, int type, int rank_, const int64_t *dims) {
    Call *c = call_of(s);
    if (!c->infer) call_misused(c, "set_type is for shape rules");
    check_dims(c, rank_, dims);
    if (v) value_set_type(c->graph, our_value(v), known_dtype(c, type), rank_, dims);
    return true;
}

/* Settings of new nodes: NAME=VALUE parted by blanks. */

static int64_t setting_int(const Call *c, const char *text, char **end) {
    errno = 0;
    long long i = strtoll(text, end, 10);
    if (*end == text || errno) call_misused(c, "'%s' should be an integer", text);
    return i;
}

static float setting_float(const Call *c, const char *text, char **end) {
    float f = strtof(text, end);
    if (*end == text) call_misused(c, "'%s' should be a number", text);
    return f;
}

static char *setting_list(const Call *c, char *at, Attr *attr) {
    int n = 0, most = 1;
    for (const char *p = at; *p && *p != ']'; p++) most += *p == ',';
    int64_t *ints = NEW_ARRAY(c->unit->arena, int64_t, most);
    float *floats = NEW_ARRAY(c->unit->arena, float, most);
    if (*at++ != '[') call_misused(c, "a list begins with [");
    while (*at && *at != ']') {
        if (attr->kind == AT_INTS)
            ints[n++] = setting_int(c, at, &at);
        else
            floats[n++] = setting_float(c, at, &at);
        if (*at == ',')
            at++;
        else if (*at != ']')
            call_misused(c, "a list ends with ]");
    }
    attr->n = n;
    if (attr->kind == AT_INTS)
        attr->u.ints = ints;
    else
        attr->u.floats = floats;
    return at + (*at == ']');
}

static char *setting_word(const Call *c, char *at, Attr *attr) {
    size_t n = strcspn(at, " ");
    attr->u.s = name_intern_n(c->unit->names, at, n);
    return at + n;
}

static char *setting_value(const Call *c, char *at, Attr *attr) {
    if (attr->kind == AT_INTS || attr->kind == AT_FLOATS) return setting_list(c, at, attr);
    if (attr->kind == AT_STRING) return setting_word(c, at, attr);
    if (attr->kind == AT_INT)
        attr->u.i = setting_int(c, at, &at);
    else if (attr->kind == AT_FLOAT)
        attr->u.f = setting_float(c, at, &at);
    else
        call_misused(c, "'%s' cannot be given as text", attr->name);
    return at;
}

static void set_attributes(Call *c, Node *n, char *at) {
    for (at += strspn(at, " "); *at; at += strspn(at, " ")) {
        size_t length = strcspn(at, "= ");
        const char *name = name_intern_n(c->unit->names, at, length);
        const AttrInfo *info = op_find_attr(n->op, name);
        if (!info) call_misused(c, "%s has no attribute '%s'", n->op->name, name);
        if (at[length] != '=') call_misused(c, "settings are NAME=VALUE: '%s'", at);
        Attr attr = {.name = name, .kind = (AttrKind)info->kind};
        at = setting_value(c, at + length + 1, &attr);
        *node_set_attr(c->graph, n, name, attr.kind) = attr;
    }
}

/* New nodes and constants. */

static void check_making(const Call *c) {
    if (!c->expansion && !c->is_pass)
        call_misused(c, "nodes are made in expansions and passes only");
}

static const OpInfo *wanted_op(const Call *c, const char *text) {
    const char *colons = strstr(text, "::"), *name = colons ? colons + 2 : text;
    const char *domain = name_intern_n(c->unit->names, text, colons ? (size_t)(colons - text) : 0);
    const OpInfo *op = op_find_in(c->unit, domain, name);
    if (!op) call_misused(c, "there is no operator '%s'", text);
    return op;
}

static const char *name_of_new(const Call *c, const char *what) {
    const Node *n = c->expansion ? c->expansion->node : NULL;
    for (int k = 0; n && k < n->n_outputs; k++)
        if (n->outputs[k]) return arena_format(c->unit->arena, "%s_%s", n->outputs[k]->name, what);
    return arena_format(c->unit->arena, "%s_%s", c->who, what);
}

static Node *open_node(Call *c, const OpInfo *op, Value *const *inputs, int n) {
    int n_outputs_ = op->min_outputs > 1 ? op->min_outputs : 1;
    Value **outputs = NEW_ARRAY(c->unit->arena, Value *, n_outputs_);
    for (int k = 0; k < n_outputs_; k++)
        outputs[k] = graph_add_value(c->graph, name_of_new(c, op->name));
    if (n < op->min_inputs || (op->max_inputs >= 0 && n > op->max_inputs))
        call_misused(c, "%s is given %d inputs", op->name, n);
    Node *node = graph_add_node(c->graph, op, outputs[0]->name, inputs, n, outputs, n_outputs_);
    node->position = c->expansion ? c->expansion->node->position : -1;
    node->scope = c->expansion ? c->expansion->node->scope : NULL;
    return node;
}

static Value *close_node(Call *c, Node *n) {
    if (c->expansion) return make_close(c->expansion, n);
    if (!node_infer(c->graph, n)) c->failed = true;
    return n->outputs[0];
}

static struct sonoc_value *make(S s, const char *op, struct sonoc_value *const *inputs, int n,
                                const char *attributes, ...) __attribute__((format(printf, 5, 6)));
static struct sonoc_value *make(S s, const char *op, struct sonoc_value *const *inputs, int n,
                                const char *attributes, ...) {
    Call *c = call_of(s);
    char text[1024] = "";
    check_making(c);
    va_list args;
    va_start(args, attributes);
    int length = attributes ? vsnprintf(text, sizeof text, attributes, args) : 0;
    va_end(args);
    if (length >= (int)sizeof text) call_misused(c, "the settings of %s are too long", op);
    while (n > 0 && !inputs[n - 1]) n--;
    Value **values = NEW_ARRAY(c->unit->arena, Value *, n);
    for (int k = 0; k < n; k++) values[k] = our_value(inputs[k]);
    Node *node = open_node(c, wanted_op(c, op), values, n);
    set_attributes(c, node, text);
    return sonoc_value_of(close_node(c, node));
}

static struct sonoc_value *add_constant(Call *c, const Tensor *t) {
    return sonoc_value_of(graph_add_constant(c->graph, name_of_new(c, "constant"), t));
}

static struct sonoc_value *constant(S s, int type, int rank_, const int64_t *dims,
                                    const void *from) {
    Call *c = call_of(s);
    check_making(c);
    check_dims(c, rank_, dims);
    Tensor *t = tensor_new(c->unit->arena, known_dtype(c, type), rank_, dims);
    size_t bytes = (size_t)t->count * (size_t)dtypes[t->dtype].bytes;
    if (bytes) memcpy((void *)(uintptr_t)t->data, from, bytes);
    return add_constant(c, t);
}

static struct sonoc_value *scalar(S s, int type, double value) {
    Call *c = call_of(s);
    check_making(c);
    return add_constant(c, tensor_scalar(c->unit->arena, known_dtype(c, type), value));
}

static struct sonoc_value *ints(S s, const int64_t *values, int n) {
    check_making(call_of(s));
    return add_constant(call_of(s), tensor_from_ints(call_of(s)->unit->arena, values, n));
}

/* Where the expansion tells the types too, the output has none before. */
static void give(S s, struct sonoc_node *n, int k, struct sonoc_value *v) {
    Call *c = call_of(s);
    int64_t dims[MAX_RANK];
    if (!c->expansion || !v) call_misused(c, "an expansion gives values");
    if (!node_has_output(our_node(n), k) || c->expansion->failed) return;
    Value *wanted = our_node(n)->outputs[k];
    if (wanted->rank < 0)
        value_set_type(c->graph, wanted, our_value(v)->dtype, value_dims(our_value(v), dims), dims);
    else if (wanted->rank != our_value(v)->rank ||
             !dims_equal(wanted->dims, our_value(v)->dims, wanted->rank))
        call_misused(c, "output %d has another shape than the shape rule tells", k);
    expansion_give(c->expansion, k, our_value(v));
}

/* Passes. */

static const Call *check_pass(S s) {
    if (!call_of(s)->is_pass) call_misused(call_of(s), "the graph is a pass's to look at");
    return call_of(s);
}

static int n_nodes(S s) { return check_pass(s)->graph->nodes.n; }

static struct sonoc_node *node(S s, int i) {
    const Call *c = check_pass(s);
    if (i < 0 || i >= c->graph->nodes.n) call_misused(c, "there is no node %d", i);
    return sonoc_node_of(c->graph->nodes.at[i]);
}

static struct sonoc_node *producer(S s, const struct sonoc_value *v) {
    check_pass(s);
    return our_value(v)->producer ? sonoc_node_of(our_value(v)->producer) : NULL;
}

static int n_uses(S s, const struct sonoc_value *v) {
    check_pass(s);
    return our_value(v)->n_uses;
}

/* What a pass made stands where that stood, and is known to the user by its name. */
static void take_place(Node *made, const Node *old) {
    if (made->position >= 0) return;
    made->position = old->position;
    made->scope = old->scope;
    made->name = old->name;
}

static bool replace(S s, struct sonoc_value *old, struct sonoc_value *by) {
    const Call *c = check_pass(s);
    const Value *from = our_value(old), *to = our_value(by);
    if (from->dtype != to->dtype || from->rank != to->rank ||
        !dims_equal(from->dims, to->dims, to->rank))
        call_misused(c, "'%s' is replaced by a value of another type", from->name);
    if (c->allow && from->producer && !c->allow(c->graph, from->producer, c->allow_context))
        return false;
    if (from->producer && to->producer) take_place(to->producer, from->producer);
    graph_replace_uses(c->graph, our_value(old), our_value(by));
    graph_count_uses(c->graph);
    return true;
}

void call_fill_graph(struct sonoc *a) {
    a->n_inputs = n_inputs, a->n_outputs = n_outputs, a->input = input, a->output = output,
    a->is = is;
    a->dtype = dtype, a->rank = rank, a->dim = dim, a->data = data;
    a->has = has, a->get_int = get_int, a->get_float = get_float, a->get_string = get_string;
    a->get_ints = get_ints, a->fail = fail, a->set_type = set_type;
    a->make = make, a->constant = constant, a->scalar = scalar, a->ints = ints, a->give = give;
    a->n_nodes = n_nodes, a->node = node, a->producer = producer, a->n_uses = n_uses,
    a->replace = replace;
}
