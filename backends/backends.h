/* backends.h - the functions that backends.def names. */
#ifndef SONOC_BACKENDS_H
#define SONOC_BACKENDS_H

#include "backend.h"

bool backend_interp_run(const Program *p, const void *loaded, void *arena,
                        const void *const *inputs, void *const *outputs, RunError *error);

void *backend_c_load(const Program *p, const char *options, RunError *error);
bool backend_c_run(const Program *p, const void *loaded, void *arena, const void *const *inputs,
                   void *const *outputs, RunError *error);
void backend_c_unload(void *loaded);

#endif
