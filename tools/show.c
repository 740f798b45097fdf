/* show.c - sonoc show: what a model is and what it costs. */
#include "command.h"

#include "custom.h"
#include "json.h"
#include <inttypes.h>

typedef struct Totals {
    int64_t macs, constant_bytes;
} Totals;

static Totals totals_of(const Program *p) {
    Totals t = {0};
    for (int i = 0; i < p->kernels.n; i++) t.macs += p->kernels.at[i]->macs;
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *b = p->buffers.at[i];
        if (b->kind == BUF_CONST) t.constant_bytes += buffer_bytes(b);
    }
    return t;
}

/* Operators of the file, by the order of the table; those that are registered come after. */
typedef struct Census {
    const OpInfo **ops;
    int *counts;
    int n, nodes;
} Census;

static Census census_of(const Unit *u) {
    Census c = {.n = OP_COUNT + registry_ops(u)};
    c.ops = NEW_ARRAY(u->arena, const OpInfo *, c.n);
    c.counts = NEW_ARRAY(u->arena, int, c.n);
    for (int i = 0; i < c.n; i++)
        c.ops[i] = i < OP_COUNT ? &op_infos[i] : registry_op(u, i - OP_COUNT);
    return c;
}

static int *count_of(const Census *c, const OpInfo *op) {
    int i = op->custom ? OP_COUNT : (int)op->id;
    while (c->ops[i] != op) i++;
    return &c->counts[i];
}

static void count_nodes(const Graph *g, Census *c) {
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        if (n->dead) continue;
        c->nodes++;
        ++*count_of(c, n->op);
    }
}

/* Numbers that a training run could have made: the floating-point constants in use. */
static int64_t count_parameters(const Graph *g) {
    int64_t n = 0;
    for (int i = 0; i < g->values.n; i++) {
        const Value *v = g->values.at[i];
        if (v->constant && v->n_uses && dtype_is_float(v->constant->dtype)) n += v->constant->count;
    }
    return n;
}

static void print_ports(const char *title, const Port *ports, int n) {
    printf("%s\n", title);
    for (int i = 0; i < n; i++) {
        printf("  %s: %s[", ports[i].name, dtypes[ports[i].dtype].text);
        for (int d = 0; d < ports[i].rank; d++)
            printf("%s%" PRId64, d ? "," : "", ports[i].dims[d]);
        printf("]\n");
    }
}

static void print_variants(const Program *p) {
    if (p->chosen.n) printf("variants        estimated ms\n");
    for (int i = 0; i < p->chosen.n; i++) {
        const Chosen *c = &p->chosen.at[i];
        printf("  %-14s %11.3f  %s\n", c->variant, 1e-6 * effort_nanoseconds(&c->effort),
               c->kernel->name);
    }
}

static void json_variants(Json *j, const Program *p) {
    json_begin(j, "variants", '[');
    for (int i = 0; i < p->chosen.n; i++) {
        const Chosen *c = &p->chosen.at[i];
        json_begin(j, NULL, '{');
        json_text(j, "kernel", c->kernel->name);
        json_text(j, "node", c->node);
        json_text(j, "variant", c->variant);
        json_real(j, "estimated_ms", 1e-6 * effort_nanoseconds(&c->effort));
        json_end(j, '}');
    }
    json_end(j, ']');
}

static void print_text(const Session *s, const Program *p, const Census *before,
                       const Census *after) {
    Totals t = totals_of(p);
    print_ports("inputs", p->inputs.at, p->inputs.n);
    print_ports("outputs", p->outputs.at, p->outputs.n);
    printf("operators\n");
    for (int i = 0; i < before->n; i++)
        if (before->counts[i]) printf("  %-24s %6d\n", before->ops[i]->name, before->counts[i]);
    printf("nodes           %d in the file, %d after the passes\n", before->nodes, after->nodes);
    printf("parameters      %" PRId64 "\n", count_parameters(s->graph));
    printf("multiply-adds   %" PRId64 "\n", t.macs);
    printf("kernels         %d\n", p->kernels.n);
    printf("constants       %" PRId64 " bytes\n", t.constant_bytes);
    printf("arena           %" PRId64 " bytes\n", p->arena_bytes);
    print_variants(p);
}

static void json_ports(Json *j, const char *key, const Port *ports, int n) {
    json_begin(j, key, '[');
    for (int i = 0; i < n; i++) {
        json_begin(j, NULL, '{');
        json_text(j, "name", ports[i].name);
        json_text(j, "dtype", dtypes[ports[i].dtype].text);
        json_begin(j, "dims", '[');
        for (int d = 0; d < ports[i].rank; d++) json_int(j, NULL, ports[i].dims[d]);
        json_end(j, ']');
        json_end(j, '}');
    }
    json_end(j, ']');
}

static void print_json(const Session *s, const Program *p, const Census *before,
                       const Census *after) {
    Totals t = totals_of(p);
    Json j = {.out = stdout};
    json_begin(&j, NULL, '{');
    json_int(&j, "version", 1);
    json_ports(&j, "inputs", p->inputs.at, p->inputs.n);
    json_ports(&j, "outputs", p->outputs.at, p->outputs.n);
    json_begin(&j, "operators", '{');
    for (int i = 0; i < before->n; i++)
        if (before->counts[i]) json_int(&j, before->ops[i]->name, before->counts[i]);
    json_end(&j, '}');
    json_int(&j, "nodes", before->nodes);
    json_int(&j, "nodes_after_passes", after->nodes);
    json_int(&j, "parameters", count_parameters(s->graph));
    json_int(&j, "multiply_adds", t.macs);
    json_int(&j, "kernels", p->kernels.n);
    json_int(&j, "constant_bytes", t.constant_bytes);
    json_int(&j, "arena_bytes", p->arena_bytes);
    json_variants(&j, p);
    json_end(&j, '}');
}

int command_show(Session *s) {
    Census before = census_of(&s->unit), after = census_of(&s->unit);
    if (!pipeline_import(s)) return diag_status(&s->unit);
    count_nodes(s->graph, &before);
    if (!pipeline_passes(s)) return diag_status(&s->unit);
    count_nodes(s->graph, &after);
    Program *p = pipeline_program(s, false);
    if (!p) return diag_status(&s->unit);
    session_stage(s, NULL);
    (s->options->json ? print_json : print_text)(s, p, &before, &after);
    return STATUS_OK;
}
