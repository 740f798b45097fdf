/* graph_wide.c - the float64 twin of a graph: what it would give without the rounding of narrow
 * floats. */
#include "graph_run.h"

#include <string.h>

static const Tensor *widen(Arena *a, const Tensor *t) {
    if (!dtype_is_float(t->dtype) || t->dtype == DT_F64) return t;
    Tensor *wide = tensor_new(a, DT_F64, t->rank, t->dims);
    for (int64_t i = 0; i < t->count; i++) ((double *)wide->data)[i] = tensor_get_double(t, i);
    return wide;
}

/* What the operator takes as f32 whatever its data are: Resize's region and scales. */
static bool stays_narrow(const Node *n, int k) {
    return n->op->id == OP_Resize && (k == 1 || k == 2);
}

static Value *narrow_copy(Graph *g, const Value *v) {
    return graph_add_constant(g, v->name, v->constant);
}

/* Attributes that name a type of floats: they name float64. */
static void widen_type(Attr *attr) {
    static const char *const names[] = {"to", "dtype", "stash_type", "softmax_precision",
                                        "output_dtype"};
    if (attr->kind != AT_INT || attr->u.i <= 0 || attr->u.i > INT32_MAX) return;
    bool is_float = dtype_is_float(dtype_from_onnx((int)attr->u.i));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_float && !strcmp(attr->name, names[i])) attr->u.i = dtypes[DT_F64].onnx;
}

static void widen_node(Graph *g, Node *n) {
    for (int k = 0; k < n->n_inputs; k++)
        if (stays_narrow(n, k) && n->inputs[k] && n->inputs[k]->constant)
            n->inputs[k] = narrow_copy(g, n->inputs[k]);
    for (int k = 0; k < n->n_attrs; k++) {
        widen_type(&n->attrs[k]);
        if (n->attrs[k].kind == AT_TENSOR)
            n->attrs[k].u.tensor = widen(g->unit->arena, n->attrs[k].u.tensor);
    }
    for (int k = 0; k < n->n_outputs; k++) {
        if (!n->outputs[k]) continue;
        n->outputs[k]->rank = -1;
        n->outputs[k]->dtype = DT_NONE;
    }
}

void graph_widen(Graph *g) {
    int n_values = g->values.n; /* the narrow copies come after them */
    for (int i = 0; i < g->nodes.n; i++) widen_node(g, g->nodes.at[i]);
    for (int i = 0; i < n_values; i++) {
        Value *v = g->values.at[i];
        if (v->constant) v->constant = widen(g->unit->arena, v->constant);
        if ((v->constant || v->is_input) && dtype_is_float(v->dtype)) v->dtype = DT_F64;
    }
}
