/* target.h - facts about the machines that a plan is made for; rows in targets.def. */
#ifndef SONOC_TARGET_H
#define SONOC_TARGET_H

#include <stdbool.h>

typedef struct Target {
    const char *name;            /* --target=NAME */
    int lanes;                   /* float32 lanes of a vector register */
    int registers;               /* vector registers */
    int tile_rows, tile_vectors; /* register tile of the matrix micro-kernel: rows x (vectors of `lanes`) */
    bool fma;                    /* a fused multiply-add is one instruction; else plans use mul and add */
    const char *gcc_target;      /* what follows __attribute__((target(...))) / #pragma GCC target, or NULL */
    int l1_bytes, l2_bytes;
} Target;

extern const Target targets[];   /* ends with a name NULL; the first is the default */
const Target *target_find(const char *name);   /* NULL if unknown */

#endif
