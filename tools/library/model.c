/* model.c - what a model is made of, and what can be asked about it. */
#include "model.h"

#include <stdarg.h>
#include <string.h>

void error_clear(struct sonoc_error *error) {
    if (error) *error = (struct sonoc_error){0};
}

enum sonoc_status error_set(struct sonoc_error *error, enum sonoc_status status, const char *format,
                            ...) {
    va_list args;
    if (!error) return status;
    error->status = status;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return status;
}

static struct sonoc_port *ports_of(Arena *a, const Port *ports, int n) {
    struct sonoc_port *list = NEW_ARRAY(a, struct sonoc_port, n + 1);
    for (int i = 0; i < n; i++) {
        const Port *p = &ports[i];
        size_t count = (size_t)p->buffer->count;
        list[i] = (struct sonoc_port){p->name, dtypes[p->dtype].onnx,
                                      p->rank, p->dims,
                                      count,   count * (size_t)dtypes[p->dtype].bytes};
    }
    return list;
}

void model_fill(struct sonoc_model *m, const char *backend) {
    const Program *p = m->program;
    m->backend = backend_find(backend);
    m->arena_bytes = (size_t)p->arena_bytes;
    m->scratch_bytes = (size_t)p->scratch_bytes;
    m->n_inputs = p->inputs.n;
    m->n_outputs = p->outputs.n;
    m->inputs = ports_of(m->unit->arena, p->inputs.at, p->inputs.n);
    m->outputs = ports_of(m->unit->arena, p->outputs.at, p->outputs.n);
}

bool model_failed(const struct sonoc_model *m, const RunError *error) {
    const char *why =
        arena_format(m->unit->arena, "backend %s: %s", m->backend->name, error->message);
    return diag(m->unit, NO_PLACE, D_RUN_FAILED, why);
}

bool model_open_program(struct sonoc_model *m, const char *backend, const char *options) {
    RunError error = {0};
    model_fill(m, backend);
    m->opened = m->backend->open(m->program, options, &error);
    return m->opened || model_failed(m, &error);
}

struct sonoc_model *model_in(Unit *u) {
    struct sonoc_model *m = NEW(u->arena, struct sonoc_model);
    m->unit = u;
    m->memory = arena_allocator(u->arena);
    atomic_init(&m->users, 1);
    return m;
}

const char *sonoc_version(void) { return SONOC_VERSION; }

const char *sonoc_backend(int i) {
    for (int k = 0; k < i && backends[k].name; k++)
        if (!backends[k + 1].name) return NULL;
    return i < 0 ? NULL : backends[i].name;
}

const char *sonoc_dtype_name(int dtype) {
    DType t = dtype_from_onnx(dtype);
    return t ? dtypes[t].text : NULL;
}

size_t sonoc_dtype_bytes(int dtype) { return (size_t)dtypes[dtype_from_onnx(dtype)].bytes; }

int sonoc_input_count(const struct sonoc_model *m) { return m->n_inputs; }

int sonoc_output_count(const struct sonoc_model *m) { return m->n_outputs; }

const struct sonoc_port *sonoc_input(const struct sonoc_model *m, int i) {
    return i >= 0 && i < m->n_inputs ? &m->inputs[i] : NULL;
}

const struct sonoc_port *sonoc_output(const struct sonoc_model *m, int i) {
    return i >= 0 && i < m->n_outputs ? &m->outputs[i] : NULL;
}

static int find_port(const struct sonoc_port *ports, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (!strcmp(ports[i].name, name)) return i;
    return -1;
}

int sonoc_find_input(const struct sonoc_model *m, const char *name) {
    return find_port(m->inputs, m->n_inputs, name);
}

int sonoc_find_output(const struct sonoc_model *m, const char *name) {
    return find_port(m->outputs, m->n_outputs, name);
}

size_t sonoc_arena_bytes(const struct sonoc_model *m) {
    size_t more = m->threads > 1 ? (size_t)m->threads - 1 : 0;
    return m->arena_bytes + more * m->scratch_bytes;
}
