/* lower_run.c - a graph on the interpreter: inferred, expanded, lowered, run. */
#include "graph_run.h"

#include "infer.h"
#include "interp.h"
#include "lower.h"
#include <string.h>

static const int64_t FOLD_LIMIT = 256 << 20;

static Program *program_of(Unit *u, const Graph *g, bool wide) {
    Graph *own = graph_copy(u, g);
    if (wide) graph_widen(own);
    if (!graph_infer(own, FOLD_LIMIT) || !graph_expand(own) || !graph_infer(own, FOLD_LIMIT))
        return NULL;
    graph_sweep(own);
    Program *p =
        lower_graph(own, &(LowerOptions){.target = target_find("x86-64-v4"), .name = "run"});
    if (p) program_plan(p);
    return p;
}

static const Tensor *as_type(Arena *a, const Tensor *t, DType dtype) {
    if (t->dtype == dtype) return t;
    Tensor *wide = tensor_new(a, dtype, t->rank, t->dims);
    for (int64_t i = 0; i < t->count; i++) ((double *)wide->data)[i] = tensor_get_double(t, i);
    return wide;
}

/* The inputs of the program are those of the graph. */
static const char *run_program(Arena *a, Unit *u, const Program *p, const Tensor *const *inputs,
                               const Tensor **outputs) {
    const void **in = NEW_ARRAY(u->arena, const void *, p->inputs.n + 1);
    void **out = NEW_ARRAY(u->arena, void *, p->outputs.n + 1);
    for (int i = 0; i < p->inputs.n; i++)
        in[i] = as_type(u->arena, inputs[i], p->inputs.at[i].dtype)->data;
    for (int i = 0; i < p->outputs.n; i++) {
        const Port *port = &p->outputs.at[i];
        outputs[i] = tensor_new(a, port->dtype, port->rank, port->dims);
        out[i] = (void *)outputs[i]->data;
    }
    InterpError error;
    return interp_run(p, in, out, &error) ? NULL : arena_format(a, "%s", error.message);
}

const Tensor **graph_run(Arena *a, const Graph *g, const Tensor *const *inputs, bool wide,
                         const char **why) {
    Unit apart;
    const Tensor **outputs = NEW_ARRAY(a, const Tensor *, g->outputs.n + 1);
    *why = "out of memory";
    if (!unit_begin_apart(&apart, g->unit, 0)) return NULL;
    if (setjmp(apart.escape.jump)) {
        *why = arena_format(a, "%s", apart.escape.message);
    } else {
        const Program *p = program_of(&apart, g, wide);
        *why = p ? run_program(a, &apart, p, inputs, outputs)
                 : arena_format(a, "%s", diag_first(&apart));
    }
    unit_end(&apart);
    return *why ? NULL : outputs;
}
