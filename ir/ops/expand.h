/* expand.h - how EXPAND operators write their small graphs: private to ir/ops.
 *
 * Each make_ function adds one node and gives its output, typed.  Axes are a bool a dimension. */
#ifndef SONOC_EXPAND_H
#define SONOC_EXPAND_H

#include "infer.h"
#include "lower.h"

typedef struct Expansion {
    Graph *graph;
    Node *node;  /* being expanded */
    int first;   /* graph->nodes from here on are its expansion */
    bool failed; /* a node could not be typed; reported */
} Expansion;

Expansion expansion_begin(Graph *g, Node *n);
/* v, converted to the output's element type, becomes output k if somebody wants that. */
void expansion_give(Expansion *e, int k, Value *v);
static inline bool expansion_end(const Expansion *e) { return !e->failed; }

/* A node with attributes: open, set them, close. */
Node *make_open(Expansion *e, OpId op, Value *const *inputs, int n_inputs);
/* One more output, before the node is closed. */
Value *make_output(Expansion *e, Node *n);
/* Types the node; its first output. */
Value *make_close(Expansion *e, Node *n);

Value *make_unary(Expansion *e, OpId op, Value *x);
Value *make_binary(Expansion *e, OpId op, Value *x, Value *y);
Value *make_where(Expansion *e, Value *cond, Value *yes, Value *no);
/* x itself if it is of that type; of that shape */
Value *make_cast(Expansion *e, Value *x, DType to);
Value *make_reshape(Expansion *e, Value *x, int rank, const int64_t *dims);
/* The reduced axes stay, with size 1. */
Value *make_reduce(Expansion *e, OpId op, Value *x, const bool *axes);
Value *make_arg(Expansion *e, OpId op, Value *x, int axis);
Value *make_expand(Expansion *e, Value *x, int rank, const int64_t *dims);
Value *make_transpose(Expansion *e, Value *x, const int64_t *perm);
Value *make_slice(Expansion *e, Value *x, int axis, int64_t begin, int64_t end);
Value *make_concat(Expansion *e, Value *const *x, int n, int axis);
/* fill NULL: 0 */
Value *make_pad(Expansion *e, Value *x, int axis, int64_t before, int64_t after, Value *fill);

Value *make_tensor(Expansion *e, const Tensor *t);
Value *make_scalar(Expansion *e, DType t, double value);      /* a constant of rank 0 */
Value *make_ints(Expansion *e, const int64_t *values, int n); /* a constant i64 vector */
/* 0, 1, .. extent - 1 along `axis` of a tensor of rank `rank` whose other dims are 1 */
Value *make_iota(Expansion *e, DType t, int rank, int axis, int64_t extent);
/* A vector along `axis` of a tensor of rank `rank` whose other dims are 1 */
Value *make_along(Expansion *e, Value *vector, int rank, int axis);

/* (x - mean) and 1 / sqrt(variance + epsilon) over the axes, by the two-pass form */
typedef struct Moments {
    Value *mean, *centred, *inverse_std;
} Moments;
Moments make_moments(Expansion *e, Value *x, const bool *axes, double epsilon);

/* The element type that an attribute names; DT_NONE: none. */
DType node_dtype(const Node *n, const char *name);
/* The dims of a static value. */
int value_dims(const Value *v, int64_t *dims);

#endif
