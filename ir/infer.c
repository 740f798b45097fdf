/* infer.c - the walk over the nodes that gives every value its type, and folds what is known.
 *
 * A node whose inputs have no type because of an earlier error is skipped, so that every error is
 * told once. Folding lowers the node alone and runs the interpreter: there is no second definition
 * of an operator.  It works in a unit of its own that is thrown away; only the results live in the
 * graph's arena. */
#include "infer.h"
#include "interp.h"
#include "lower.h"

#include <string.h>

enum {
    MAX_OUTPUT_BITS = 40, /* a tensor of more elements than 2 to this is refused */
    FOLD_STEPS = 1 << 28, /* what would take more stays a node */
    FOLD_MEMORY = 1 << 28 /* bytes, likewise */
};

bool infer_fail(Infer *f, const Node *n, DiagCode code, ...) {
    va_list args;
    va_start(args, code);
    diag_va(f->unit, node_place(n), code, args);
    va_end(args);
    return false;
}

bool infer_fail_attr(Infer *f, const Node *n, const char *attribute, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return diag(f->unit, node_place_attr(n, attribute), D_ATTRIBUTE_VALUE, text);
}

const Tensor *infer_constant(const Node *n, int k) {
    return node_has_input(n, k) ? n->inputs[k]->constant : NULL;
}

static const char *input_text(const Infer *f, const Node *n, int k, const char *what) {
    const char *name = node_has_input(n, k) ? n->inputs[k]->name : "";
    return arena_format(f->unit->arena, "input %d ('%s') %s", k, name, what);
}

bool infer_ints(Infer *f, Node *n, int k, int64_t *out, int *count, int max) {
    const Tensor *t = infer_constant(n, k);
    if (!t) return infer_fail(f, n, D_DYNAMIC_SHAPE, input_text(f, n, k, "is not a constant"));
    if (t->dtype != DT_I64 && t->dtype != DT_I32)
        return infer_fail(f, n, D_DTYPE, input_text(f, n, k, "should be of type i64 or i32"));
    if (t->rank > 1) return infer_fail(f, n, D_SHAPE, input_text(f, n, k, "should be a vector"));
    if (t->count > max)
        return infer_fail(f, n, D_SHAPE, input_text(f, n, k, "has too many elements"));
    for (int64_t i = 0; i < t->count; i++) out[i] = tensor_get_int(t, i);
    *count = (int)t->count;
    return true;
}

void infer_set(Infer *f, Node *n, int output, DType dtype, int rank, const int64_t *dims) {
    if (rank > MAX_RANK) BUG(f->unit, "%s '%s': rank %d", n->op->name, n->name, rank);
    if (node_has_output(n, output)) value_set_type(f->graph, n->outputs[output], dtype, rank, dims);
}

int infer_dims(Infer *f, Node *n, int k, int64_t *dims) {
    const Value *v = n->inputs[k];
    if (v->rank < 0) {
        infer_fail(f, n, D_SHAPE, input_text(f, n, k, "has no known shape"));
        return -1;
    }
    for (int i = 0; i < v->rank; i++) {
        dims[i] = v->dims[i].size;
        if (dims[i] >= 0) continue;
        const char *symbol = v->dims[i].symbol ? v->dims[i].symbol : "?";
        const char *what = arena_format(
            f->unit->arena, "has the symbolic dimension '%s', which needs a size", symbol);
        infer_fail(f, n, D_SHAPE, input_text(f, n, k, what));
        return -1;
    }
    return v->rank;
}

int infer_axis(Infer *f, const Node *n, int64_t axis, int rank, const char *attribute) {
    if (axis >= -rank && axis < rank) return (int)(axis < 0 ? axis + rank : axis);
    infer_fail_attr(f, n, attribute, "axis %lld is outside a tensor of rank %d", (long long)axis,
                    rank);
    return -1;
}

