/* interp.h - the meaning of loop IR, in plain C.  Slow and plain; every index is checked. */
#ifndef SONOC_INTERP_H
#define SONOC_INTERP_H

#include "loop.h"

typedef struct InterpError {
    char message[256];       /* kernel, buffer, index */
} InterpError;

/* Runs all kernels of p.  inputs/outputs in the order of the ports, row-major, natural element sizes (bool a byte).
 * The arena is allocated and freed inside.  false: an access out of bounds or a division by zero, told in *error. */
bool interp_run(const Program *p, const void *const *inputs, void *const *outputs, InterpError *error);

/* The same with all memory from `scratch`, so that several threads may run one program. */
bool interp_run_in(Arena *scratch, const Program *p, const void *const *inputs, void *const *outputs,
                   InterpError *error);

#endif
