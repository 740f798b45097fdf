/* lower.c - graph IR to loop IR: the walk over the nodes and the kernels around their loops.
 *
 * lower_decide plans first; then every root node builds its kernels, in node order, a root with an
 * epilogue at the place of its last epilogue node (whose other inputs are computed by then). */
#include "lower_plan.h"

#include <ctype.h>
#include <string.h>

static const char *kernel_name(Lower *l, const Node *n, const char *suffix) {
    const char *given = n->name && *n->name ? n->name : n->outputs[0] ? n->outputs[0]->name : "";
    Text t = {.arena = l->unit->arena};
    text_add(&t, "%s", "");
    if (isdigit((unsigned char)given[0])) text_add(&t, "%s_", n->op->name);
    for (const char *c = given; *c; c++)
        if (isalnum((unsigned char)*c))
            text_add(&t, "%c", *c);
        else if (t.n && t.at[t.n - 1] != '_')
            text_add(&t, "_");
    while (t.n && t.at[t.n - 1] == '_') t.at[--t.n] = 0;
    if (!t.n) text_add(&t, "%s", n->op->name);
    if (suffix) text_add(&t, "_%s", suffix);
    const char *name = name_intern(l->unit->names, t.at);
    for (int i = 2; map_get(&l->plan->kernel_names, (uintptr_t)name); i++)
        name = name_intern(l->unit->names, arena_format(l->unit->arena, "%s_%d", t.at, i));
    map_set(&l->plan->kernel_names, (uintptr_t)name, l);
    return name;
}

static void add_dims(Text *t, const Value *v) {
    text_add(t, "%s[", dtypes[v->dtype].text);
    for (int d = 0; d < v->rank; d++)
        text_add(t, "%s%lld", d ? "," : "", (long long)v->dims[d].size);
    text_add(t, "]");
}

static void add_node(Text *t, const Node *n) {
    text_add(t, "%s", n->op->name);
    if (n->name && *n->name) text_add(t, " '%s'", n->name);
}

/* "Conv 'conv1' by product + Relu 'relu1' into Concat 'joined'" */
static void add_chain(Lower *l, Text *t, const Node *n) {
    const Variant *v = lower_variant(l, n);
    add_node(t, n);
    if (v) text_add(t, " by %s", v->name);
    const Value *out = n->outputs[0];
    for (const Node *e; out && (e = value_plan(l, out)->epilogue); out = e->outputs[0]) {
        text_add(t, " + ");
        add_node(t, e);
    }
    const Node *container = out ? value_plan(l, out)->container : NULL;
    if (!container) return;
    text_add(t, " into ");
    add_node(t, container);
}

/* "Conv 'conv1' by product + Relu 'relu1': f32[1,64,128,128] <- f32[1,3,256,256]" */
static const char *kernel_comment(Lower *l, const Node *n) {
    Text t = {.arena = l->unit->arena};
    add_chain(l, &t, n);
    for (const Node *m = n; (m = node_plan(l, m)->next);) {
        text_add(&t, " and ");
        add_chain(l, &t, m);
    }
    text_add(&t, ": ");
    if (n->outputs[0]) add_dims(&t, final_value(l, n->outputs[0]));
    for (int k = 0; k < n->n_inputs; k++) {
        if (!n->inputs[k]) continue;
        text_add(&t, k ? ", " : " <- ");
        add_dims(&t, n->inputs[k]);
    }
    return t.at;
}

static void fill_halos(Lower *l, const Node *n) {
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k]) storage_fill_halo(l, final_value(l, n->outputs[k]));
}

typedef struct Traffic {
    const Program *program;
    int64_t bytes;
    bool *seen;
} Traffic;

static void count_traffic(const Buffer *b, bool is_write, void *context) {
    Traffic *t = context;
    (void)is_write;
    if (buffer_is_declared(b) || t->seen[b->id]) return;
    t->seen[b->id] = true;
    t->bytes += b->count * dtypes[b->type].bytes;
}

static void end_pending(Lower *l) {
    LowerPlan *p = l->plan;
    Kernel *k = p->pending ? builder_end(p->pending) : NULL;
    int64_t macs = p->pending_macs;
    p->pending = NULL;
    p->pending_macs = 0;
    if (!k) return;
    Traffic t = {.program = l->program,
                 .seen = NEW_ARRAY(l->unit->arena, bool, l->program->buffers.n)};
    kernel_visit_buffers(k, count_traffic, &t);
    k->bytes = t.bytes;
    k->macs += macs;
}

