/* backends.h - the run functions that backends.def names. */
#ifndef SONOC_BACKENDS_H
#define SONOC_BACKENDS_H

#include "backend.h"

bool backend_interp_run(const Program *p, const char *options, const void *const *inputs,
                        void *const *outputs, RunError *error);
bool backend_c_run(const Program *p, const char *options, const void *const *inputs,
                   void *const *outputs, RunError *error);
bool backend_jit_run(const Program *p, const char *options, const void *const *inputs,
                     void *const *outputs, RunError *error);

#endif
