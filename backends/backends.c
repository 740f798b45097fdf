/* backends.c - the table of backends. */
#include "backends.h"

#include <string.h>

const Backend backends[] = {
#define BACKEND(name, summary)                                                                     \
    {#name, summary, backend_##name##_open, backend_##name##_run, backend_##name##_close},
#include "backends.def"
#undef BACKEND
    {0},
};

const Backend *backend_find(const char *name) {
    for (const Backend *b = backends; b->name; b++)
        if (!strcmp(b->name, name)) return b;
    return NULL;
}

bool backend_run(const Backend *b, const Program *p, const char *options, const void *const *inputs,
                 void *const *outputs, RunError *error) {
    void *opened = b->open(p, options, error);
    if (!opened) return false;
    bool ok = b->run(opened, inputs, outputs, NULL, error);
    b->close(opened);
    return ok;
}
