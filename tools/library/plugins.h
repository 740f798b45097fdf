/* plugins.h - the operators of custom_ops/, and what shared objects bring. */
#ifndef SONOC_PLUGINS_H
#define SONOC_PLUGINS_H

#include "base.h"

/* Fills the unit's registry; the objects stay loaded until the unit ends.  false: reported. */
bool plugins_load(Unit *u, const char *const *files, int n_files);

#endif
