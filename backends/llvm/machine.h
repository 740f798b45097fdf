/* machine.h - LLVM's optimizer and code generator: modules to object files. */
#ifndef SONOC_MACHINE_H
#define SONOC_MACHINE_H

#include <llvm-c/Target.h>

#include "backend.h"
#include "emit_llvm.h"

typedef struct Machine {
    const char *triple, *cpu, *features;
} Machine;

void machine_register(void);    /* before anything else of LLVM */
/* This computer's processor. */
Machine machine_host(Arena *a);

/* Optimizes and compiles each module, on `threads` threads; objects[i] is that of units->at[i], to be disposed of.
 * false: told in *error, no objects. */
bool machine_compile(const Machine *machine, const LlvmUnits *units, int threads, LLVMMemoryBufferRef *objects,
                     RunError *error);

#endif
