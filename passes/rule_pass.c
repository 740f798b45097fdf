/* rule_pass.c - the passes `rules`, `rules_real` and `rules_fast`: our rules, then those of the
 * user's file. */
#include "rule.h"

static bool run(Graph *g, const PassOptions *options, PassClass promise) {
    const RuleSet *const sets[] = {rules_built_in(g->unit), options->rules};
    RulesDone done = rules_apply(g, options, sets, 2, promise, options->level, NULL);
    return done.restless ? diag(g->unit, NO_PLACE, D_RULE_RESTLESS, done.restless) : true;
}

bool pass_rules(Graph *g, const PassOptions *options) { return run(g, options, CLASS_BIT); }
bool pass_rules_real(Graph *g, const PassOptions *options) { return run(g, options, CLASS_REAL); }
bool pass_rules_fast(Graph *g, const PassOptions *options) { return run(g, options, CLASS_FAST); }