/* Opens the pending kernel again: an operator tells its multiply-adds as of a new one. */
static void go_on(Lower *l, const Node *n) {
    LowerPlan *p = l->plan;
    l->b = p->pending;
    p->pending = NULL;
    Kernel *k = builder_kernel(l->b);
    k->comment = arena_format(l->unit->arena, "%s; then %s", k->comment, kernel_comment(l, n));
    p->pending_macs += k->macs;
    k->macs = 0;
}

/* For whoever asks how the kernel's node is computed. */
static void note_choice(Lower *l, const Node *n) {
    const NodePlan *p = node_plan(l, n);
    if (!p->variant) return;
    Chosen c = {builder_kernel(l->b), (int)(p - l->plan->nodes),
                variant_node_text(l->unit->arena, n), p->variant->name, p->effort};
    vec_push(l->unit->arena, &l->program->chosen, c);
}

void lower_begin_kernel(Lower *l, const Node *n, const char *suffix) {
    LowerPlan *p = l->plan;
    if (l->b) BUG(l->unit, "kernel of '%s' begins inside another", n->name);
    bool is_first = p->pending && p->pending_root != p->root;
    if (is_first && !suffix && p->nodes[node_plan(l, p->root)->kernel_at].continues) {
        go_on(l, n);
    } else {
        end_pending(l);
        l->b = builder_begin(l->program, kernel_name(l, n, suffix));
        builder_kernel(l->b)->comment = kernel_comment(l, n);
    }
    memo_reset(l);
    if (suffix && !strcmp(suffix, "pack")) return;
    note_choice(l, n);
    for (; n; n = node_plan(l, n)->next) fill_halos(l, n);
}

void lower_end_kernel(Lower *l) {
    l->plan->pending = l->b;
    l->plan->pending_root = l->plan->root;
    l->b = NULL;
}

typedef struct Element {
    const Node *node;
    int output;
    const int64_t *shift;
    const Value *from;
} Element;

static void store_element(Lower *l, const Expr *const *index, void *context) {
    const Element *e = context;
    lower_store(l, e->node->outputs[e->output], index, lower_element(l, e->node, e->output, index));
}

/* One input of a concatenation, copied to its place. */
static void store_piece(Lower *l, const Expr *const *index, void *context) {
    const Element *e = context;
    const Expr *at[MAX_RANK];
    for (int d = 0; d < e->from->rank; d++)
        at[d] = ex_add(l->b, index[d], ex_index(l->b, e->shift[d]));
    lower_store(l, e->node->outputs[0], at, lower_load(l, e->from, index));
}

/* Input k of a concatenation, which begins at `at`, was stored there by who computed it. */
static bool lies_inside(Lower *l, const Node *n, int k, int64_t at) {
    const ValuePlan *p = value_plan(l, n->inputs[k]);
    return p->container == n && p->container_at == at;
}

static void lower_pieces(Lower *l, const Node *n) {
    const Value *out = n->outputs[0];
    int axis = concat_axis(n);
    int64_t shift[MAX_RANK] = {0}, dims[MAX_RANK];
    storage_make(l, out);
    const int64_t *stride = value_plan(l, out)->storage.stride;
    for (int k = 0; k < n->n_inputs; k++) {
        Element e = {.node = n, .shift = shift, .from = n->inputs[k]};
        for (int d = 0; d < out->rank; d++) dims[d] = e.from->dims[d].size;
        if (!lies_inside(l, n, k, shift[axis]))
            lower_for_each_dim(l, out->rank, dims, stride, store_piece, &e);
        shift[axis] += dims[axis];
    }
}

/* All its inputs are where they belong. */
bool is_in_place(Lower *l, const Node *n) {
    int64_t at = 0;
    if (n->op->id != OP_Concat || l->plan->options->plain) return false;
    for (int k = 0; k < n->n_inputs; k++) {
        if (!lies_inside(l, n, k, at)) return false;
        at += n->inputs[k]->dims[concat_axis(n)].size;
    }
    return true;
}

static void lower_composed(Lower *l, const Node *n) {
    if (is_in_place(l, n)) return;
    lower_begin_kernel(l, n, NULL);
    for (int k = 0; k < n->n_outputs; k++) {
        if (!n->outputs[k] || !value_plan(l, n->outputs[k])->stored) continue;
        if (n->op->id == OP_Concat && !l->plan->options->plain) {
            lower_pieces(l, n);
            continue;
        }
        Element e = {.node = n, .output = k};
        lower_for_each(l, n->outputs[k], store_element, &e);
    }
    lower_end_kernel(l);
}

