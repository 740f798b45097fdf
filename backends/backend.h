/* backend.h - whatever can run a program on this machine: rows of backends.def. */
#ifndef SONOC_BACKEND_H
#define SONOC_BACKEND_H

#include "loop.h"

typedef struct RunError { char message[1024]; } RunError;

typedef struct Backend {
    const char *name;            /* --backend=NAME */
    const char *summary;
    /* Makes ready what all runs of p share.  `options` is the backend's own text (c: the compiler command, NULL: $CC or
     * cc with -O3).  NULL: told in *error.  A row without it has nothing to make ready. */
    void *(*load)(const Program *p, const char *options, RunError *error);
    /* Runs p once, on any thread.  `arena` has p->arena_bytes bytes and is aligned to 64; inputs and outputs are in the
     * order of the ports, row-major.  false: told in *error. */
    bool (*run)(const Program *p, const void *loaded, void *arena, const void *const *inputs, void *const *outputs,
                RunError *error);
    void (*unload)(void *loaded);
} Backend;

extern const Backend backends[];   /* ends with a name NULL */
const Backend *backend_find(const char *name);

/* Loads, runs with an arena of its own, unloads. */
bool backend_run_once(const Backend *b, const Program *p, const char *options, const void *const *inputs,
                      void *const *outputs, RunError *error);

#endif
