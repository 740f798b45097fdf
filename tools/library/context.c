/* context.c - a thread's working memory, and running a model in it. */
#include "crew.h"
#include "model.h"

#include <string.h>

struct sonoc_context {
    struct sonoc_model *model;
    Escape escape; /* of the arena, for the call that runs at the moment */
    Arena *arena;  /* all but this struct */
    void *memory;  /* sonoc_arena_bytes of the model */
    OwnCrew crew;
    void **inputs, **outputs; /* own buffers; NULL: not asked for */
    const void **inputs_now;  /* of a run */
    void **outputs_now;
};

/* Arenas align to 64 from 4 KiB on. */
static void *aligned_memory(Arena *a, size_t bytes) {
    return arena_alloc(a, bytes < 4096 ? 4096 : bytes);
}

static void context_fill(struct sonoc_context *c) {
    const struct sonoc_model *m = c->model;
    c->memory = arena_alloc_large(c->arena, sonoc_arena_bytes(m));
    c->inputs = NEW_ARRAY(c->arena, void *, m->n_inputs + 1);
    c->outputs = NEW_ARRAY(c->arena, void *, m->n_outputs + 1);
    c->inputs_now = NEW_ARRAY(c->arena, const void *, m->n_inputs + 1);
    c->outputs_now = NEW_ARRAY(c->arena, void *, m->n_outputs + 1);
}

struct sonoc_context *sonoc_context_open(struct sonoc_model *m, struct sonoc_error *error) {
    struct sonoc_context *c = memory_new(m->memory, sizeof *c);
    error_clear(error);
    if (c) c->arena = arena_new(m->memory, 0, &c->escape);
    if (c && c->arena && !setjmp(c->escape.jump)) {
        c->model = m;
        context_fill(c);
        crew_begin(&c->crew, m->threads > 1 ? m->threads : 1);
        atomic_fetch_add(&m->users, 1);
        return c;
    }
    error_set(error, SONOC_LIMIT, "out of memory: a context of %zu bytes is wanted",
              sonoc_arena_bytes(m));
    if (c) arena_free(c->arena);
    if (c) memory_free(m->memory, c, sizeof *c);
    return NULL;
}

void sonoc_context_close(struct sonoc_context *c) {
    if (!c) return;
    struct sonoc_model *m = c->model;
    crew_end(&c->crew);
    arena_free(c->arena);
    memory_free(m->memory, c, sizeof *c);
    sonoc_close(m);
}

static void *own_buffer(struct sonoc_context *c, void **own, const struct sonoc_port *port) {
    if (!port || *own) return port ? *own : NULL;
    if (setjmp(c->escape.jump)) return NULL;
    *own = aligned_memory(c->arena, port->bytes);
    return *own;
}

void *sonoc_input_buffer(struct sonoc_context *c, int i) {
    const struct sonoc_port *port = sonoc_input(c->model, i);
    return port ? own_buffer(c, &c->inputs[i], port) : NULL;
}

void *sonoc_output_buffer(struct sonoc_context *c, int i) {
    const struct sonoc_port *port = sonoc_output(c->model, i);
    return port ? own_buffer(c, &c->outputs[i], port) : NULL;
}

/* The caller's buffers, and the context's own where there is none. */
static bool choose_buffers(struct sonoc_context *c, const void *const *inputs,
                           void *const *outputs) {
    bool ok = true;
    for (int i = 0; i < c->model->n_inputs; i++) {
        c->inputs_now[i] = inputs && inputs[i] ? inputs[i] : sonoc_input_buffer(c, i);
        ok &= c->inputs_now[i] != NULL;
    }
    for (int i = 0; i < c->model->n_outputs; i++) {
        c->outputs_now[i] = outputs && outputs[i] ? outputs[i] : sonoc_output_buffer(c, i);
        ok &= c->outputs_now[i] != NULL;
    }
    return ok;
}

enum sonoc_status sonoc_run(struct sonoc_context *c, const void *const *inputs,
                            void *const *outputs, struct sonoc_error *error) {
    const struct sonoc_model *m = c->model;
    RunError why = {0};
    error_clear(error);
    if (!choose_buffers(c, inputs, outputs))
        return error_set(error, SONOC_LIMIT, "out of memory for inputs and outputs");
    if (m->backend->run(m->opened, c->memory, &c->crew.crew, c->inputs_now, c->outputs_now, NULL,
                        &why))
        return SONOC_OK;
    return error_set(error, SONOC_REFUSED, "backend %s: %s", m->backend->name, why.message);
}
