/* backends.h - the functions of the backends that backends.def names. */
#ifndef SONOC_BACKENDS_H
#define SONOC_BACKENDS_H

#include "backend.h"

#define BACKEND(name, summary)                                                                     \
    void *backend_##name##_open(const Program *p, const char *options, RunError *error);           \
    bool backend_##name##_run(const void *opened, void *arena, const void *const *inputs,          \
                              void *const *outputs, RunError *error);                              \
    void backend_##name##_close(void *opened);
#include "backends.def"
#undef BACKEND

#endif
