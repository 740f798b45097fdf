/* plugins.h - the operators of custom_ops/, and what --plugin names. */
#ifndef SONOC_PLUGINS_H
#define SONOC_PLUGINS_H

#include "pipeline.h"

/* false: reported. */
bool plugins_load(Session *s);

#endif
