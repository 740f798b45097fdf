/* cost.h - what work costs: the rows of costs.def. */
#ifndef SONOC_COST_H
#define SONOC_COST_H

typedef enum CostId {
#define COST(id, nanoseconds, what) COST_##id,
#define PRICE COST
#include "costs.def"
#undef PRICE
#undef COST
    COST_COUNT
} CostId;

/* How often something is done that a row tells the cost of. */
typedef struct Effort { double n[COST_COUNT]; } Effort;

extern const char *const cost_names[COST_COUNT];
double effort_nanoseconds(const Effort *effort);

#endif
