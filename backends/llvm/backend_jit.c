/* backend_jit.c - runs a program by way of machine code in memory. */
#include "backends.h"

#include <stdlib.h>

#include "jit.h"

typedef struct Opened {
    JitModule *module;
    const void **constants; /* by buffer id */
} Opened;

void *backend_jit_open(const Program *p, const char *options, RunError *error) {
    JitOptions jit;
    Text code = {.arena = p->unit->arena};
    (void)options;
    if (!jit_options_from(getenv("SONOC_JIT"), &jit)) {
        snprintf(error->message, sizeof error->message, "SONOC_JIT is none of perf, gdb, threads=N, with commas");
        return NULL;
    }
    if (!jit_compile(p, &jit, &code, error)) return NULL;
    Opened *o = NEW(p->unit->arena, Opened);
    o->module = jit_load(code.at, code.n, &jit, error);
    if (!o->module) return NULL;
    o->constants = NEW_ARRAY(p->unit->arena, const void *, p->buffers.n + 1);
    for (int i = 0; i < p->buffers.n; i++)
        if (p->buffers.at[i]->data) o->constants[i] = p->buffers.at[i]->data->data;
    return o;
}

bool backend_jit_run(const void *opened, void *arena, const void *const *inputs,
                     void *const *outputs, RunError *error) {
    const Opened *o = opened;
    (void)error;
    jit_run_scattered(o->module, o->constants, arena, inputs, outputs);
    return true;
}

void backend_jit_close(void *opened) { jit_unload(((Opened *)opened)->module); }
