/* infer.h - shapes and types of values, and folding of constants, in one walk.
 *
 * Nodes are visited in order.  A node's InferFn sets its outputs' types; if then all its inputs are constants and
 * its outputs are static, the interpreter computes them at once and the outputs become constants, so that the
 * Shape/Gather/Concat soup of exporters folds away while shapes are being inferred. */
#ifndef SONOC_INFER_H
#define SONOC_INFER_H

#include "graph.h"

struct Infer {
    Unit *unit;
    Graph *graph;
};

/* Infers and folds the whole graph; false: something was reported (all that can be found is). */
bool graph_infer(Graph *g, int64_t fold_limit_bytes);
/* Infers one node without folding it (used when a pass adds nodes). */
bool node_infer(Graph *g, Node *n);
/* Computes a node whose inputs are constants; its outputs become constants and it is dead.  false: it stays. */
bool node_fold(Graph *g, Node *n, int64_t fold_limit_bytes);

/* A graph of the node alone: its constants are shared, its other inputs are the graph's, its outputs too. */
Graph *graph_of_node(Unit *u, const Node *n);

/* For InferFns.  `k` is an input.  Each false / NULL has been reported unless told otherwise. */
const Tensor *infer_constant(const Node *n, int k);                       /* NULL, unreported, if not constant */
bool infer_ints(Infer *f, Node *n, int k, int64_t *out, int *count, int max);   /* constant ints, reported if not */
bool infer_fail(Infer *f, const Node *n, DiagCode code, ...);             /* reports with the node's place */
bool infer_fail_attr(Infer *f, const Node *n, const char *attribute, const char *format, ...);
void infer_set(Infer *f, Node *n, int output, DType dtype, int rank, const int64_t *dims);
/* Static dims of input k into dims[MAX_RANK]; returns the rank, or -1 (reported) if unknown or symbolic. */
int infer_dims(Infer *f, Node *n, int k, int64_t *dims);
/* Axis in -rank..rank-1 to 0..rank-1; -1 reported. */
int infer_axis(Infer *f, const Node *n, int64_t axis, int rank, const char *attribute);
/* Numpy broadcast of `rank_a`/`rank_b` into out; returns the rank or -1 (not reported). */
int dims_broadcast(const int64_t *a, int rank_a, const int64_t *b, int rank_b, int64_t *out);
/* Product of dims >= 0; -1 (not reported) if it does not fit in 62 bits. */
int64_t dims_product(const int64_t *dims, int rank);

/* Ready-made rules for many rows of the table. */
InferFn infer_same;              /* outputs are like input 0 */
InferFn infer_broadcast;         /* numpy broadcast of all inputs, dtype of input 0 */

#endif
