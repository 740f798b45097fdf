/* reference.c - runs a registered operator's reference function: for a model that is one such
 * node. */
#include "reference.h"

#include "custom.h"
#include "infer.h"
#include <string.h>

static bool refuse(Session *s, const char *why) {
    diag(&s->unit, NO_PLACE, D_UNSUPPORTED, why);
    return false;
}

Graph *reference_graph(Session *s) {
    Graph *g = pipeline_import(s);
    s->graph = NULL;
    if (!g || !graph_infer(g, 0)) return NULL;
    const OpInfo *op = g->nodes.n == 1 ? g->nodes.at[0]->op : NULL;
    if (op && op->custom) return g;
    refuse(s, "--reference is for a model that is one node of a registered operator");
    return NULL;
}

/* Functions in plain C read elements where they lie, so they lie as C wants them. */
static const Tensor *aligned(Session *s, const Tensor *t) {
    Tensor *copy = tensor_new(s->unit.arena, t->dtype, t->rank, t->dims);
    size_t bytes = (size_t)t->count * (size_t)dtypes[t->dtype].bytes;
    if (bytes) memcpy((void *)(uintptr_t)copy->data, t->data, bytes);
    return copy;
}

static const Tensor *input_of(Session *s, const Model *m, const Value *v,
                              const Tensor *const *inputs) {
    if (!v) return NULL;
    if (v->constant) return aligned(s, v->constant);
    for (int i = 0; i < m->n_inputs; i++)
        if (!strcmp(m->inputs[i].name, v->name)) return aligned(s, inputs[i]);
    BUG(&s->unit, "'%s' is no input of the program", v->name);
}

static Tensor *room_for(Session *s, const Value *v) {
    int64_t dims[MAX_RANK];
    for (int d = 0; v && d < v->rank; d++) dims[d] = v->dims[d].size;
    return v ? tensor_new(s->unit.arena, v->dtype, v->rank, dims) : NULL;
}

static const Tensor *output_of(const Node *n, Tensor *const *results,
                               const struct sonoc_port *port) {
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k] && !strcmp(n->outputs[k]->name, port->name)) return results[k];
    return NULL;
}

const Tensor **reference_run(Session *s, const Graph *g, const Model *m,
                             const Tensor *const *inputs) {
    Arena *a = s->unit.arena;
    Node *n = g->nodes.at[0];
    const Tensor **given = NEW_ARRAY(a, const Tensor *, n->n_inputs);
    Tensor **results = NEW_ARRAY(a, Tensor *, n->n_outputs);
    for (int k = 0; k < n->n_inputs; k++) given[k] = input_of(s, m, n->inputs[k], inputs);
    for (int k = 0; k < n->n_outputs; k++) results[k] = room_for(s, n->outputs[k]);
    if (!node_reference(&s->unit, n, given, results))
        return refuse(s, "the operator has no reference function"), NULL;
    const Tensor **outputs = NEW_ARRAY(a, const Tensor *, m->n_outputs + 1);
    for (int i = 0; i < m->n_outputs; i++) outputs[i] = output_of(n, results, &m->outputs[i]);
    for (int i = 0; i < m->n_outputs; i++)
        if (!outputs[i]) return refuse(s, "an output of the model is none of the node"), NULL;
    return outputs;
}
