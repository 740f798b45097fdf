/* pass_run.h - the state of one run of a pipeline: which pass runs, how many rewrites were done. */
#ifndef SONOC_PASS_RUN_H
#define SONOC_PASS_RUN_H

#include "steps.h"

typedef struct PassRun {
    const Step *step;            /* of the pass that runs */
    int64_t asked;               /* rewrites asked for, by all passes so far */
    int open_at;                 /* its place in the report, -1: none */
    GraphCost before;            /* the cost when its rewrite began */
    const char *last_node, *last_op;   /* where the last rewrite that was allowed began */
    bool stopped;                /* stop_after was reached */
    int depth, number;           /* groups around the pass; passes run so far */
} PassRun;

/* Runs one pass, with nothing around it.  false: reported. */
bool run_step(Graph *g, const Step *step, const PassOptions *options);

/* The pass is done: what its last rewrite saved can be told. */
void remarks_close(Graph *g, const PassOptions *options);

#endif
