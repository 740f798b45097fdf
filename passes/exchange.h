/* exchange.h - the pass `exchange`. */
#ifndef SONOC_EXCHANGE_H
#define SONOC_EXCHANGE_H

#include "pass.h"

bool pass_exchange(Graph *g, const PassOptions *options);

#endif
