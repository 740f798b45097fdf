/* emit_llvm_frame.h - inside the LLVM backend: what surrounds kernels. */
#ifndef SONOC_EMIT_LLVM_FRAME_H
#define SONOC_EMIT_LLVM_FRAME_H

#include "emit_llvm.h"
#include "facts.h"

/* A program on its way to modules. */
typedef struct Frame {
    const Program *program;
    const char *prefix;
    Arena *arena;            /* the program's */
    KernelParams *params;    /* by kernel */
    LLVMLinkage linkage;     /* of kernels */
} Frame;

Frame frame_new(const Program *p, const char *prefix, LLVMLinkage linkage);
LlvmUnit unit_new(const Frame *f, const char *name);
void unit_add_kernel(const Frame *f, const LlvmUnit *u, int number);

/* The function that runs all, being filled: where buffers are. */
typedef struct Runner {
    const Frame *frame;
    const LlvmUnit *unit;
    LLVMBuilderRef ir;
    LLVMValueRef arena, weights;     /* weights: of the image; scattered: a table of pointers, by buffer id */
    LLVMValueRef hook;               /* points to a KernelHook, or is null when it runs; NULL: there is none */
    bool scattered;
    WeightsImage image;
    LLVMValueRef *places;            /* by buffer id: inputs and outputs */
} Runner;

LLVMTypeRef function_type(const Frame *f, LLVMContextRef c, LLVMTypeRef result, int n_pointers);
LLVMValueRef pointer_at(LLVMBuilderRef ir, LLVMContextRef c, LLVMValueRef base, int64_t bytes);
/* Calls every kernel, and copies outputs that no kernel writes in place.  `outputs`: by output, where it goes. */
void runner_fill(Runner *r, const LLVMValueRef *outputs);

#endif