int dims_broadcast(const int64_t *a, int rank_a, const int64_t *b, int rank_b, int64_t *out) {
    int rank = rank_a > rank_b ? rank_a : rank_b;
    for (int i = rank - 1; i >= 0; i--) {
        int ka = i - (rank - rank_a), kb = i - (rank - rank_b);
        int64_t x = ka >= 0 ? a[ka] : 1, y = kb >= 0 ? b[kb] : 1;
        if (x != y && x != 1 && y != 1) return -1;
        out[i] = x == 1 ? y : x;
    }
    return rank;
}

int64_t dims_product(const int64_t *dims, int rank) {
    Dim boxed[MAX_RANK];
    for (int i = 0; i < rank; i++) boxed[i] = (Dim){dims[i], NULL};
    return dims_count(boxed, rank);
}

bool infer_same(Infer *f, Node *n) {
    int64_t dims[MAX_RANK];
    int rank = infer_dims(f, n, 0, dims);
    if (rank < 0) return false;
    for (int k = 0; k < n->n_outputs; k++) infer_set(f, n, k, n->inputs[0]->dtype, rank, dims);
    return true;
}

bool infer_broadcast(Infer *f, Node *n) {
    int64_t dims[MAX_RANK], next[MAX_RANK];
    int rank = 0;
    for (int k = 0; k < n->n_inputs; k++) {
        if (!n->inputs[k]) continue;
        int next_rank = infer_dims(f, n, k, next);
        if (next_rank < 0) return false;
        if (n->inputs[k]->dtype != n->inputs[0]->dtype)
            return infer_fail(f, n, D_DTYPE, "the inputs differ in type");
        rank = dims_broadcast(dims, rank, next, next_rank, dims);
        if (rank < 0) return infer_fail(f, n, D_SHAPE, "the shapes of the inputs do not broadcast");
    }
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, dims);
    return true;
}

static bool check_inputs(Infer *f, const Node *n) {
    const OpInfo *op = n->op;
    int most = op->max_inputs < 0 ? INT32_MAX : op->max_inputs;
    if (n->n_inputs < op->min_inputs || n->n_inputs > most)
        return infer_fail(f, n, D_INPUT_COUNT, n->n_inputs, op->min_inputs, most);
    for (int k = 0; k < n->n_inputs; k++) {
        const Value *v = n->inputs[k];
        if (!v && (k < op->min_inputs || op->max_inputs < 0))
            return infer_fail(f, n, D_INPUT_MISSING, k);
        if (v && v->dtype == DT_STRING) return infer_fail(f, n, D_UNSUPPORTED, "string tensors");
    }
    return true;
}

static bool check_node(Infer *f, const Node *n) {
    const OpInfo *op = n->op;
    int most = op->max_outputs < 0 ? INT32_MAX : op->max_outputs;
    if (!check_inputs(f, n)) return false;
    if (n->n_outputs < op->min_outputs || n->n_outputs > most)
        return infer_fail(f, n, D_OUTPUT_COUNT, n->n_outputs, op->min_outputs, most);
    for (int i = 0; i < n->n_attrs; i++)
        if (n->attrs[i].kind == AT_GRAPH)
            return infer_fail(f, n, D_UNSUPPORTED, "graphs inside of nodes");
    return true;
}

static bool check_outputs(Infer *f, const Node *n) {
    for (int k = 0; k < n->n_outputs; k++) {
        const Value *v = n->outputs[k];
        if (!v) continue;
        if (v->rank < 0)
            BUG(f->unit, "%s '%s' leaves output %d without a type", n->op->name, n->name, k);
        for (int i = 0; i < v->rank; i++)
            if (v->dims[i].size < 0)
                return infer_fail(f, n, D_SHAPE, "an output would have a negative dimension");
        if (value_count(v) < 0 || value_count(v) >> MAX_OUTPUT_BITS)
            return infer_fail(f, n, D_SHAPE, "an output would have too many elements");
    }
    return true;
}

