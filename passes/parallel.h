/* parallel.h - convolutions side by side that can become one: private to the passes fuse_gate and fuse_parallel. */
#ifndef SONOC_PARALLEL_H
#define SONOC_PARALLEL_H

#include "graph.h"

/* A Conv of one group with constant weights and bias. */
bool conv_can_join(const Node *n);
/* Another such convolution of the geometry of n that reads x, first in the node order; NULL: none. */
Node *parallel_conv(const Graph *g, const Node *n, const Value *x);

#endif
