/* ports.c - tensors for the inputs and outputs of a program: from files, from random numbers, from
 * a run. */
#include "ports.h"

#include "graph_run.h"
#include <inttypes.h>
#include <string.h>

static const char *describe(Arena *a, DType dtype, int rank, const int64_t *dims) {
    Text text = {.arena = a};
    text_add(&text, "%s[", dtypes[dtype].text);
    for (int d = 0; d < rank; d++) text_add(&text, "%s%" PRId64, d ? "," : "", dims[d]);
    text_add(&text, "]");
    return text.at;
}

static bool same_dims(const Tensor *t, const struct sonoc_port *port) {
    for (int d = 0; d < t->rank && d < port->rank; d++)
        if (t->dims[d] != port->dims[d]) return false;
    return t->rank == port->rank;
}

/* 4-bit types come as bytes; NumPy has no name for them. */
static bool same_type(DType given, DType wanted) {
    if (given == wanted) return true;
    if (wanted == DT_I4) return given == DT_I8;
    if (wanted == DT_U4) return given == DT_U8 || given == DT_I4;
    return false;
}

static bool type_fail(Session *s, const Tensor *t, const struct sonoc_port *port) {
    Arena *a = s->unit.arena;
    return diag(&s->unit, NO_PLACE, D_TENSOR_TYPE, port->name,
                describe(a, t->dtype, t->rank, t->dims),
                describe(a, dtype_from_onnx(port->dtype), port->rank, port->dims));
}

static bool read_sets(Session *s, const TextList *files, const char *role, TensorSet *set) {
    for (int i = 0; i < files->n; i++)
        if (!tensor_set_read(&s->unit, files->at[i], role, set)) return false;
    return true;
}

static bool given_input(Session *s, const TensorSet *set, const struct sonoc_port *port,
                        int position, const Tensor **to) {
    *to = tensor_set_find(set, port->name, position);
    if (!*to) return diag(&s->unit, NO_PLACE, D_INPUT_ABSENT, port->name);
    return same_dims(*to, port) && same_type((*to)->dtype, dtype_from_onnx(port->dtype))
               ? true
               : type_fail(s, *to, port);
}

const Tensor **ports_inputs(Session *s, const Model *m) {
    const Tensor **inputs = NEW_ARRAY(s->unit.arena, const Tensor *, m->n_inputs + 1);
    TensorSet set = {0};
    bool is_random = !s->options->inputs.n, ok = read_sets(s, &s->options->inputs, "input", &set);
    if (!ok) return NULL;
    uint64_t state = (uint64_t)s->options->seed.value;
    if (is_random && m->n_inputs)
        diag_note(&s->unit, "no --inputs: the inputs are random, of seed %" PRId64,
                  s->options->seed.value);
    for (int i = 0; i < m->n_inputs; i++) {
        const struct sonoc_port *port = &m->inputs[i];
        if (is_random)
            inputs[i] = tensor_random(s->unit.arena, dtype_from_onnx(port->dtype), port->rank,
                                      port->dims, &state);
        else
            ok &= given_input(s, &set, port, i, &inputs[i]);
    }
    return ok ? inputs : NULL;
}

static bool run(Session *s, Model *m, const void *const *inputs, void *const *outputs) {
    struct sonoc_error error;
    struct sonoc_context *context = sonoc_context_open(m, &error);
    if (context) sonoc_run(context, inputs, outputs, &error);
    sonoc_context_close(context);
    if (error.status == SONOC_LIMIT) escape(&s->unit.escape, STATUS_LIMIT, "%s", error.text);
    return error.status == SONOC_OK || diag(&s->unit, NO_PLACE, D_RUN_FAILED, error.text);
}

const Tensor **ports_run(Session *s, Model *m, const Tensor *const *inputs) {
    Arena *a = s->unit.arena;
    const void **in = NEW_ARRAY(a, const void *, m->n_inputs + 1);
    void **out = NEW_ARRAY(a, void *, m->n_outputs + 1);
    const Tensor **outputs = NEW_ARRAY(a, const Tensor *, m->n_outputs + 1);
    for (int i = 0; i < m->n_inputs; i++) in[i] = inputs[i]->data;
    for (int i = 0; i < m->n_outputs; i++) {
        const struct sonoc_port *port = &m->outputs[i];
        outputs[i] = tensor_new(a, dtype_from_onnx(port->dtype), port->rank, port->dims);
        out[i] = (void *)outputs[i]->data;
    }
    session_stage(s, "running");
    return run(s, m, in, out) ? outputs : NULL;
}

const Tensor **ports_expected(Session *s, const Model *m) {
    const Tensor **expected = NEW_ARRAY(s->unit.arena, const Tensor *, m->n_outputs + 1);
    TensorSet set = {0};
    bool ok = read_sets(s, &s->options->expect, "output", &set);
    for (int i = 0; i < m->n_outputs && ok; i++) {
        const struct sonoc_port *port = &m->outputs[i];
        expected[i] = tensor_set_find(&set, port->name, i);
        if (!expected[i])
            ok = diag(&s->unit, NO_PLACE, D_OUTPUT_ABSENT, port->name);
        else if (!same_dims(expected[i], port) ||
                 (!same_type(expected[i]->dtype, dtype_from_onnx(port->dtype)) &&
                  expected[i]->dtype != DT_F64))
            ok = type_fail(s, expected[i], port);
    }
    return ok ? expected : NULL;
}
