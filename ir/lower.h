/* lower.h - from graph IR to loop IR: the only place that knows both.  What an operator's author uses.
 *
 * The lowerer decides which values get a buffer, and with what layout; neighbouring ELEM and MOVE nodes are composed
 * into the loads (prologue) and stores (epilogue) of a kernel.  An operator's code never sees that: it asks for
 * elements by logical (ONNX) index with lower_load, and gives elements with lower_store. */
#ifndef SONOC_LOWER_H
#define SONOC_LOWER_H

#include "graph.h"
#include "loop.h"
#include "maths.h"

struct Lower {
    Unit *unit;
    Graph *graph;
    Program *program;
    Builder *b;              /* the kernel being built; NULL between kernels */
    struct LowerPlan *plan;  /* of lower.c */
};

/* Element of v at index (v->rank expressions of type i64, each proven or assumed within the dims).  f16 and bf16
 * come as they are stored; lower_load_wide gives f32 for them. */
const Expr *lower_load(Lower *l, const Value *v, const Expr *const *index);
const Expr *lower_load_wide(Lower *l, const Value *v, const Expr *const *index);

/* The type that arithmetic on dtype t is done in: f32 for f16 and bf16, i32 for 4-bit types, else t. */
DType lower_wide(DType t);

/* Gives element `index` of output v of the node being lowered; x in v's dtype or its wide type (it is cast). */
void lower_store(Lower *l, const Value *v, const Expr *const *index, const Expr *x);

/* A kernel, named after its node.  Most CODE operators are one; more are allowed. */
void lower_begin_kernel(Lower *l, const Node *n, const char *suffix);   /* suffix NULL or e.g. "pack" */
void lower_end_kernel(Lower *l);

/* Loops over all elements of v (or of `dims`), in the order of v's storage, the innermost ones as lanes where that pays;
 * calls body once for the vector part and once for a remainder, with one index expression a dimension. */
typedef void ElementFn(Lower *l, const Expr *const *index, void *context);
void lower_for_each(Lower *l, const Value *v, ElementFn *body, void *context);

/* A scratch array of the arena that lives through the node's kernels. */
Buffer *lower_scratch(Lower *l, const char *name, DType type, int64_t count);
/* A constant made at compile time. */
Buffer *lower_constant(Lower *l, const char *name, const Tensor *t);

/* How a value is stored: element at index i is buffer[offset + sum i[d] * stride[d]]. */
typedef struct Storage {
    Buffer *buffer;
    int64_t offset;
    int64_t stride[MAX_RANK];
} Storage;
/* Of an input for which the NeedFn asked for a buffer. */
const Storage *lower_storage(Lower *l, const Value *v);

/* REDUCE: acc starts at start(); for every element acc = step(acc, x) (or acc += x where step is NULL: a sum); the
 * result is finish(acc, n).  `index` of the element along the reduced axes is told for ArgMax and kin (flat over the
 * reduced axes, row-major).  Sums run level by level over the reduced axes, each level with an accumulator of its
 * own, so that rounding errors stay small; their number and order depend on the shapes alone. */
struct ReduceRule {
    int n_acc;                                                             /* accumulators: 1, or 2 (ArgMax: value and position) */
    void (*start)(Lower *l, const Node *n, DType wide, const Expr **acc);
    const Expr *(*map)(Lower *l, const Node *n, const Expr *x);            /* before the sum: x*x, |x|; NULL: x */
    void (*step)(Lower *l, const Node *n, const Expr **acc, const Expr *x, const Expr *position);   /* NULL: sum */
    const Expr *(*finish)(Lower *l, const Node *n, const Expr *const *acc, int64_t count);  /* NULL: acc[0] */
};
/* The reduced axes of a REDUCE node: true for each; keepdims tells whether the output keeps them. */
void reduce_axes(const Node *n, bool *axes, bool *keepdims);

/* Which of its variants (variants.def) the node is computed by; NULL: it has none, or is computed by definition. */
typedef struct Variant Variant;
const Variant *lower_variant(const Lower *l, const Node *n);

/* Lowers the whole graph (inferred, expanded, all dims static).  NULL: reported. */
typedef struct Choices Choices;
typedef struct LowerOptions {
    const Target *target;
    const char *name;
    bool plain;              /* the definition: no layouts, no fusion, no tiles */
    bool real;               /* algorithms that equal the definition over the real numbers only (Winograd) may be chosen */
    const Choices *choices;   /* of variants; NULL: all by estimate */
    const Target *shared;    /* not NULL: plans for several targets have one choice, as made for this one, and one form of
                                packed weights */
    bool make_later;         /* large constants are left to program_make_constants */
    bool compose;            /* ELEM and MOVE nodes are all composed: for a few elements of a large value */
} LowerOptions;
Program *lower_graph(Graph *g, const LowerOptions *options);

bool lower_is_plain(const Lower *l);
bool lower_is_real(const Lower *l);

/* Replaces EXPAND nodes until none is left (BIT by definition). */
bool graph_expand(Graph *g);
/* The same for the nodes that `wanted` tells. */
bool graph_expand_some(Graph *g, bool (*wanted)(const Node *n));

#endif