static void lower_node(Lower *l, Node *n) {
    l->plan->root = n;
    switch (n->op->kind) {
    case OK_ELEM:
    case OK_MOVE: lower_composed(l, n); break;
    case OK_REDUCE: lower_reduce(l, n); break;
    case OK_CODE: n->op->code(l, n); break;
    case OK_EXPAND: BUG(l->unit, "%s '%s' was not expanded", n->op->name, n->name);
    }
    if (l->b) BUG(l->unit, "%s '%s' leaves its kernel open", n->op->name, n->name);
}

static void add_port(Lower *l, const Value *v, BufferKind kind) {
    Port port = {.name = v->name, .dtype = v->dtype, .rank = v->rank};
    int64_t *dims = NEW_ARRAY(l->unit->arena, int64_t, v->rank + 1);
    for (int d = 0; d < v->rank; d++) dims[d] = v->dims[d].size;
    port.dims = dims;
    port.buffer = program_add_buffer(l->program, v->name, v->dtype, value_count(v), kind);
    if (kind == BUF_INPUT)
        vec_push(l->unit->arena, &l->program->inputs, port);
    else
        vec_push(l->unit->arena, &l->program->outputs, port);
}

/* Outputs that no kernel writes: a program input, a constant, or a value that is an output
 * twice. */

typedef struct Copy {
    const Value *value;
    Buffer *to;
} Copy;

static void copy_out(Lower *l, const Expr *const *index, void *context) {
    const Copy *c = context;
    const Expr *flat = ex_index(l->b, 0);
    for (int d = 0; d < c->value->rank; d++) {
        flat = ex_offset(l->b, flat, c->value->dims[d].size, index[d]);
    }
    st_store(l->b, c->to, flat, lower_load(l, c->value, index));
}

static void copy_output(Lower *l, int i) {
    Copy c = {.value = l->graph->outputs.at[i], .to = l->program->outputs.at[i].buffer};
    const ValuePlan *p = value_plan(l, c.value);
    int64_t dims[MAX_RANK], stride[MAX_RANK], step = 1;
    if (p->has_storage && p->storage.buffer == c.to) return;
    for (int d = c.value->rank - 1; d >= 0; d--) {
        dims[d] = c.value->dims[d].size;
        stride[d] = step;
        step *= dims[d];
    }
    end_pending(l);
    const char *name = arena_format(l->unit->arena, "copy_output_%d", i);
    l->b = builder_begin(l->program, name_intern(l->unit->names, name));
    builder_kernel(l->b)->comment =
        arena_format(l->unit->arena, "copy to output '%s'", c.value->name);
    memo_reset(l);
    lower_for_each_dim(l, c.value->rank, dims, stride, copy_out, &c);
    lower_end_kernel(l);
}

static bool check_static(const Graph *g) {
    bool ok = true;
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        for (int k = 0; k < n->n_outputs; k++) {
            const Value *v = n->outputs[k];
            if (v && (v->rank < 0 || value_count(v) < 0))
                ok = diag(g->unit, node_place(n), D_DYNAMIC_SHAPE, v->name);
        }
    }
    return ok;
}

static Lower lower_begin(Graph *g, const LowerOptions *options) {
    Lower l = {.unit = g->unit, .graph = g};
    Arena *a = g->unit->arena;
    l.program = program_new(g->unit, options->name, options->target);
    l.plan = NEW(a, LowerPlan);
    l.plan->options = options;
    l.plan->values = NEW_ARRAY(a, ValuePlan, g->values.n);
    l.plan->nodes = NEW_ARRAY(a, NodePlan, g->nodes.n);
    l.plan->node_index.arena = l.plan->kernel_names.arena = a;
    for (int i = 0; i < g->nodes.n; i++)
        map_set(&l.plan->node_index, (uintptr_t)g->nodes.at[i], (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < g->inputs.n; i++) add_port(&l, g->inputs.at[i], BUF_INPUT);
    for (int i = 0; i < g->outputs.n; i++) add_port(&l, g->outputs.at[i], BUF_OUTPUT);
    return l;
}

Program *lower_graph(Graph *g, const LowerOptions *options) {
    graph_count_uses(g);
    if (!check_static(g)) return NULL;
    Lower l = lower_begin(g, options);
    if (!lower_choose(&l)) return NULL;
    lower_decide(&l);
    for (int i = 0; i < g->nodes.n; i++)
        if (l.plan->nodes[i].lower_here) lower_node(&l, (Node *)l.plan->nodes[i].lower_here);
    for (int i = 0; i < g->outputs.n; i++) copy_output(&l, i);
    end_pending(&l);
    if (!options->make_later) program_make_constants(l.program);
    return l.program;
}
