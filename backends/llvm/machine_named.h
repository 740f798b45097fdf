/* machine_named.h - the processors that machine code is made for. */
#ifndef SONOC_MACHINE_NAMED_H
#define SONOC_MACHINE_NAMED_H

#include "backend.h"

typedef struct Machine {
    const char *triple, *cpu, *features;
} Machine;

typedef enum CodeForm { CODE_OBJECT, CODE_ASSEMBLY, CODE_IR } CodeForm;

/* This computer's processor. */
Machine machine_host(Arena *a);

/* NAME[,cpu=CPU][,features=LIST], where NAME is a row of targets.def, `native`, or a triple as aarch64-linux-gnu; *target
 * is the row to plan for.  false: told in *error. */
bool machine_named(Arena *a, const char *text, Machine *machine, const Target **target, RunError *error);

#endif
