/* machine.h - LLVM's optimizer and code generator: modules to object files. */
#ifndef SONOC_MACHINE_H
#define SONOC_MACHINE_H

#include "emit_llvm.h"
#include "machine_named.h"

void machine_register(void);    /* before anything else of LLVM */

/* Optimizes and compiles each module, on `threads` threads (0: all processors); code[i] is that of units->at[i], to be
 * disposed of.  false: told in *error, no code. */
bool machine_compile(const Machine *machine, const LlvmUnits *units, CodeForm form, int threads,
                     LLVMMemoryBufferRef *code, RunError *error);

#endif
