/* object.h - a program as machine code to be shipped: an object, assembly or LLVM IR, with the C file's functions. */
#ifndef SONOC_OBJECT_H
#define SONOC_OBJECT_H

#include "emit_c.h"
#include "machine_named.h"

/* Fills result->source with the code; header and weights as emit_c does.  The constants are in the code, or (options->
 * weights is WEIGHTS_OBJECT) in an object beside it.  false: told in *error. */
bool object_emit(const Program *p, const Machine *machine, CodeForm form, const EmitOptions *options,
                 EmitResult *result, RunError *error);

#endif
