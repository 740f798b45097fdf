/* backends.h - the functions of the backends that backends.def names. */
#ifndef SONOC_BACKENDS_H
#define SONOC_BACKENDS_H

#include "backend.h"

#define BACKEND(name, summary)                                                                     \
    void *backend_##name##_open(const Program *p, const char *options, RunError *error);           \
    bool backend_##name##_run(const void *opened, void *arena, const Crew *crew,                   \
                              const void *const *inputs,                                           \
                              void *const *outputs, const KernelHook *hook, RunError *error);      \
    void backend_##name##_close(void *opened);
#define CODE_BACKEND(name, summary)                                                                \
    BACKEND(name, summary)                                                                         \
    const char *backend_##name##_machine(Arena *a, const char *options, RunError *error);          \
    bool backend_##name##_compile(const Program *p, const char *options, Text *code,               \
                                  RunError *error);                                                \
    void *backend_##name##_load(Arena *a, const void *code, size_t code_bytes,                     \
                                const void *weights, size_t weights_bytes, RunError *error);
#include "backends.def"
#undef CODE_BACKEND
#undef BACKEND

#endif
