/* backend.h - whatever can run a program on this machine: rows of backends.def. */
#ifndef SONOC_BACKEND_H
#define SONOC_BACKEND_H

#include "loop.h"

typedef struct RunError { char message[1024]; } RunError;

/* Told before each kernel of a run, and at its end with their number. */
typedef struct KernelHook {
    void (*before)(void *context, int kernel);
    void *context;
} KernelHook;

/* Iterations begin <= i < end of a loop that threads share. */
typedef void LoopPart(void *captured, int64_t begin, int64_t end, int worker);

/* Who runs such loops: all iterations 0 <= i < count, in parts, which are done when it returns.  0 <= worker < workers;
 * parts that run at the same time have different ones.  Results do not depend on their number. */
typedef struct Crew {
    int workers;
    void (*run)(void *context, LoopPart *loop, void *captured, int64_t count);
    void *context;
} Crew;

typedef struct Backend {
    const char *name;            /* --backend=NAME */
    const char *summary;
    /* Makes p ready for any number of runs; p must stay.  `options` is the backend's own text (c: the compiler
     * command, NULL: $CC or cc with -O3).  NULL: told in *error. */
    void *(*open)(const Program *p, const char *options, RunError *error);
    /* Runs it once; several threads may at the same time.  `arena` has p->arena_bytes bytes, aligned to 64, and is
     * this run's alone; inputs/outputs in the order of the ports, row-major.  The crew may be NULL: the caller alone; else
     * the arena has p->scratch_bytes more for each further worker.  The hook may be NULL; a backend that cannot tell
     * kernels apart does not call it.  false: told in *error. */
    bool (*run)(const void *opened, void *arena, const Crew *crew, const void *const *inputs, void *const *outputs,
                const KernelHook *hook, RunError *error);
    void (*close)(void *opened);
} Backend;

/* A backend whose code can be kept, and loaded by another process on this machine. */
typedef struct CodeBackend {
    const char *name;
    /* What the code depends on beside the program and `options`: the processor, a compiler.  NULL: told in *error. */
    const char *(*machine)(Arena *a, const char *options, RunError *error);
    /* Appends the code to *code, in p's arena.  false: told in *error. */
    bool (*compile)(const Program *p, const char *options, Text *code, RunError *error);
    /* As the backend's open, for its run and close; `code` does not have to stay, the image of the constants (weights.h)
     * does, and is aligned to 64. */
    void *(*load)(Arena *a, const void *code, size_t code_bytes, const void *weights, size_t weights_bytes,
                  RunError *error);
} CodeBackend;

extern const Backend backends[];   /* the first is the standard; ends with a name NULL */
const Backend *backend_find(const char *name);
const CodeBackend *code_backend_find(const char *name);   /* NULL: its code cannot be kept */
/* Opens, runs once in an arena of its own, closes. */
bool backend_run(const Backend *b, const Program *p, const char *options, const void *const *inputs,
                 void *const *outputs, RunError *error);

#endif
