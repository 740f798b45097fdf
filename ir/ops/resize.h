/* resize.h - the geometry of a Resize node, for passes that move it. */
#ifndef SONOC_RESIZE_H
#define SONOC_RESIZE_H

#include "graph.h"

/* Of an inferred Resize of linear mode whose outputs along `axis` are sums of two inputs: their positions
 * ([out, 2] i64, not decreasing) and weights ([out, 2], of the data's type), in the unit's arena.  false: it is of another kind. */
bool resize_two_taps(Graph *g, const Node *n, int axis, const Tensor **source, const Tensor **weight);

#endif
