/* nest.h - an output of which every element is folded from a box of terms: pooling, sampling, plain
 * products. */
#ifndef SONOC_NEST_H
#define SONOC_NEST_H

#include "infer.h"
#include "lower.h"

enum { NEST_INNER = 8, NEST_ACC = 2 };

/* acc = start(index); acc = step(index, k, acc) for every k of the box, in row-major order;
 * finish(index, acc) stores. A step may not make statements; its loads must be in bounds by
 * themselves or by a select. */
typedef struct Nest Nest;
struct Nest {
    const Node *node;
    const Value *out; /* the loops run over its elements */
    int n_inner;
    int64_t inner[NEST_INNER]; /* extents of the box */
    /* not NULL: the extents, which may depend on the index but not on that of the lanes (channels
     * or the last axis) */
    const Expr *(*extent)(Lower *l, const Nest *nest, const Expr *const *index, int d);
    int n_acc;
    DType acc[NEST_ACC];
    void (*start)(Lower *l, const Nest *nest, const Expr *const *index, const Expr **acc);
    void (*step)(Lower *l, const Nest *nest, const Expr *const *index, const Expr *const *k,
                 const Expr **acc);
    void (*finish)(Lower *l, const Nest *nest, const Expr *const *index, const Expr *const *acc);
    const void *context;
};

/* The loops, into a kernel of the node.  Small boxes are written out, large ones are loops around
 * the lanes. */
void nest_lower(Lower *l, const Nest *nest);

static inline int64_t dim_of(const Value *v, int d) { return v->dims[d].size; }

/* x within 0..n-1, and whether it was so already */
const Expr *index_clamp(Lower *l, const Expr *x, int64_t n);
const Expr *index_inside(Lower *l, const Expr *x, int64_t n);

/* Where element `flat` of a row-major box lies along its n axes. */
void index_split(Lower *l, const Expr *flat, int n, const int64_t *extents, const Expr **at);

#endif
