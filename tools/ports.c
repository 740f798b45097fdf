/* ports.c - tensors for the inputs and outputs of a program: from files, from random numbers, from a run. */
#include "ports.h"

#include "backend.h"
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

static bool same_dims(const Tensor *t, const Port *port) {
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

static bool type_fail(Session *s, const Tensor *t, const Port *port) {
    Arena *a = s->unit.arena;
    return diag(&s->unit, NO_PLACE, D_TENSOR_TYPE, port->name, describe(a, t->dtype, t->rank, t->dims),
                describe(a, port->dtype, port->rank, port->dims));
}

static bool read_sets(Session *s, const TextList *files, const char *role, TensorSet *set) {
    for (int i = 0; i < files->n; i++)
        if (!tensor_set_read(&s->unit, files->at[i], role, set)) return false;
    return true;
}

static bool given_input(Session *s, const TensorSet *set, const Port *port, int position, const Tensor **to) {
    *to = tensor_set_find(set, port->name, position);
    if (!*to) return diag(&s->unit, NO_PLACE, D_INPUT_ABSENT, port->name);
    return same_dims(*to, port) && same_type((*to)->dtype, port->dtype) ? true : type_fail(s, *to, port);
}

const Tensor **ports_inputs(Session *s, const Program *p) {
    const Tensor **inputs = NEW_ARRAY(s->unit.arena, const Tensor *, p->inputs.n + 1);
    TensorSet set = {0};
    bool is_random = !s->options->inputs.n, ok = read_sets(s, &s->options->inputs, "input", &set);
    if (!ok) return NULL;
    uint64_t state = (uint64_t)s->options->seed.value;
    if (is_random && p->inputs.n)
        diag_note(&s->unit, "no --inputs: the inputs are random, of seed %" PRId64, s->options->seed.value);
    for (int i = 0; i < p->inputs.n; i++) {
        const Port *port = &p->inputs.at[i];
        if (is_random)
            inputs[i] = tensor_random(s->unit.arena, port->dtype, port->rank, port->dims, &state);
        else
            ok &= given_input(s, &set, port, i, &inputs[i]);
    }
    return ok ? inputs : NULL;
}

const Tensor **ports_run(Session *s, const Program *p, const char *backend, const Tensor *const *inputs) {
    Arena *a = s->unit.arena;
    const void **in = NEW_ARRAY(a, const void *, p->inputs.n + 1);
    void **out = NEW_ARRAY(a, void *, p->outputs.n + 1);
    const Tensor **outputs = NEW_ARRAY(a, const Tensor *, p->outputs.n + 1);
    for (int i = 0; i < p->inputs.n; i++) in[i] = inputs[i]->data;
    for (int i = 0; i < p->outputs.n; i++) {
        const Port *port = &p->outputs.at[i];
        outputs[i] = tensor_new(a, port->dtype, port->rank, port->dims);
        out[i] = (void *)outputs[i]->data;
    }
    RunError error = {0};
    session_stage(s, "running");
    if (backend_run(backend_find(backend), p, s->options->cc, in, out, &error)) return outputs;
    diag(&s->unit, NO_PLACE, D_RUN_FAILED, backend, error.message);
    return NULL;
}

const Tensor **ports_expected(Session *s, const Program *p) {
    const Tensor **expected = NEW_ARRAY(s->unit.arena, const Tensor *, p->outputs.n + 1);
    TensorSet set = {0};
    bool ok = read_sets(s, &s->options->expect, "output", &set);
    for (int i = 0; i < p->outputs.n && ok; i++) {
        const Port *port = &p->outputs.at[i];
        expected[i] = tensor_set_find(&set, port->name, i);
        if (!expected[i])
            ok = diag(&s->unit, NO_PLACE, D_OUTPUT_ABSENT, port->name);
        else if (!same_dims(expected[i], port) ||
                 (!same_type(expected[i]->dtype, port->dtype) && expected[i]->dtype != DT_F64))
            ok = type_fail(s, expected[i], port);
    }
    return ok ? expected : NULL;
}
