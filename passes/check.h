/* check.h - does every pass keep what it promises? */
#ifndef SONOC_CHECK_H
#define SONOC_CHECK_H

#include "pass.h"

typedef struct CheckReport {
    int checked;                 /* passes that changed the graph and kept their promise */
    int whole;                   /* passes that could not be judged by what they changed: the whole graph was run */
    int unchecked;               /* passes whose graphs could not be run */
    const char *unchecked_why;   /* of the last of them */
    int64_t shrunk_to;           /* the largest spatial extent of the twin that was run; 0: as the graph is */
    const char *pass;            /* the first that broke its promise; NULL: none did.  What follows is of that one */
    int64_t rewrite;             /* its first rewrite that does; 0: it does so without any */
    const char *node, *op;       /* where that rewrite began */
    const char *what;            /* how the results differ */
    const char *graph;           /* the text of a small graph that shows it */
} CheckReport;

/* Runs the pipeline on a twin of g whose spatial extents are shrunk where every operator allows that.  What each pass
 * changed is run on seeded random inputs before and after it: BIT is compared bit for bit (also with infinities, NaN and
 * zeros of both signs among the inputs), REAL and FAST in float64, by pass_bound times the largest element of an output.
 * Where what changed differs the twin as a whole decides, for a pass may know what its inputs can be.
 * Texts live in g's unit.  false: a pass broke its promise. */
bool passes_check(const Graph *g, const PassOptions *options, CheckReport *report);

/* What the runner of passes calls; the state hangs in options->check.  check_after: false: the promise is broken. */
void check_before(const Graph *g, const PassOptions *options);
bool check_after(const Graph *g, const PassOptions *options);

enum { CHECK_SPECIALS = 200 /* nodes: in larger graphs infinities drown all else */ };

/* Is what differs between two graphs the same, judged by itself?  false: unknown. */
bool changes_hold(const Pass *p, const Graph *before, const Graph *after);

/* Random elements for a value whose type is known; the same for the same seed. */
const Tensor *random_input(Arena *a, const Value *v, uint64_t seed, bool special);

/* How outputs that should be the same differ; NULL: they do not. */
const char *results_differ(Arena *a, const Pass *p, const Graph *g, const Tensor *const *got, const Tensor *const *want);

#endif
