/* simplify.h - the pass `simplify`. */
#ifndef SONOC_SIMPLIFY_H
#define SONOC_SIMPLIFY_H

#include "pass.h"

bool pass_simplify(Graph *g, const PassOptions *options);

#endif
