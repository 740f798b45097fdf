/* backend_interp.c - the interpreter as a backend: the smallest one, to copy from. */
#include "backends.h"

#include "interp.h"

typedef struct Interpreted {
    const Program *program;
} Interpreted;

void *backend_interp_open(const Program *p, const char *options, RunError *error) {
    Interpreted *opened = NEW(p->unit->arena, Interpreted);
    (void)options;
    (void)error;
    opened->program = p;
    return opened;
}

bool backend_interp_run(void *opened, const void *const *inputs, void *const *outputs,
                        const KernelHook *hook, RunError *error) {
    const Interpreted *i = opened;
    InterpError why = {{0}};
    (void)hook;
    if (interp_run(i->program, inputs, outputs, &why)) return true;
    snprintf(error->message, sizeof error->message, "%s", why.message);
    return false;
}

void backend_interp_close(void *opened) { (void)opened; }
