/* machine_code.h - sonoc compile to machine code: FILE.o, .so, .s and .ll. */
#ifndef SONOC_MACHINE_CODE_H
#define SONOC_MACHINE_CODE_H

#include "emit_c.h"
#include "pipeline.h"

bool is_machine_code(const char *path);      /* by its ending */
/* The machine that --target means: a row of targets.def, or another with a row to plan for, which --target is from now
 * on.  NULL: reported. */
const char *machine_code_target(Session *s);
/* Fills *result: the code in place of the source.  false: reported. */
bool machine_code(Session *s, const Program *p, const char *machine, const EmitOptions *options, EmitResult *result);

#endif
