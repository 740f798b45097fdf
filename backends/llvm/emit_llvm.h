/* emit_llvm.h - loop IR as LLVM IR: a program as modules.
 *
 * Every kernel is a function PREFIX.KERNEL with a pointer for each buffer that it touches. */
#ifndef SONOC_EMIT_LLVM_H
#define SONOC_EMIT_LLVM_H

#include <llvm-c/Core.h>

#include "weights.h"

/* A module in a context of its own, so that threads may work on several. */
typedef struct LlvmUnit {
    LLVMContextRef context;
    LLVMModuleRef module;
} LlvmUnit;

typedef struct LlvmUnits {
    LlvmUnit *at;
    int n;
} LlvmUnits;

/* As several modules of about the same work each.  What runs all are two functions of the last one (jit.h):
 *   void PREFIX_run(const void *weights, void *arena, const void *const *inputs, void *const *outputs,
 *                   const KernelHook *hook, const Crew *crew)
 *   void PREFIX_run_scattered(const void *const *constants, void *arena, ...) */
LlvmUnits emit_llvm_split(const Program *p, const char *prefix);
/* As one module with the functions of the C file's header; weights_beside: PREFIX_weights is in another object. */
LlvmUnits emit_llvm_whole(const Program *p, const char *prefix, bool caller_arena, bool weights_beside);
void llvm_units_free(LlvmUnits *units);

#endif
