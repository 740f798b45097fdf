/* rule_remark.h - what the engine of rules asks of and tells the pass manager. */
#ifndef SONOC_RULE_REMARK_H
#define SONOC_RULE_REMARK_H

#include "rule.h"

static inline bool rule_allowed(Graph *g, const PassOptions *options, const Node *at) {
    (void)g; (void)options; (void)at;
    return true;
}
static inline void rule_matched(Graph *g, const PassOptions *options, const Node *at, const Rule *r) {
    (void)g; (void)options; (void)at; (void)r;
}
static inline void rule_missed(Graph *g, const PassOptions *options, const Node *at, const Rule *r, const char *why) {
    (void)g; (void)options; (void)at; (void)r; (void)why;
}
static inline bool rule_wants_missed(const PassOptions *options) {
    (void)options;
    return false;
}
static inline int rule_level(const PassOptions *options) {
    (void)options;
    return 2;
}

#endif
