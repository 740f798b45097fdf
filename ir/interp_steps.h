/* interp_steps.h - inside the interpreter: one step on all lanes at once, and the table of steps
 * for scalars.def.
 *
 * A step reads and writes slots: arrays of one element (uniform) or of as many as the enclosing
 * LANES loop has lanes. A slot is written by one step only.  Steps that cannot fail compute every
 * lane; the others those in the mask. */
#ifndef SONOC_INTERP_STEPS_H
#define SONOC_INTERP_STEPS_H

#include "interp.h"

#include <setjmp.h>

/* PAD: slots are whole multiples of so many lanes, so that compilers make vectors of the loops over
 * them. */
enum { MAX_LANES = 64, PAD = 8 };

typedef struct Run {
    const Kernel *kernel;
    InterpError *error;
    jmp_buf jump;
    uint64_t mask, full; /* lanes that are active; those that exist */
    int lanes;           /* that exist */
} Run;

typedef struct Step Step;
typedef void StepFn(const Step *s, Run *r);

typedef struct Code {
    Step *at;
    int n, cap;
} Code;

typedef struct Choice {
    Code yes, no;
    const void *yes_value, *no_value;
    bool vector; /* the condition differs between lanes */
} Choice;

struct Step {
    StepFn *fn;
    int n;    /* 1, or the lanes of the enclosing loop */
    int size; /* bytes of an element */
    void *dst;
    const void *x, *y, *z; /* loads and stores: x is the index */
    char *memory;          /* of the buffer */
    int64_t stride;        /* between lanes, where the index is told for the first one only */
    const Buffer *buffer;
    const Choice *choice;
    DType from, to; /* casts */
};

/* How lanes find their index in a buffer. */
typedef enum IndexForm { INDEX_UNIFORM, INDEX_STRIDED, INDEX_GATHER, INDEX_FORMS } IndexForm;

StepFn *step_scalar(ScalarOp op, DType type); /* NULL: no such operation on the type */
StepFn *step_cast(DType from, DType to);
StepFn *step_load(IndexForm form, int size);
StepFn *step_store(IndexForm form, int size);
StepFn *step_acc(IndexForm form, DType type, bool fused); /* NULL: no accumulation of the type */
StepFn step_select, step_choice, step_broadcast;

_Noreturn void run_fail(Run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void run_fail_index(Run *r, const char *what, const Buffer *buffer, int64_t index);
void run_code(const Code *c, Run *r);
uint64_t run_mask(const Run *r, const void *cond); /* active lanes whose condition holds */

static inline bool lane_active(const Run *r, int lane) { return r->mask >> lane & 1; }

#endif
