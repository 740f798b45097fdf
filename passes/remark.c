/* remark.c - the count of rewrites, and remarks: what matched, what it saved, what nearly matched.
 *
 * What a rewrite saves is measured, not claimed: the cost of the graph when the next one is asked
 * for, or the pass is done, less the cost when this one was. */
#include "pass_run.h"

#include <stdarg.h>

static int64_t conv_macs(const Node *n) {
    const Value *w = n->inputs[1], *out = n->outputs[0];
    if (!out || w->rank < 2 || value_count(out) < 0 || value_count(w) < 0 || w->dims[0].size < 1)
        return 0;
    return value_count(out) * (value_count(w) / w->dims[0].size);
}

/* Every element of the input meets one filter of each output channel. */
static int64_t conv_transpose_macs(const Node *n) {
    const Value *x = n->inputs[0], *w = n->inputs[1];
    if (w->rank < 2 || value_count(x) < 0 || value_count(w) < 0 || w->dims[0].size < 1) return 0;
    return value_count(x) * (value_count(w) / w->dims[0].size);
}

static int64_t matmul_macs(const Node *n) {
    const Value *a = n->inputs[0], *out = n->outputs[0];
    if (!out || a->rank < 1 || value_count(a) < 0 || value_count(out) < 0) return 0;
    bool transposed = n->op->id == OP_Gemm && node_int(n, "transA");
    return value_count(out) * a->dims[transposed ? 0 : a->rank - 1].size;
}

static int64_t node_macs(const Node *n) {
    if (n->op->id == OP_Conv || n->op->id == OP_DeformConv || n->op->id == OP_BranchDeformConv ||
        n->op->id == OP_PairConv || n->op->id == OP_PairDeformConv)
        return conv_macs(n);
    if (n->op->id == OP_ConvTranspose) return conv_transpose_macs(n);
    if (n->op->id == OP_MatMul || n->op->id == OP_Gemm) return matmul_macs(n);
    return 0;
}

static void add_node(GraphCost *cost, const Node *n) {
    cost->nodes++;
    cost->macs += node_macs(n);
    for (int k = 0; k < n->n_outputs; k++) {
        int64_t count = n->outputs[k] ? value_count(n->outputs[k]) : 0;
        if (count > 0) cost->bytes += count * dtypes[n->outputs[k]->dtype].bytes;
    }
}

/* Walks the producers of the outputs, so that it does not matter whether the graph was swept or is
 * in order. */
GraphCost graph_cost(const Graph *g) {
    Arena *a = g->unit->arena;
    ArenaMark mark = arena_mark(a);
    bool *seen = NEW_ARRAY(a, bool, g->values.n + 1);
    VEC(const Value *) stack = {0};
    Map counted = {.arena = a};
    GraphCost cost = {0};
    for (int i = 0; i < g->outputs.n; i++) vec_push(a, &stack, g->outputs.at[i]);
    while (stack.n) {
        const Value *v = stack.at[--stack.n];
        const Node *n = v->producer;
        if (seen[v->id] || !n || map_get(&counted, (uintptr_t)n)) continue;
        seen[v->id] = true;
        map_set(&counted, (uintptr_t)n, (void *)n);
        add_node(&cost, n);
        for (int k = 0; k < n->n_inputs; k++)
            if (n->inputs[k]) vec_push(a, &stack, n->inputs[k]);
    }
    arena_release(a, mark);
    return cost;
}

void remarks_close(Graph *g, const PassOptions *options) {
    PassRun *run = options->run;
    if (!run || run->open_at < 0) return;
    GraphCost after = graph_cost(g);
    options->report->remarks.at[run->open_at].saved = (GraphCost){
        run->before.nodes - after.nodes,
        run->before.macs - after.macs,
        run->before.bytes - after.bytes,
    };
    run->open_at = -1;
}

static const char *name_of(const Node *n) {
    if (!n) return "";
    if (*n->name) return n->name;
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k]) return n->outputs[k]->name;
    return "";
}

static bool wants_remarks(const PassOptions *options) {
    return options->run && options->report && options->want_remarks;
}

static void add_remark(const PassOptions *options, Arena *a, RemarkKind kind, const Node *at,
                       const char *text) {
    Remark r = {.kind = kind,
                .pass = options->run->step->pass->name,
                .node = name_of(at),
                .op = at ? at->op->name : "",
                .text = text,
                .rewrite = kind == REMARK_MATCHED ? options->run->asked : 0};
    vec_push(a, &options->report->remarks, r);
}

static void tell_last(const PassOptions *options) {
    PassReport *r = options->report;
    if (!r) return;
    r->last_pass = options->run->step->pass->name;
    r->last_node = options->run->last_node;
    r->last_op = options->run->last_op;
}

bool rewrite_allowed(Graph *g, const PassOptions *options, const Node *at) {
    PassRun *run = options->run;
    if (!run) return true;
    remarks_close(g, options);
    run->asked++;
    if (options->report) options->report->rewrites = run->asked;
    if (options->limited && run->asked > options->rewrite_limit) return false;
    run->last_node = name_of(at);
    run->last_op = at ? at->op->name : "";
    tell_last(options);
    if (!wants_remarks(options)) return true;
    run->before = graph_cost(g);
    run->open_at = options->report->remarks.n;
    add_remark(options, g->unit->arena, REMARK_MATCHED, at, "rewritten");
    return true;
}

/* The remark of a rewrite takes the place of the one that rewrite_allowed made. */
void remark(Graph *g, const PassOptions *options, RemarkKind kind, const Node *at,
            const char *format, ...) {
    if (!wants_remarks(options)) return;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *kept = arena_format(g->unit->arena, "%s", text);
    if (kind == REMARK_MATCHED && options->run->open_at >= 0)
        options->report->remarks.at[options->run->open_at].text = kept;
    else
        add_remark(options, g->unit->arena, kind, at, kept);
}
