/* reduce.h - delta debugging: the smallest part of a graph that still shows something. */
#ifndef SONOC_REDUCE_H
#define SONOC_REDUCE_H

#include "graph.h"

typedef bool ShowsFn(const Graph *g, void *context);

/* Drops nodes and outputs as long as `shows` stays true; what a dropped node gave becomes an input.  Gives a graph in u;
 * values need types.  `shows` is true for g itself. */
Graph *graph_reduce(Unit *u, const Graph *g, ShowsFn *shows, void *context);

#endif
