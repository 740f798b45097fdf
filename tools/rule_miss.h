/* rule_miss.h - graphs that nearly have a rule's pattern. */
#ifndef SONOC_RULE_MISS_H
#define SONOC_RULE_MISS_H

#include "graph.h"

/* Changes one thing in an instance of a pattern: an operator, or an operand, which becomes an input of its own.  The
 * same for the same seed.  false: what the seed chose cannot be changed. */
bool rule_miss(Graph *g, uint64_t seed);

#endif
