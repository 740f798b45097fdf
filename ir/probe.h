/* probe.h - what a part of a graph computes, seen at chosen points, by the interpreter. */
#ifndef SONOC_PROBE_H
#define SONOC_PROBE_H

#include "graph.h"

enum { PROBE_LEAVES = 8 };

/* The part of a graph between `leaves` and `target`. */
typedef struct Probe {
    const Value *target;
    const Value *leaves[PROBE_LEAVES];
    int n_leaves;
} Probe;

/* Whether the part has ELEM and MOVE nodes and constants only, at most `most` nodes. */
bool probe_is_closed(const Graph *g, const Probe *p, int most);

/* Elements of the target (f32) at `points`, n_points x rank indices, for given f32 data of the leaves.  false: the
 * part cannot be run (an index out of range, too large). */
bool probe_run(const Graph *g, const Probe *p, const float *const *data, const int64_t *points, int64_t n_points,
               float *out);

/* Random numbers that are the same everywhere. */
typedef struct Random { uint64_t state; } Random;
uint64_t random_bits(Random *r);
double random_between(Random *r, double lo, double hi);

#endif
