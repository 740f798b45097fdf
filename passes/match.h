/* match.h - what the rewriting passes share: looking at a graph, and making nodes.
 *
 * Shapes are static when these run.  Use counts are those of the last graph_count_uses. */
#ifndef SONOC_MATCH_H
#define SONOC_MATCH_H

#include "graph.h"

typedef struct Ints {
    int64_t at[2 * MAX_RANK];
    int n;
} Ints;

/* The node that makes v if it is of that kind, else NULL. */
Node *match_op(const Value *v, OpId op);
/* The same if nothing else reads v, which is no output of the graph: the node may be rewritten. */
Node *match_single(const Value *v, OpId op);
bool value_is_private(const Value *v);
/* A constant whose elements are all the same number. */
bool match_scalar(const Value *v, double *x);
bool match_scalar_is(const Value *v, double x);
/* A constant vector of integers. */
bool match_ints(const Value *v, Ints *out);
/* Where a Slice of a static value begins, and its step, per axis. */
typedef struct Cut { int64_t begin[MAX_RANK], step[MAX_RANK]; } Cut;
bool match_cut(const Node *slice, Cut *cut);
/* Of a node of two inputs: the one that `is` holds for, the other in *rest; NULL if for none. */
typedef bool ValueTest(const Value *v);
Value *match_either(const Node *n, ValueTest *is, Value **rest);
bool value_is_constant(const Value *v);
bool same_shape(const Value *a, const Value *b);
bool is_image(const Value *v);               /* a float map N x C x H x W */
/* Of v, one number a channel (axis 1) and nothing else: [C,1,1], [1,C,1,1], or a scalar if `channels` allows. */
bool is_per_channel(const Value *v, int rank, int64_t channels);
int value_axis(const Node *n, const char *name);     /* attribute, counted from the front of input 0 */
/* A reduction's axes, one bit each. */
unsigned reduced_axes(const Node *n);

/* A node in the place and under the name of `like`, its one output still without a type; attributes may be set until
 * node_close, which gives the output. */
Node *node_open(Graph *g, const Node *like, OpId op, Value *const *inputs, int n_inputs);
Value *node_close(Graph *g, Node *n);
Value *make_op(Graph *g, const Node *like, OpId op, Value *x, Value *y);     /* y NULL: of one input */
Value *make_reshaped(Graph *g, const Node *like, Value *x, const int64_t *dims, int rank);
Value *make_sliced(Graph *g, const Node *like, Value *x, int axis, int64_t begin, int64_t end);
Value *make_int_vector(Graph *g, const char *name, const int64_t *values, int n);
/* Whoever read n's output reads `by`; n is gone. */
void node_become(Graph *g, Node *n, Value *by);
void copy_attrs(Graph *g, Node *to, const Node *from);
int64_t *value_sizes(const Value *v, int64_t *dims);

/* For every node of g, also those that are made meanwhile: rewrite(g, options, node) tells whether it did something.
 * Sorts and sweeps; again until nothing changes. */
struct PassOptions;
typedef bool RewriteFn(Graph *g, const struct PassOptions *options, Node *n);
void rewrite_everywhere(Graph *g, const struct PassOptions *options, RewriteFn *const *rewrites, int n);

#endif
