/* check_claims.h - two graphs side by side: which of their values should be the same, and by what
 * it can be shown.
 *
 * A value of one graph and one of the other are of one class if the same nodes compute them from
 * the same inputs and constants, or from values of one class.  A claim puts two values in one class
 * for which that is not so: where a pass changed something, what comes out should be the same.  A
 * claim is tested on a part of either graph: what computes the value, back to values of common
 * classes, which get random elements.  When all claims hold the outputs are the same. */
#ifndef SONOC_CHECK_CLAIMS_H
#define SONOC_CHECK_CLAIMS_H

#include "graph.h"

enum { SIDES = 2 /* before and after */ };

typedef struct Claim {
    const Value *value[SIDES];
    uint64_t number; /* of the claim; changes when that changes by which it was shown */
    bool is_output;  /* of the graph: it has to hold */
} Claim;

/* Values of either graph that are the same, if all claims hold. */
typedef struct ValueClass {
    uint64_t number;
    const Value *typed; /* one whose type is known, or NULL */
    bool present[SIDES];
    int reach; /* while a part is looked for: how much further back it goes; -1: it is not in it */
} ValueClass;

typedef struct Claims {
    Arena *arena;
    const Graph *graph[SIDES];
    bool *known[SIDES];   /* by value: an input, a constant or what a node gives */
    int *class_of[SIDES]; /* by value */
    const Value *
        *partner;  /* by value after the pass: the one before that it is claimed to be; or NULL */
    Map banned;    /* pairs that no claim is made of */
    Map hashes;    /* of constants, by address */
    Map by_number; /* class number -> 1 + place in classes */
    VEC(ValueClass) classes;
    VEC(Claim) open; /* claims that are not true by themselves */
} Claims;

/* NULL: the graphs have inner ones, or inputs without a static type; they can only be compared as a
 * whole. */
Claims *claims_new(Arena *a, const Graph *before, const Graph *after);
/* Puts values in classes and fills `open`; again after a ban. */
void claims_make(Claims *c);
void claims_ban(Claims *c, const Claim *claim);

/* How far a part goes beyond the first value of a common class; heavy: also through convolutions
 * and the like. */
typedef struct PartSize {
    int depth;
    bool heavy;
} PartSize;

/* The nodes that compute a claim's value, in a graph of its own in u, with one output; inputs are
 * told by the numbers of their classes.  part_find for the claim and the size comes first. */
void part_find(Claims *c, const Claim *claim, PartSize size);
Graph *part_make(Unit *u, Claims *c, const Claim *claim, PartSize size, int side,
                 const uint64_t **input_numbers);

#endif
