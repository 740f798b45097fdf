/* steps.h - pipelines in text: what runs, in which order, with which settings. */
#ifndef SONOC_STEPS_H
#define SONOC_STEPS_H

#include "pass.h"

typedef struct GivenSetting { const char *name; int64_t value; } GivenSetting;

/* A pass, or a group that is repeated until it changes nothing. */
typedef struct Step {
    const Pass *pass;                /* NULL: a group */
    VEC(GivenSetting) settings;      /* of the pass */
    struct Step *body;               /* of the group */
    struct Step *next;
} Step;

/* The pipeline of the options, or of the table.  false: reported. */
bool steps_of(Graph *g, const PassOptions *options, Step **steps);
/* Of a pass in the options or the table; NULL if unknown. */
const Pass *pass_lookup(const PassOptions *options, const char *name);
/* The same number as long as the graph is the same; of a copy, too. */
uint64_t graph_fingerprint(const Graph *g);

#endif
