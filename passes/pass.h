/* pass.h - the graph passes and what drives them. */
#ifndef SONOC_PASS_H
#define SONOC_PASS_H

#include "graph.h"

typedef enum PassClass { CLASS_BIT, CLASS_REAL, CLASS_FAST } PassClass;

typedef struct PassOptions {
    int64_t fold_limit;          /* bytes of the largest constant that is computed */
    const char *only;            /* these passes, in this order, instead of all: "a,b,c" */
    const char *stop_after;      /* a pass, or NULL */
    const char *print_after;     /* a pass, or "all", or NULL: the graph is printed to stderr */
    bool verify_each;            /* graph_check after every pass; else after the last */
    bool time_passes;            /* what each took is printed to stderr */
    bool keep_operators;         /* stop where operators would be taken apart for the lowering */
} PassOptions;

typedef struct Pass {
    const char *name;
    bool (*run)(Graph *g, const PassOptions *options);       /* false: reported */
    PassClass promise;
    int level;
    const char *summary;
} Pass;

extern const Pass passes[];      /* in order; ends with a name NULL */
extern const char *const pass_class_names[];

const Pass *pass_find(const char *name);                     /* NULL if unknown */

/* Runs the passes.  false: reported. */
bool passes_run(Graph *g, const PassOptions *options);

#endif
