/* backend_interp.c - the interpreter as a backend: the smallest one, to copy from.
 *
 * It looks after memory of its own, so that what a run should not read shows in the results. */
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

bool backend_interp_run(const void *opened, void *arena, const Crew *crew,
                        const void *const *inputs, void *const *outputs, const KernelHook *hook,
                        RunError *error) {
    const Program *p = ((const Interpreted *)opened)->program;
    InterpError why = {{0}};
    Escape escape_here;
    Arena *scratch = arena_new(arena_allocator(p->unit->arena), 0, &escape_here);
    (void)arena;
    (void)crew;
    (void)hook;
    if (!scratch || setjmp(escape_here.jump)) {
        snprintf(error->message, sizeof error->message, "out of memory");
        arena_free(scratch);
        return false;
    }
    bool ok = interp_run_in(scratch, p, inputs, outputs, &why);
    if (!ok) snprintf(error->message, sizeof error->message, "%s", why.message);
    arena_free(scratch);
    return ok;
}

void backend_interp_close(void *opened) { (void)opened; }
