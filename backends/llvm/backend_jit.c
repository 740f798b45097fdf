/* backend_jit.c - runs a program by way of machine code in memory. */
#include "backends.h"

#include <stdlib.h>

#include "jit.h"

static bool run(const Program *p, const JitModule *m, const void *const *inputs, void *const *outputs,
                RunError *error) {
    const void **constants = NEW_ARRAY(p->unit->arena, const void *, p->buffers.n + 1);
    size_t bytes = ((size_t)p->arena_bytes + 63) / 64 * 64;
    void *arena = aligned_alloc(64, bytes ? bytes : 64);
    if (!arena) {
        snprintf(error->message, sizeof error->message, "out of memory");
        return false;
    }
    for (int i = 0; i < p->buffers.n; i++)
        if (p->buffers.at[i]->data) constants[i] = p->buffers.at[i]->data->data;
    jit_run_scattered(m, constants, arena, inputs, outputs);
    free(arena);
    return true;
}

bool backend_jit_run(const Program *p, const char *options, const void *const *inputs, void *const *outputs,
                     RunError *error) {
    JitOptions jit;
    Text code = {.arena = p->unit->arena};
    (void)options;
    if (!jit_options_from(getenv("SONOC_JIT"), &jit)) {
        snprintf(error->message, sizeof error->message, "SONOC_JIT is none of perf, gdb, threads=N, with commas");
        return false;
    }
    if (!jit_compile(p, &jit, &code, error)) return false;
    JitModule *m = jit_load(code.at, code.n, &jit, error);
    if (!m) return false;
    bool ok = run(p, m, inputs, outputs, error);
    jit_unload(m);
    return ok;
}
