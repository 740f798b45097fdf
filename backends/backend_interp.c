/* backend_interp.c - the interpreter as a backend: the smallest one, to copy from. */
#include "backends.h"

#include "interp.h"

bool backend_interp_run(const Program *p, const char *options, const void *const *inputs,
                        void *const *outputs, RunError *error) {
    InterpError why = {{0}};
    (void)options;
    if (interp_run(p, inputs, outputs, &why)) return true;
    snprintf(error->message, sizeof error->message, "%s", why.message);
    return false;
}