static bool infer_node(Infer *f, Node *n) {
    return check_node(f, n) && n->op->infer(f, n) && check_outputs(f, n);
}

bool node_infer(Graph *g, Node *n) {
    Infer f = {g->unit, g};
    return infer_node(&f, n);
}

/* Of some operators the shape of the input is all that counts. */
static bool reads_data(const Node *n, int k) {
    return k > 0 || (n->op->id != OP_Shape && n->op->id != OP_Size && n->op->id != OP_EyeLike);
}

static bool is_random(const Node *n) {
    static const char *const random[] = {"Bernoulli", "Multinomial"};
    if (strncmp(n->op->name, "Random", 6) == 0) return true;
    for (size_t i = 0; i < sizeof random / sizeof *random; i++)
        if (strcmp(n->op->name, random[i]) == 0) return true;
    return false;
}

/* An upper bound of the steps that a run takes, so that no file makes the compiler work for
 * hours. */
static bool is_quick(const Node *n) {
    int64_t in = 1, out = 1;
    for (int k = 0; k < n->n_inputs; k++)
        if (n->inputs[k] && value_count(n->inputs[k]) > in) in = value_count(n->inputs[k]);
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k]) out += value_count(n->outputs[k]);
    bool every_with_every = n->op->kind == OK_CODE || n->op->kind == OK_EXPAND;
    return every_with_every ? out <= FOLD_STEPS / in : in + out <= FOLD_STEPS;
}

static bool is_foldable(const Node *n, int64_t limit_bytes) {
    int64_t bytes = 0;
    if (is_random(n)) return false;
    for (int k = 0; k < n->n_inputs; k++)
        if (n->inputs[k] && !n->inputs[k]->constant && reads_data(n, k)) return false;
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k]) bytes += value_count(n->outputs[k]) * dtypes[n->outputs[k]->dtype].bytes;
    return bytes <= limit_bytes && is_quick(n);
}

static void copy_type(Graph *g, Value *to, const Value *from) {
    int64_t dims[MAX_RANK];
    for (int i = 0; i < from->rank; i++) dims[i] = from->dims[i].size;
    value_set_type(g, to, from->dtype, from->rank, dims);
}

/* A graph of n alone: constants are shared, attributes copied as an expansion may change them. */
Graph *graph_of_node(Unit *u, const Node *n) {
    Graph *g = graph_new(u, "fold");
    Value **inputs = NEW_ARRAY(u->arena, Value *, n->n_inputs);
    Value **outputs = NEW_ARRAY(u->arena, Value *, n->n_outputs);
    for (int k = 0; k < n->n_inputs; k++) {
        const Value *v = n->inputs[k];
        if (v && v->constant)
            inputs[k] = graph_add_constant(g, v->name, v->constant);
        else if (v)
            inputs[k] = graph_add_input(g, v->name, v->dtype, v->rank, v->dims);
    }
    for (int k = 0; k < n->n_outputs; k++) {
        if (!n->outputs[k]) continue;
        outputs[k] = graph_add_value(g, n->outputs[k]->name);
        if (n->outputs[k]->rank >= 0) copy_type(g, outputs[k], n->outputs[k]);
        graph_set_output(g, outputs[k]);
    }
    Node *copy = graph_add_node(g, n->op, n->name, inputs, n->n_inputs, outputs, n->n_outputs);
    copy->position = n->position;
    copy->scope = n->scope;
    for (int i = 0; i < n->n_attrs; i++)
        *node_set_attr(g, copy, n->attrs[i].name, n->attrs[i].kind) = n->attrs[i];
    return g;
}

static bool run_node(Unit *u, const Node *n, void *const *results) {
    const LowerOptions options = {.target = targets, .name = "fold", .plain = true};
    Graph *g = graph_of_node(u, n);
    if (n->op->kind == OK_EXPAND && !graph_expand(g)) return false;
    Program *p = lower_graph(g, &options);
    if (!p) return false;
    program_plan(p);
    InterpError error;
    const void **no_data = NEW_ARRAY(u->arena, const void *, p->inputs.n + 1);
    return interp_run(p, no_data, results, &error);
}

