/* jit.h - a program as machine code of this process, through LLVM's ORC.
 *
 * Compiling and loading are apart: what jit_compile gives are bytes without addresses, which may be kept in a file
 * beside the image of the constants (weights.h) and be loaded by another process on the same kind of machine.
 * A module is immutable: any number of threads may run it at once, each with an arena and outputs of its own. */
#ifndef SONOC_JIT_H
#define SONOC_JIT_H

#include "backend.h"

typedef struct JitOptions {
    int threads;             /* that compile; 0: as many as there are processors */
    bool perf_map;           /* jit_load: add the functions to /tmp/perf-PID.map */
    bool debugger;           /* jit_load: tell GDB about the code */
} JitOptions;

/* Options from the environment: SONOC_JIT=perf,gdb,threads=N.  false: it says something else. */
bool jit_options_from(const char *text, JitOptions *options);

/* The program as code for this machine's processor, appended to *code (in its arena).  After program_plan. */
bool jit_compile(const Program *p, const JitOptions *options, Text *code, RunError *error);
/* What the code depends on beside the program: LLVM's version, the processor and its features.  Code may be loaded
 * where this text is the same. */
const char *jit_machine(Arena *a);

typedef struct JitModule JitModule;
/* `code` is not needed afterwards.  NULL: told in *error. */
JitModule *jit_load(const void *code, size_t bytes, const JitOptions *options, RunError *error);
void jit_unload(JitModule *m);

/* Runs all kernels.  `weights` is the image of the constants; arena, crew, inputs, outputs and hook are those of a
 * Backend's run. */
void jit_run(const JitModule *m, const void *weights, void *arena, const Crew *crew, const void *const *inputs,
             void *const *outputs, const KernelHook *hook);
/* The same without an image: by the id of a constant buffer, where its elements are (no alignment needed). */
void jit_run_scattered(const JitModule *m, const void *const *constants, void *arena, const Crew *crew,
                       const void *const *inputs, void *const *outputs, const KernelHook *hook);

#endif
