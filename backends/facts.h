/* facts.h - what backends ask of a program beside its text: ranges, vectors, who uses which buffer. */
#ifndef SONOC_FACTS_H
#define SONOC_FACTS_H

#include "loop.h"

/* Is x an i64 whose whole computation fits in 32 bits?  `lets`: by variable id, 0 at first: what is known of LETs. */
bool expr_fits_int(signed char *lets, const Expr *x);
bool expr_wraps(const Expr *x);          /* integer arithmetic that may leave the type */
bool divisor_is_safe(const Expr *x);     /* DIV, REM: never by 0, never the smallest by -1 */

enum { MAX_LANES_LOG = 5, MAX_LANES = 1 << MAX_LANES_LOG };
bool lanes_are_vectors(const Target *t, int64_t lanes);
bool loop_is_vector(const Target *t, const Stmt *s);   /* a LANES loop whose statements are vectors; else it is a plain loop */
static inline bool local_is_vectors(const Target *t, const Buffer *b) {
    return b->kind == BUF_LOCAL && b->lanes > 0 && lanes_are_vectors(t, b->lanes);
}

/* The buffers that a kernel touches, locals apart, in the order in which it does. */
typedef struct KernelParam {
    const Buffer *buffer;
    bool written;
} KernelParam;

typedef struct KernelParams {
    Arena *arena;
    VEC(KernelParam) list;
    Map seen;                /* buffer id + 1 -> index + 1 */
} KernelParams;

KernelParams kernel_params(Arena *a, const Kernel *k);
/* Does the memory plan lay it where another one of the kernel lies? */
bool kernel_param_is_shared(const KernelParams *params, const Buffer *b);

void program_find_used(const Program *p, bool *used);          /* by buffer id: some kernel or output has it */
/* Do kernels write output i where the caller wants it?  Else it is copied at the end. */
bool program_output_is_direct(const Program *p, int i);
int program_largest_rank(const Program *p);    /* of inputs and outputs; at least 1 */

#endif