/* Runs n in a unit of its own.  What is wrong with us there is wrong here; too large a node is left
 * alone. */
static bool run_apart(Unit *u, const Node *n, void *const *results) {
    Unit apart;
    if (!unit_begin_apart(&apart, u, FOLD_MEMORY)) return false;
    if (setjmp(apart.escape.jump)) {
        Escape why = apart.escape;
        unit_end(&apart);
        if (why.status == STATUS_LIMIT) return false;
        escape(&u->escape, why.status, "%s", why.message);
    }
    bool ok = run_node(&apart, n, results);
    unit_end(&apart);
    return ok;
}

static void set_constant(Value *v, const Tensor *t) {
    v->constant = t;
    v->producer = NULL;
}

/* A node that cannot be run (a division by zero, say) stays as it is. */
static void fold_node(Graph *g, Node *n) {
    Arena *arena = g->unit->arena;
    ArenaMark mark = arena_mark(arena);
    Tensor **tensors = NEW_ARRAY(arena, Tensor *, n->n_outputs);
    void **results = NEW_ARRAY(arena, void *, n->n_outputs);
    int n_results = 0;
    for (int k = 0; k < n->n_outputs; k++) {
        const Value *v = n->outputs[k];
        int64_t dims[MAX_RANK];
        if (!v) continue;
        for (int i = 0; i < v->rank; i++) dims[i] = v->dims[i].size;
        tensors[k] = tensor_new(arena, v->dtype, v->rank, dims);
        results[n_results++] = (void *)tensors[k]->data;
    }
    if (!run_apart(g->unit, n, results)) {
        arena_release(arena, mark);
        return;
    }
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k]) set_constant(n->outputs[k], tensors[k]);
    n->dead = true;
}

bool node_fold(Graph *g, Node *n, int64_t limit_bytes) {
    if (limit_bytes > 0 && is_foldable(n, limit_bytes)) fold_node(g, n);
    return n->dead;
}

static bool inputs_known(const Node *n) {
    for (int k = 0; k < n->n_inputs; k++)
        if (n->inputs[k] && (n->inputs[k]->rank < 0 || n->inputs[k]->dtype == DT_NONE))
            return false;
    return true;
}

static bool check_ports(Graph *g) {
    bool ok = true;
    for (int i = 0; i < g->inputs.n; i++) {
        const Value *v = g->inputs.at[i];
        if (v->rank >= 0 && v->dtype != DT_NONE) continue;
        ok = diag(g->unit, (Place){.node = -1, .name = v->name}, D_SHAPE,
                  "the input's type and shape are not given");
    }
    return ok;
}

static void forget_outputs(Node *n) {
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k]) n->outputs[k]->rank = -1;
}

static void drop_folded(Graph *g) {
    int kept = 0;
    for (int i = 0; i < g->nodes.n; i++)
        if (!g->nodes.at[i]->dead) g->nodes.at[kept++] = g->nodes.at[i];
    g->nodes.n = kept;
}

bool graph_infer(Graph *g, int64_t fold_limit_bytes) {
    Infer f = {g->unit, g};
    int errors = diag_count(g->unit);
    bool ok = check_ports(g);
    for (int i = 0; i < g->nodes.n; i++) {
        Node *n = g->nodes.at[i];
        if (n->dead) continue;
        if (!inputs_known(n) || !infer_node(&f, n)) {
            forget_outputs(n);
            ok = false;
            continue;
        }
        node_fold(g, n, fold_limit_bytes);
    }
    drop_folded(g);
    if (!ok && diag_count(g->unit) == errors)
        BUG(g->unit, "the nodes of '%s' are not in order", g->name);
    return ok;
}
