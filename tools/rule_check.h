/* rule_check.h - tries rewrite rules on instances of their patterns. */
#ifndef SONOC_RULE_CHECK_H
#define SONOC_RULE_CHECK_H

#include "rule.h"

typedef struct RuleCheck {
    int instances;           /* that the rule matched and rewrote */
    int near_misses;         /* graphs with one thing unlike the pattern that it left alone */
    int refusals;            /* instances that it left alone, for a condition, or the type of what it would make */
    bool wrong;
    double worst;            /* REAL, FAST: the largest error after, as a part of the one that is allowed */
    const char *why;         /* what is wrong, with the graphs before and after */
} RuleCheck;

/* Makes up to `wanted` instances and compares the results before and after by the rule's class; stops at the first
 * that is wrong.  Texts are in `u`. */
RuleCheck rule_check(Unit *u, const Rule *rule, int wanted);

#endif
