/* pass_run.h - the state of one run of a pipeline: which pass runs, how many rewrites it did. */
#ifndef SONOC_PASS_RUN_H
#define SONOC_PASS_RUN_H

#include "pass.h"

typedef struct PassRun {
    const Pass *pass;            /* that runs */
    int64_t asked;               /* rewrites asked for, by all passes so far */
    int open_at;                 /* its place in the report, -1: none */
    GraphCost before;            /* the cost when its rewrite began */
} PassRun;

/* The pass is done: what its last rewrite saved can be told. */
void remarks_close(Graph *g, const PassOptions *options);

#endif
