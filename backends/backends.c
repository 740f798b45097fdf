/* backends.c - the table of backends. */
#include "backends.h"

#include <stdlib.h>
#include <string.h>

const Backend backends[] = {
#define BACKEND(name, summary, load, run, unload) {name, summary, load, run, unload},
#include "backends.def"
#undef BACKEND
    {0},
};

const Backend *backend_find(const char *name) {
    for (const Backend *b = backends; b->name; b++)
        if (!strcmp(b->name, name)) return b;
    return NULL;
}

bool backend_run_once(const Backend *b, const Program *p, const char *options, const void *const *inputs,
                      void *const *outputs, RunError *error) {
    void *loaded = b->load ? b->load(p, options, error) : NULL;
    if (b->load && !loaded) return false;
    size_t bytes = ((size_t)p->arena_bytes / 64 + 1) * 64;
    void *arena = aligned_alloc(64, bytes);
    if (!arena) snprintf(error->message, sizeof error->message, "out of memory: %zu bytes wanted", bytes);
    bool ok = arena && b->run(p, loaded, arena, inputs, outputs, error);
    free(arena);
    if (b->unload) b->unload(loaded);
    return ok;
}
