/* cost.c - the table of costs. */
#include "cost.h"

static const double cost_nanoseconds[COST_COUNT] = {
#define COST(id, nanoseconds, what) nanoseconds,
#define PRICE COST
#include "costs.def"
#undef PRICE
#undef COST
};

const char *const cost_names[COST_COUNT] = {
#define COST(id, nanoseconds, what) #id,
#define PRICE COST
#include "costs.def"
#undef PRICE
#undef COST
};

double effort_nanoseconds(const Effort *effort) {
    double sum = 0;
    for (int i = 0; i < COST_COUNT; i++) sum += effort->n[i] * cost_nanoseconds[i];
    return sum;
}
