/* target.h - facts about the machines that a plan is made for; rows in targets.def. */
#ifndef SONOC_TARGET_H
#define SONOC_TARGET_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ByteOrder { ORDER_LITTLE, ORDER_BIG } ByteOrder;

typedef struct Target {
    const char *name;            /* --target=NAME */
    int lanes;                   /* float32 lanes of a vector register; 1: no vectors */
    int registers;               /* vector registers */
    int tile_rows, tile_vectors; /* register tile of the matrix micro-kernel: rows x (vectors of `lanes`) */
    bool fma;                    /* a fused multiply-add is one instruction; else plans use mul and add */
    int l1_bytes, l2_bytes;      /* data caches; 0: none */
    const char *gcc_target;      /* what follows __attribute__((target(...))) / #pragma GCC target, or NULL */
    int word;                    /* 32 or 64 bits */
    ByteOrder order;
    int elf_machine;
    uint32_t elf_flags;
    const char *summary;
} Target;

extern const Target targets[];   /* ends with a name NULL; the first is the default */
const Target *target_find(const char *name);   /* NULL if unknown; "native": target_native; "multi": the first of them */
const Target *target_native(void);             /* the best row for the machine that this runs on */
const Target *target_multi(int number);        /* those that one C file holds with "multi"; NULL: no more */

#endif
