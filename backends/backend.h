/* backend.h - whatever can run a program on this machine: rows of backends.def. */
#ifndef SONOC_BACKEND_H
#define SONOC_BACKEND_H

#include "loop.h"

typedef struct RunError { char message[1024]; } RunError;

typedef struct Backend {
    const char *name;            /* --backend=NAME */
    const char *summary;
    /* Runs p once.  inputs/outputs in the order of the ports, row-major.  `options` is the backend's own text
     * (c: the compiler command, NULL: $CC or cc with -O3).  false: told in *error. */
    bool (*run)(const Program *p, const char *options, const void *const *inputs, void *const *outputs, RunError *error);
} Backend;

extern const Backend backends[];   /* ends with a name NULL */
const Backend *backend_find(const char *name);

#endif
