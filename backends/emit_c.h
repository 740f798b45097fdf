/* emit_c.h - a program as readable C11: one .c, one .h, and the weights in one of five forms. */
#ifndef SONOC_EMIT_C_H
#define SONOC_EMIT_C_H

#include "loop.h"

typedef enum WeightsForm {
    WEIGHTS_AUTO,        /* literal up to 64 MB, else object */
    WEIGHTS_LITERAL,     /* a string literal in an aligned union: the true single file */
    WEIGHTS_INCBIN,      /* MODEL.weights taken in by the assembler */
    WEIGHTS_OBJECT,      /* MODEL_weights.o, an ELF object that we write */
    WEIGHTS_FILE,        /* MODEL.weights; the caller maps or reads it and hands it over */
    WEIGHTS_ARRAYS       /* plain arrays that a person can read */
} WeightsForm;

/* Who runs the loops that threads may share. */
typedef enum ThreadsForm {
    THREADS_NONE,        /* one thread: plain loops */
    THREADS_PTHREADS,    /* a pool of threads in the model's struct */
    THREADS_OPENMP,
    THREADS_CALLBACK     /* the caller's parallel-for */
} ThreadsForm;

typedef struct EmitOptions {
    const char *prefix;          /* C identifier: prefix_run, struct prefix */
    const char *header_name;     /* what the .c includes */
    const char *weights_name;    /* file name for INCBIN, OBJECT, FILE */
    WeightsForm weights;
    ThreadsForm threads;
    bool caller_arena;           /* the caller hands the arena in; else it is static in the .c */
    bool profile;                /* a run tells a function of the caller's of every kernel */
} EmitOptions;

typedef struct EmitResult {
    Text source, header;
    Text weights;                /* bytes of the weights file or object; empty where there is none */
    WeightsForm form;            /* the one that was chosen */
} EmitResult;

/* Same program and options give the same bytes, on every machine. */
void emit_c(const Program *p, const EmitOptions *options, EmitResult *result);
/* Several plans of one model, for x86-64-v3 and then for other versions of x86-64: the best is chosen at start. */
void emit_c_plans(const Program *const *plans, int n, const EmitOptions *options, EmitResult *result);
/* The same without the source, for who makes the code in another way. */
void emit_c_header(const Program *p, const EmitOptions *options, EmitResult *result);

/* A C identifier from any text: letters, digits, underscores; never a keyword. */
const char *c_identifier(Arena *a, const char *text);

#endif
