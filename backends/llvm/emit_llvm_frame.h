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
    bool shares;             /* a crew runs the loops that threads share; else they are plain loops */
    struct Pending *pending; /* what has to be freed if memory runs out on the way */
} Frame;

Frame frame_new(const Program *p, const char *prefix, LLVMLinkage linkage);
void params_mark(LLVMContextRef c, LLVMValueRef function, const KernelParams *params, bool captured);
void function_mark(LLVMContextRef c, LLVMValueRef function);
LlvmUnits units_new(const Frame *f, int n);
LlvmUnits units_done(const Frame *f);        /* hands them to the caller */
void unit_add_kernel(const Frame *f, const LlvmUnit *u, int number);

/* The function that runs all, being filled: where buffers are. */
typedef struct Runner {
    const Frame *frame;
    const LlvmUnit *unit;
    LLVMBuilderRef ir;
    LLVMValueRef arena, weights;     /* weights: of the image; scattered: a table of pointers, by buffer id */
    LLVMValueRef hook;               /* points to a KernelHook, or is null when it runs; NULL: there is none */
    LLVMValueRef crew;               /* points to a Crew; NULL: frame->shares is false */
    bool scattered;
    WeightsImage image;
    LLVMValueRef *places;            /* by buffer id: inputs and outputs */
} Runner;

LLVMTypeRef function_type(const Frame *f, LLVMContextRef c, LLVMTypeRef result, int n_pointers);
LLVMValueRef pointer_at(LLVMBuilderRef ir, LLVMContextRef c, LLVMValueRef base, int64_t bytes);
/* Calls every kernel, and copies outputs that no kernel writes in place.  `outputs`: by output, where it goes. */
void runner_fill(Runner *r, const LLVMValueRef *outputs);

#endif
