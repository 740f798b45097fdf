/* backend.h - whatever can run a program on this machine: rows of backends.def. */
#ifndef SONOC_BACKEND_H
#define SONOC_BACKEND_H

#include "loop.h"

typedef struct RunError { char message[1024]; } RunError;

typedef struct Backend {
    const char *name;            /* --backend=NAME */
    const char *summary;
    /* Makes p ready for any number of runs; p must stay.  `options` is the backend's own text (c: the compiler
     * command, NULL: $CC or cc with -O3).  NULL: told in *error. */
    void *(*open)(const Program *p, const char *options, RunError *error);
    /* Runs it once; several threads may at the same time.  `arena` has p->arena_bytes bytes, aligned to 64, and is
     * this run's alone; inputs/outputs in the order of the ports, row-major.  false: told in *error. */
    bool (*run)(const void *opened, void *arena, const void *const *inputs, void *const *outputs, RunError *error);
    void (*close)(void *opened);
} Backend;

extern const Backend backends[];   /* ends with a name NULL */
const Backend *backend_find(const char *name);
/* Opens, runs once in an arena of its own, closes. */
bool backend_run(const Backend *b, const Program *p, const char *options, const void *const *inputs,
                 void *const *outputs, RunError *error);

#endif
