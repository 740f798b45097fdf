/* targets.c - the table of targets. */
#include "target.h"

#include <string.h>

const Target targets[] = {
#define TARGET(name, lanes, registers, rows, vectors, fma, gcc, l1, l2)                            \
    {name, lanes, registers, rows, vectors, fma, gcc, l1, l2},
#include "targets.def"
#undef TARGET
    {0},
};

const Target *target_find(const char *name) {
    for (const Target *t = targets; t->name; t++)
        if (!strcmp(t->name, name)) return t;
    return NULL;
}
