/* backends.c - the table of backends. */
#include "backends.h"

#include <stdlib.h>
#include <string.h>

const Backend backends[] = {
#define BACKEND(name, summary)                                                                     \
    {#name, summary, backend_##name##_open, backend_##name##_run, backend_##name##_close},
#define CODE_BACKEND BACKEND
#include "backends.def"
#undef CODE_BACKEND
#undef BACKEND
    {0},
};

static const CodeBackend code_backends[] = {
#define BACKEND(name, summary)
#define CODE_BACKEND(name, summary)                                                                \
    {#name, backend_##name##_machine, backend_##name##_compile, backend_##name##_load},
#include "backends.def"
#undef CODE_BACKEND
#undef BACKEND
    {0},
};

const Backend *backend_find(const char *name) {
    for (const Backend *b = backends; b->name; b++)
        if (!strcmp(b->name, name)) return b;
    return NULL;
}

const CodeBackend *code_backend_find(const char *name) {
    for (const CodeBackend *b = code_backends; b->name; b++)
        if (!strcmp(b->name, name)) return b;
    return NULL;
}

bool backend_run(const Backend *b, const Program *p, const char *options, const void *const *inputs,
                 void *const *outputs, RunError *error) {
    void *opened = b->open(p, options, error);
    if (!opened) return false;
    size_t bytes = ((size_t)p->arena_bytes / 64 + 1) * 64;
    void *arena = aligned_alloc(64, bytes);
    if (!arena) snprintf(error->message, sizeof error->message, "out of memory");
    bool ok = arena && b->run(opened, arena, NULL, inputs, outputs, NULL, error);
    free(arena);
    b->close(opened);
    return ok;
}
