/* backend_jit.c - runs a program by way of machine code in memory. */
#include "backends.h"

#include <stdlib.h>

#include "code_pages.h"
#include "jit.h"

typedef struct Opened {
    JitModule *module;
    const void **constants; /* by buffer id; NULL: `weights` has them in one piece */
    const void *weights;
} Opened;

bool backend_jit_run(const void *opened, void *arena, const Crew *crew, const void *const *inputs,
                     void *const *outputs, const KernelHook *hook, RunError *error) {
    const Opened *o = opened;
    (void)error;
    if (o->constants)
        jit_run_scattered(o->module, o->constants, arena, crew, inputs, outputs, hook);
    else
        jit_run(o->module, o->weights, arena, crew, inputs, outputs, hook);
    return true;
}

void backend_jit_close(void *opened) { jit_unload(((Opened *)opened)->module); }

const char *backend_jit_machine(Arena *a, const char *options, RunError *error) {
    (void)options;
    (void)error;
    return jit_machine(a);
}

static bool read_options(JitOptions *to, RunError *error) {
    if (jit_options_from(getenv("SONOC_JIT"), to)) return true;
    snprintf(error->message, sizeof error->message,
             "SONOC_JIT is none of perf, gdb, threads=N, with commas");
    return false;
}

bool backend_jit_compile(const Program *p, const char *options, Text *code, RunError *error) {
    JitOptions jit;
    (void)options;
    bool ok = read_options(&jit, error) && jit_compile(p, &jit, code, error);
    code_pages_forget();
    return ok;
}

static void *open_code(Opened *o, const void *code, size_t bytes, RunError *error) {
    JitOptions jit;
    if (!read_options(&jit, error)) return NULL;
    o->module = jit_load(code, bytes, &jit, error);
    code_pages_forget();
    return o->module ? o : NULL;
}

/* With the constants where the program has them. */
static void *bind(const Program *p, const void *code, size_t code_bytes, RunError *error) {
    Opened *o = NEW(p->unit->arena, Opened);
    o->constants = NEW_ARRAY(p->unit->arena, const void *, p->buffers.n + 1);
    for (int i = 0; i < p->buffers.n; i++)
        if (p->buffers.at[i]->data) o->constants[i] = p->buffers.at[i]->data->data;
    return open_code(o, code, code_bytes, error);
}

void *backend_jit_open(const Program *p, const char *options, RunError *error) {
    Text code = {.arena = p->unit->arena};
    return backend_jit_compile(p, options, &code, error) ? bind(p, code.at, code.n, error) : NULL;
}

void *backend_jit_load(Arena *a, const void *code, size_t code_bytes, const void *weights,
                       size_t weights_bytes, RunError *error) {
    Opened *o = NEW(a, Opened);
    (void)weights_bytes;
    o->weights = weights;
    return open_code(o, code, code_bytes, error);
}
