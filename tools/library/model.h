/* model.h - what is behind sonoc.h: a program that a backend has made ready to run. */
#ifndef SONOC_MODEL_H
#define SONOC_MODEL_H

#include "backend.h"
#include "sonoc.h"
#include <stdatomic.h>

struct sonoc_model {
    Unit *unit;              /* that the program lives in */
    Unit own;                /* of a model that was opened by sonoc_open */
    Allocator allocator;     /* `memory` points to it, or is NULL */
    const Allocator *memory;
    const Program *program;
    const Backend *backend;
    void *opened;
    struct sonoc_port *inputs, *outputs;
    int n_inputs, n_outputs;
    size_t arena_bytes;
    atomic_int users;        /* whoever opened it, and its contexts */
};

/* Has a backend make p ready, in p's unit, which outlives the model.  NULL: reported. */
struct sonoc_model *model_of_program(const Program *p, const char *backend, const char *options);
/* Makes the program of `m` ready: all but `unit` and `program` is set here.  false: reported. */
bool model_load(struct sonoc_model *m, const char *backend, const char *options);

void error_clear(struct sonoc_error *error);
/* Gives the status. */
enum sonoc_status error_set(struct sonoc_error *error, enum sonoc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
