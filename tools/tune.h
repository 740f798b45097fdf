/* tune.h - measures the variants of a model's nodes and writes down which are the fastest. */
#ifndef SONOC_TUNE_H
#define SONOC_TUNE_H

#include "pipeline.h"

/* With --tune: writes its file, which the session's lowering takes from now on.  false: reported. */
bool tune(Session *s);

#endif
