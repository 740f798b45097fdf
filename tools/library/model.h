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
    const Program *program;  /* NULL: it came from the cache */
    const Backend *backend;
    void *opened;
    struct sonoc_port *inputs, *outputs;
    int n_inputs, n_outputs;
    size_t arena_bytes;
    atomic_int users;        /* whoever opened it, and its contexts */
};

/* A model in a unit that outlives it. */
struct sonoc_model *model_in(Unit *u);
/* Has a backend make the model's program ready.  false: reported. */
bool model_open_program(struct sonoc_model *m, const char *backend, const char *options);
/* The part of that which asks no backend. */
void model_fill(struct sonoc_model *m, const char *backend);
/* Reports what a backend says; gives false. */
bool model_failed(const struct sonoc_model *m, const RunError *error);

void error_clear(struct sonoc_error *error);
/* Gives the status. */
enum sonoc_status error_set(struct sonoc_error *error, enum sonoc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
