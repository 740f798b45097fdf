/* backends.h - the functions of the backends that backends.def names. */
#ifndef SONOC_BACKENDS_H
#define SONOC_BACKENDS_H

#include "backend.h"

#define BACKEND(name, summary)                                                                     \
    void *backend_##name##_open(const Program *p, const char *options, RunError *error);           \
    bool backend_##name##_run(void *opened, const void *const *inputs, void *const *outputs,       \
                              const KernelHook *hook, RunError *error);                            \
    void backend_##name##_close(void *opened);
#include "backends.def"
#undef BACKEND

#endif
