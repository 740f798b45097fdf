/* interp_acts.h - inside the interpreter: a kernel made ready to run. */
#ifndef SONOC_INTERP_ACTS_H
#define SONOC_INTERP_ACTS_H

#include "interp_steps.h"

/* A statement: its expressions as steps, and what it encloses. */
typedef struct Act {
    StmtKind kind;
    LoopKind loop;
    Code code; /* extent, condition, value and index; ends with the store of a STORE or ACC */
    struct Act *next, *body, *other;
    int64_t *var;       /* FOR: where the variable lives; LANES: the first lane's value */
    int64_t *lanes_var; /* LANES: the value of every lane */
    const void *value;  /* FOR: extent; IF: condition */
    bool vector;        /* IF: the condition differs between lanes */
    char *memory;       /* LOCAL */
    size_t bytes;
} Act;

/* `memory` is where each buffer of the program begins; those of the kernel's locals are set here.
 * NULL: the kernel cannot be run, told in *error. */
Act *interp_prepare(Arena *a, const Program *p, const Kernel *k, char **memory, InterpError *error);

#endif
