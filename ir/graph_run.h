/* graph_run.h - runs graphs on the interpreter, and makes numbers for their inputs. */
#ifndef SONOC_GRAPH_RUN_H
#define SONOC_GRAPH_RUN_H

#include "graph.h"

/* splitmix64: the same numbers on every machine. */
uint64_t random_next(uint64_t *state);
/* Floats in -1..1, in steps that half floats have; integers and bools 0 or 1, that are good indices most often. */
const Tensor *tensor_random(Arena *a, DType dtype, int rank, const int64_t *dims, uint64_t *state);

/* All floats of the graph become float64: inputs, constants, what casts to a float gives.  Types are not known after. */
void graph_widen(Graph *g);

/* Runs a copy of g in a unit of its own; g is in any state that inference and expansion can take.
 * The inputs are in g's types and order.  With `wide` the arithmetic is in float64, and so are floating outputs.
 * Gives the outputs in `a`; or NULL, and why in *why. */
const Tensor **graph_run(Arena *a, const Graph *g, const Tensor *const *inputs, bool wide, const char **why);

#endif
